#include "proxy/net/transport.h"

#include <cerrno>
#include <sys/socket.h>
#include <utility>

#include "proxy/net/tls_connection.h"

namespace freshet::proxy {

namespace {

TransportOutcome outcome_of_error() {
  return errno == EAGAIN || errno == EWOULDBLOCK ? TransportOutcome::kBlocked : TransportOutcome::kBroken;
}

// A message of one piece costs the kernel less as such: it has no list to copy and check.
ssize_t send_pieces(int socket, const iovec* pieces, std::size_t count) {
  if (count == 1) return ::send(socket, pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);  // NOLINT: sendmsg does not write to it
  message.msg_iovlen = count;
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

}  // namespace

Transport::Transport(Descriptor socket) : socket_(std::move(socket)) {}
Transport::Transport(Descriptor socket, std::unique_ptr<TlsConnection> tls)
    : socket_(std::move(socket)), tls_(std::move(tls)) {}
Transport::~Transport() = default;
Transport::Transport(Transport&&) noexcept = default;
Transport& Transport::operator=(Transport&&) noexcept = default;

TransportOutcome Transport::read(char* buffer, std::size_t capacity, std::size_t& got) {
  if (tls_) return tls_->read(buffer, capacity, got);
  got = 0;
  const ssize_t received = ::recv(socket_.get(), buffer, capacity, 0);
  if (received > 0) {
    got = static_cast<std::size_t>(received);
    return TransportOutcome::kDone;
  }
  if (received == 0) return TransportOutcome::kEnd;
  return errno == EINTR ? TransportOutcome::kBlocked : outcome_of_error();
}

TransportOutcome Transport::write(const iovec* pieces, std::size_t count, std::size_t& written) {
  if (tls_) return tls_->write(pieces, count, written);
  written = 0;
  ssize_t sent = 0;
  do {
    sent = send_pieces(socket_.get(), pieces, count);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return outcome_of_error();
  written = static_cast<std::size_t>(sent);
  std::size_t wanted = 0;
  for (std::size_t i = 0; i < count; ++i) wanted += pieces[i].iov_len;
  return written < wanted ? TransportOutcome::kBlocked : TransportOutcome::kDone;
}

bool Transport::holds_input() const {
  return tls_ && tls_->holds_input();
}

bool Transport::read_waits_for_room() const {
  return tls_ && tls_->read_waits_for_room();
}

TransportOutcome Transport::end_output() {
  if (tls_) {
    const TransportOutcome told = tls_->say_end();
    if (told != TransportOutcome::kDone) return told;
  }
  return ::shutdown(socket_.get(), SHUT_WR) == 0 ? TransportOutcome::kDone : TransportOutcome::kBroken;
}

void Transport::close(bool reset) {
  if (!socket_.valid()) return;
  if (reset) {
    const linger at_once{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  } else if (tls_) {
    static_cast<void>(tls_->say_end());
  }
  tls_.reset();
  socket_.reset();
}

}  // namespace freshet::proxy
