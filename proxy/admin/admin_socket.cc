#include "proxy/admin/admin_socket.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace freshet::proxy {

namespace {

using storage::Error;
using storage::Result;
using storage::Status;

constexpr int kBacklog = 64;
constexpr mode_t kSocketMode = 0660;

Error system_error(const std::string& what, int fault) {
  return Error{what + ": " + std::strerror(fault)};
}

int stream_socket(int family) {
  return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{"admin socket " + path + ": the path is longer than the " +
                 std::to_string(sizeof address.sun_path - 1) +
                 " bytes that a socket may have; set admin.socket"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // NOLINT(*-reinterpret-cast): the socket API's way
}

// Whether a process listens there. A full queue (EAGAIN) is a living one's.
bool answers(const sockaddr_un& address) {
  const int probe = stream_socket(AF_UNIX);
  if (probe < 0) return true;
  const bool connected = ::connect(probe, generic(address), sizeof address) == 0;
  const int fault = errno;
  ::close(probe);
  return connected || fault == EAGAIN || fault == EINPROGRESS;
}

// Makes way for a new socket at `path`, unless what is there must stay.
Status clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0) {
    if (errno == ENOENT) return {};
    return system_error("admin socket " + path, errno);
  }
  if (!S_ISSOCK(about.st_mode)) return Error{"admin socket " + path + ": a file that is no socket is there"};
  if (answers(address)) return Error{"admin socket " + path + ": another process answers on it"};
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return system_error("admin socket " + path + ": the old one cannot be removed", errno);
  }
  return {};
}

std::uint16_t bound_port(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);  // NOLINT(*-reinterpret-cast)
  if (::getsockname(descriptor, any, &size) != 0) return 0;
  if (address.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);  // NOLINT(*-reinterpret-cast)
  }
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);  // NOLINT(*-reinterpret-cast)
}

}  // namespace

Result<AdminSocket> AdminSocket::listen_unix(const std::string& path) {
  const Result<sockaddr_un> address = unix_address(path);
  if (!address.ok()) return Error{address.error()};
  if (Status cleared = clear_path(path, address.value()); !cleared.ok()) return Error{cleared.error()};
  const int descriptor = stream_socket(AF_UNIX);
  if (descriptor < 0) return system_error("admin socket " + path, errno);
  AdminSocket made(descriptor);
  if (::bind(descriptor, generic(address.value()), sizeof(sockaddr_un)) != 0) {
    return system_error("admin socket " + path, errno);
  }
  made.path_ = path;
  struct stat about {};
  // The mode is right before anybody can connect: that takes listen().
  if (::chmod(path.c_str(), kSocketMode) != 0 || ::lstat(path.c_str(), &about) != 0 ||
      ::listen(descriptor, kBacklog) != 0) {
    return system_error("admin socket " + path, errno);
  }
  made.device_ = about.st_dev;
  made.inode_ = about.st_ino;
  return made;
}

Result<AdminSocket> AdminSocket::listen_tcp(const std::string& host, std::uint16_t port) {
  const std::string name = "admin address " + host + " port " + std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int fault = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (fault != 0) return Error{name + ": " + ::gai_strerror(fault)};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, &::freeaddrinfo);
  const int descriptor = stream_socket(found->ai_family);
  if (descriptor < 0) return system_error(name, errno);
  AdminSocket made(descriptor);
  const int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(descriptor, found->ai_addr, found->ai_addrlen) != 0 || ::listen(descriptor, kBacklog) != 0) {
    return system_error(name, errno);
  }
  made.port_ = bound_port(descriptor);
  return made;
}

AdminSocket::AdminSocket(AdminSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      port_(other.port_),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

AdminSocket::~AdminSocket() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  struct stat about {};
  if (path_.empty() || ::lstat(path_.c_str(), &about) != 0) return;
  if (about.st_dev == device_ && about.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace freshet::proxy
