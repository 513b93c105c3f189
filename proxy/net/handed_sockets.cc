#include "proxy/net/handed_sockets.h"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <sys/socket.h>
#include <system_error>

#include "proxy/net/listener.h"

namespace freshet::proxy {

namespace {

bool listens(int descriptor) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) != 0 || value != 1) return false;
  size = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &value, &size) == 0 && value == SOCK_STREAM;
}

bool is_for(const SocketAddress& bound, const SocketAddress& wanted) {
  if (bound.is_unix() != wanted.is_unix()) return false;
  if (wanted.is_unix() || wanted.port() != 0) return bound.text() == wanted.text();
  return bound.ip() == wanted.ip();
}

std::vector<int> open_descriptors() {
  std::vector<int> found;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", failure)) {
    const std::string name = entry.path().filename().string();
    int number = -1;
    std::from_chars(name.data(), name.data() + name.size(), number);
    if (number >= 0) found.push_back(number);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<Descriptor> HandedSockets::take(const SocketAddress& address, std::size_t count) {
  std::vector<Descriptor> taken;
  std::string port_of_first;
  for (HandedSocket& each : sockets_) {
    if (taken.size() == count) break;
    if (!each.name.empty() || !each.socket.valid()) continue;
    const SocketAddress bound = local_address(each.socket);
    if (!is_for(bound, address)) continue;
    if (taken.empty()) port_of_first = bound.text();
    if (bound.text() == port_of_first) taken.push_back(std::move(each.socket));
  }
  return taken;
}

std::vector<HandedSocket> HandedSockets::take_named() {
  std::vector<HandedSocket> named;
  for (HandedSocket& each : sockets_) {
    if (!each.name.empty() && each.socket.valid()) named.push_back(std::move(each));
  }
  return named;
}

std::vector<HandedSocket> all_listening_sockets(const std::map<int, std::string>& names) {
  std::vector<HandedSocket> sockets;
  for (const int descriptor : open_descriptors()) {
    if (!listens(descriptor)) continue;
    const auto name = names.find(descriptor);
    sockets.push_back(
        {name == names.end() ? "" : name->second, Descriptor{::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)}});
  }
  return sockets;
}

}  // namespace freshet::proxy
