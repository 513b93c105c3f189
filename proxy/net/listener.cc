#include "proxy/net/listener.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "proxy/net/handed_sockets.h"
#include "storage/base/check.h"

namespace freshet::proxy {

using storage::Error;
using storage::IoInterest;
using storage::IoReady;
using storage::Milliseconds;
using storage::Result;

namespace {

// Connections accepted in one turn at most, so that a flood of them does not starve those that are served.
constexpr int kAcceptBatch = 64;
// How long a worker without descriptors to spare leaves the queue alone.
constexpr Milliseconds kRest{100};
// Silence after which the kernel asks whether the peer is still there.
constexpr int kKeepAliveSeconds = 60;

std::atomic<bool> files_are_left{false};

std::string error_text(int error) {
  std::string text = std::system_category().message(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

Error cannot_listen(const SocketAddress& address, std::string_view why) {
  return Error{"cannot listen on " + address.text() + ": " + std::string(why)};
}
Error cannot_listen(const SocketAddress& address, int error) {
  return cannot_listen(address, error_text(error));
}

bool set_option(const Descriptor& socket, int level, int name, int value) {
  return setsockopt(socket.get(), level, name, &value, sizeof value) == 0;
}

Descriptor open_socket(int family) {
  return Descriptor{socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

// Inherited by what is accepted, which spares system calls for each connection.
bool set_inherited_options(const Descriptor& socket) {
  return set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1) &&
         // A client that is gone without a word while it waits for an answer.
         set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1) &&
         set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds) &&
         set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveSeconds / 4);
}

// A socket bound to `address`, or the error number.
int bind_tcp(const SocketAddress& address, bool share_port, bool v6_only, Descriptor& made) {
  made = open_socket(address.family());
  if (!made.valid()) return errno;
  if (!set_option(made, SOL_SOCKET, SO_REUSEADDR, 1)) return errno;
  if (share_port && !set_option(made, SOL_SOCKET, SO_REUSEPORT, 1)) return errno;
  if (!set_inherited_options(made)) return errno;
  // Whatever net.ipv6.bindv6only says.
  const bool v6 = address.family() == AF_INET6;
  if (v6 && !set_option(made, IPPROTO_IPV6, IPV6_V6ONLY, v6_only ? 1 : 0)) return errno;
  return bind(made.get(), address.raw(), address.raw_size()) == 0 ? 0 : errno;
}

// Whether the port is free, found with a socket that shares it with nobody.
int probe(const SocketAddress& address, bool v6_only) {
  Descriptor alone;
  return bind_tcp(address, false, v6_only, alone);
}

Result<std::vector<Descriptor>> add_tcp(SocketAddress address, std::size_t count,
                                        const ListenOptions& options, std::vector<Descriptor> sockets) {
  while (sockets.size() < count) {
    Descriptor socket;
    int error = bind_tcp(address, true, options.v6_only, socket);
    if (error == 0 && listen(socket.get(), options.backlog) != 0) error = errno;
    if (error != 0) return cannot_listen(address, error);
    if (sockets.empty()) address = local_address(socket);
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

Result<std::vector<Descriptor>> open_tcp(SocketAddress address, std::size_t count,
                                         const ListenOptions& options) {
  const bool any = address.ip() == IpAddress{};
  int error = probe(address, options.v6_only);
  if (any && !options.v6_only && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)) {  // there is no IPv6
    address = SocketAddress::of(*IpAddress::parse("0.0.0.0"), address.port());
    error = probe(address, false);
  }
  if (error != 0) return cannot_listen(address, error);
  return add_tcp(address, count, options, {});
}

std::vector<Descriptor> take_handed(const SocketAddress& address, std::size_t count,
                                    const ListenOptions& options) {
  std::vector<Descriptor> taken = options.handed->take(address, count);
  // As open_tcp() does where there is no IPv6.
  if (taken.empty() && address.ip() == IpAddress{} && !options.v6_only)
    taken = options.handed->take(SocketAddress::of(*IpAddress::parse("0.0.0.0"), address.port()), count);
  return taken;
}

// Where more are wanted than there were, further ones share the port.
Result<std::vector<Descriptor>> complete_handed(std::vector<Descriptor> handed, std::size_t count,
                                                const ListenOptions& options) {
  const SocketAddress bound = local_address(handed.front());
  if (bound.is_unix() || count == 1) return handed;
  return add_tcp(bound, count, options, std::move(handed));
}

// Removes what a process that is gone left behind. An empty text, or why the path cannot be had.
std::string clear_path(const SocketAddress& address, const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return errno == ENOENT ? "" : error_text(errno);
  if (!S_ISSOCK(found.st_mode)) return "the path exists and is not a socket";
  const Descriptor client = open_socket(AF_UNIX);
  if (!client.valid()) return error_text(errno);
  if (connect(client.get(), address.raw(), address.raw_size()) == 0 || errno == EAGAIN) {
    return error_text(EADDRINUSE);
  }
  if (errno != ECONNREFUSED) return error_text(errno);
  return unlink(path.c_str()) == 0 ? "" : error_text(errno);
}

Result<std::vector<Descriptor>> open_unix(const SocketAddress& address, const ListenOptions& options) {
  const std::string path(address.path());
  const std::string trouble = clear_path(address, path);
  if (!trouble.empty()) return cannot_listen(address, trouble);
  Descriptor socket = open_socket(AF_UNIX);
  // Until listen() nobody can connect, so nobody comes in before the permissions are set.
  if (!socket.valid() || bind(socket.get(), address.raw(), address.raw_size()) != 0 ||
      chmod(path.c_str(), options.unix_mode) != 0 || listen(socket.get(), options.backlog) != 0) {
    return cannot_listen(address, errno);
  }
  std::vector<Descriptor> sockets;
  sockets.push_back(std::move(socket));
  return sockets;
}

}  // namespace

Result<std::vector<Descriptor>> open_listening_sockets(const SocketAddress& address, std::size_t count,
                                                       const ListenOptions& options) {
  FRESHET_CHECK(count > 0);
  if (options.handed != nullptr) {
    std::vector<Descriptor> handed = take_handed(address, count, options);
    if (!handed.empty()) return complete_handed(std::move(handed), count, options);
  }
  return address.is_unix() ? open_unix(address, options) : open_tcp(address, count, options);
}

void set_accepted_options(const Descriptor& socket) {
  if (!local_address(socket).is_unix()) static_cast<void>(set_inherited_options(socket));
}

void SocketFile::leave_all() {
  files_are_left = true;
}

SocketFile::SocketFile(std::string path) : path_(std::move(path)) {
  struct stat found {};
  if (lstat(path_.c_str(), &found) != 0) path_.clear();
  device_ = found.st_dev;
  number_ = found.st_ino;
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), number_(other.number_) {}

SocketFile::~SocketFile() {
  struct stat found {};
  if (path_.empty() || files_are_left || lstat(path_.c_str(), &found) != 0) return;
  if (found.st_dev == device_ && found.st_ino == number_) unlink(path_.c_str());
}

SocketAddress local_address(const Descriptor& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  FRESHET_CHECK(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return SocketAddress::of(address, size);
}

Listener::Listener(storage::IoLoop& loop, Descriptor socket, Accepted accepted)
    : socket_(std::move(socket)),
      accepted_(std::move(accepted)),
      watch_(loop.watch(socket_.get(), IoInterest::kRead,
                        [this](IoReady) { static_cast<void>(accept_batch()); })),
      rested_(loop.timer([this] { watch_->set_interest(IoInterest::kRead); })) {}

Listener::~Listener() = default;

bool Listener::accept_batch() {
  for (int i = 0; i < kAcceptBatch; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Descriptor accepted{
        accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (accepted.valid()) {
      accepted_(std::move(accepted), SocketAddress::of(peer, size));
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return false;
      // This one went before we took it (accept(2), "Error handling"); the next may be well.
      case EINTR:
      case ECONNABORTED:
      case EPERM:
      case EPROTO:
      case ENETDOWN:
      case ENETUNREACH:
      case EHOSTDOWN:
      case EHOSTUNREACH:
        break;
      default:
        rest(errno);  // no descriptors, no memory
        return false;
    }
  }
  return true;
}

void Listener::accept_all() {
  while (accept_batch()) {
  }
}

// The connections stay in the queue; asking again at once would only burn the processor.
void Listener::rest(int error) {
  log_.log(storage::LogLevel::kWarning, "cannot accept connections: " + error_text(error));
  watch_->set_interest(IoInterest::kNone);
  rested_->arm(kRest);
}

}  // namespace freshet::proxy
