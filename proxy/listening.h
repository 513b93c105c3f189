// Listening: all that the edge listens on, from server.listen and tls.listen: sockets of its own, and those
// that the service manager passed. Made and destroyed by main; the workers take the sockets over.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "proxy/config/settings.h"
#include "proxy/net/descriptor.h"
#include "proxy/net/listener.h"
#include "proxy/net/passed_sockets.h"
#include "storage/base/result.h"

namespace freshet::proxy {

// What comes on a connection before HTTP.
struct ListenerKind {
  bool secure = false;
  bool proxy_protocol = false;  // first of all
};

// What a worker accepts from.
struct ListeningSocket {
  Descriptor socket;
  ListenerKind kind;
};

class Listening {
 public:
  // The error names the setting. Whatever was passed has to be named by one.
  // `handed`: ListenOptions::handed.
  [[nodiscard]] static storage::Result<Listening> open(const Settings& settings, PassedSockets passed,
                                                       HandedSockets* handed = nullptr);

  // For each worker. Once. A port has a socket for each of them; a single queue goes to one, another queue to
  // the next.
  [[nodiscard]] std::vector<std::vector<ListeningSocket>> take() { return std::move(sockets_); }
  // "http://127.0.0.1:8080, http on unix:/run/x and https://[::]:8443"
  [[nodiscard]] const std::string& text() const { return text_; }
  // Nobody finds the unix sockets any more.
  void remove_files() { files_.clear(); }

 private:
  Listening(std::size_t workers, HandedSockets* handed) : sockets_(workers), handed_(handed) {}
  storage::Status add(const ListenAddress& address, bool secure, PassedSockets& passed);
  storage::Status open_sockets(const ListenAddress& address, std::vector<Descriptor>& opened);
  void add_queue(Descriptor socket, const ListenAddress& address, bool secure);
  void tell(const Descriptor& socket, bool secure);

  std::vector<std::vector<ListeningSocket>> sockets_;
  HandedSockets* const handed_;
  std::vector<SocketFile> files_;
  std::size_t queues_ = 0;
  std::string text_;
};

}  // namespace freshet::proxy
