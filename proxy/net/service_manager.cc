#include "proxy/net/service_manager.h"

#include <cstddef>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/un.h>

#include "proxy/net/descriptor.h"

namespace freshet::proxy {

bool tell_service_manager(std::string_view state) {
  const char* const socket = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return socket != nullptr && tell_service_manager(state, socket);
}

bool tell_service_manager(std::string_view state, std::string_view socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() < 2 || socket.size() >= sizeof address.sun_path) return false;
  if (socket.front() != '/' && socket.front() != '@') return false;
  socket.copy(static_cast<char*>(address.sun_path), socket.size());
  if (socket.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
  const Descriptor sender{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!sender.valid()) return false;
  const ssize_t sent = ::sendto(sender.get(), state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&address), size);
  return sent == static_cast<ssize_t>(state.size());
}

}  // namespace freshet::proxy
