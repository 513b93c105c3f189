#include "tests/unit/revalidate/origin/raw_origin.h"

#include <algorithm>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "storage/base/check.h"

namespace freshet::revalidate {

bool RawConnection::read_more() {
  if (descriptor_ < 0) return false;
  pollfd polled{descriptor_, POLLIN, 0};
  if (::poll(&polled, 1, 20'000) <= 0) return false;
  char bytes[65536];
  const ssize_t size = ::recv(descriptor_, bytes, sizeof(bytes), 0);
  if (size <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(size));
  return true;
}

std::string RawConnection::read_to(const std::string& mark) {
  std::size_t at = 0;
  while ((at = buffer_.find(mark)) == std::string::npos) {
    if (!read_more()) return std::exchange(buffer_, {});
  }
  std::string taken = buffer_.substr(0, at + mark.size());
  buffer_.erase(0, at + mark.size());
  return taken;
}

std::string RawConnection::read_head() {
  return read_to("\r\n\r\n");
}

std::string RawConnection::read_exactly(std::size_t size) {
  while (buffer_.size() < size && read_more()) {
  }
  std::string taken = buffer_.substr(0, size);
  buffer_.erase(0, taken.size());
  return taken;
}

std::string RawConnection::read_some() {
  if (buffer_.empty()) read_more();
  return std::exchange(buffer_, {});
}

std::string RawConnection::read_all() {
  while (read_more()) {
  }
  return std::exchange(buffer_, {});
}

void RawConnection::send(const std::string& bytes) const {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t size = ::send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) return;
    sent += static_cast<std::size_t>(size);
  }
}

// Dissolving the connection sends RST, whoever else holds the descriptor.
void RawConnection::reset() {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  static_cast<void>(::connect(descriptor_, &none, sizeof(none)));
  close();
}

void RawConnection::end_sending() const {
  ::shutdown(descriptor_, SHUT_WR);
}

void RawConnection::close() {
  if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_RDWR);
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr* generic(sockaddr_in& address) {
  return static_cast<sockaddr*>(static_cast<void*>(&address));
}

}  // namespace

RawConnection connect_to(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  FRESHET_CHECK(::connect(descriptor, generic(address), sizeof(address)) == 0);
  return RawConnection(descriptor);
}

RawOrigin::RawOrigin(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  FRESHET_CHECK(::bind(listener_, generic(address), size) == 0);
  FRESHET_CHECK(::listen(listener_, 128) == 0);
  FRESHET_CHECK(::getsockname(listener_, generic(address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

RawOrigin::~RawOrigin() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const storage::MutexLock lock(mutex_);
    for (const int descriptor : open_) ::shutdown(descriptor, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  for (const int descriptor : open_) ::close(descriptor);
  ::close(listener_);
}

int RawOrigin::connections() const {
  const storage::MutexLock lock(mutex_);
  return accepted_;
}

bool RawOrigin::closed(int number) const {
  const storage::MutexLock lock(mutex_);
  return std::find(closed_.begin(), closed_.end(), number) != closed_.end();
}

void RawOrigin::wait_closed(int number) {
  const storage::MutexLock lock(mutex_);
  while (std::find(closed_.begin(), closed_.end(), number) == closed_.end()) changed_.wait(mutex_);
}

void RawOrigin::accept_all() {
  for (;;) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) return;
    int number = 0;
    {
      const storage::MutexLock lock(mutex_);
      open_.push_back(::dup(descriptor));
      number = accepted_++;
    }
    threads_.emplace_back([this, descriptor, number] {
      RawConnection connection(descriptor);
      script_(connection, number);
      connection.close();
      const storage::MutexLock lock(mutex_);
      closed_.push_back(number);
      changed_.notify_all();
    });
  }
}

}  // namespace freshet::revalidate
