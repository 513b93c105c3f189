// HandedSockets: listening sockets that an earlier process hands on to the one that takes over from it. What
// waits in their queues waits on. They are found by the address that they are bound to; those that the
// service manager passed have names besides.
//
// Main thread. What nobody takes is closed with it.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proxy/net/descriptor.h"
#include "proxy/net/socket_address.h"

namespace freshet::proxy {

struct HandedSocket {
  std::string name;  // of the service manager's; else empty
  Descriptor socket;
};

class HandedSockets {
 public:
  HandedSockets() = default;
  explicit HandedSockets(std::vector<HandedSocket> sockets) : sockets_(std::move(sockets)) {}

  // Up to `count` of those without a name that listen on `address`; where it has port 0, on any one port.
  [[nodiscard]] std::vector<Descriptor> take(const SocketAddress& address, std::size_t count);
  // All that have names.
  [[nodiscard]] std::vector<HandedSocket> take_named();

 private:
  std::vector<HandedSocket> sockets_;
};

// Of all stream sockets that this process listens on a descriptor of its own. `names`: by their descriptors.
[[nodiscard]] std::vector<HandedSocket> all_listening_sockets(const std::map<int, std::string>& names);

}  // namespace freshet::proxy
