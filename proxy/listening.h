// Listening: all that the edge listens on, from server.listen and tls.listen: sockets of its own, and those
// that the service manager passed. Owned by main, on its thread; the workers take the sockets over.
//
// While the edge runs the list may change: prepare() opens what is new, so that a port that cannot be had is
// known before anything has changed; adopt() says that it is so. A socket whose address stays is kept, also
// where what comes on it becomes another (TLS, or a PROXY header).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
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

  bool operator==(const ListenerKind&) const = default;
};

// An address that is listened on, while it is; never another's.
using ListenerId = std::uint64_t;

// What a worker accepts from.
struct ListeningSocket {
  Descriptor socket;
  ListenerKind kind;
  ListenerId id = 0;
};

// What changes for all workers, but the sockets that are new.
struct ListenerChanges {
  std::vector<std::pair<ListenerId, ListenerKind>> kinds;
  std::vector<ListenerId> closed;
};

class Listening {
  // One address that is listened on.
  struct Place {
    ListenAddress address;
    bool secure = false;
    ListenerId id = 0;
    std::vector<std::string> bound = {};          // its port known; of those that were passed, several
    std::shared_ptr<const SocketFile> file = {};  // of a unix socket of our own

    [[nodiscard]] ListenerKind kind() const { return {secure, address.proxy_protocol}; }
  };

 public:
  // The next list, whose new sockets are open. Dropped without adopt() it closes them.
  class Next {
   public:
    // For each worker; once. A port has a socket for each of them; a single queue goes to one, another queue
    // to the next.
    [[nodiscard]] std::vector<std::vector<ListeningSocket>> take() { return std::move(opened_); }
    [[nodiscard]] const ListenerChanges& changes() const { return changes_; }

   private:
    friend class Listening;
    std::vector<Place> places_;
    std::vector<std::vector<ListeningSocket>> opened_;
    ListenerChanges changes_;
    std::size_t queues_ = 0;
    ListenerId last_id_ = 0;
  };

  // Nothing is listened on before a first prepare() and adopt(). `handed`: ListenOptions::handed.
  Listening(std::size_t workers, PassedSockets passed, HandedSockets* handed = nullptr)
      : workers_(workers), passed_(std::move(passed)), handed_(handed) {}

  // The error names the setting. Whatever was passed has to be named by one, for as long as the process runs.
  [[nodiscard]] storage::Result<Next> prepare(const Settings& settings);
  // It is so from now on. The files of unix sockets that are left go: nobody finds them any more.
  void adopt(Next& next);

  // "http://127.0.0.1:8080, http on unix:/run/x and https://[::]:8443"
  [[nodiscard]] std::string text() const;
  // Nobody finds the unix sockets any more.
  void remove_files();

 private:
  storage::Status add(Next& next, const ListenAddress& address, bool secure);
  storage::Status add_passed(Next& next, Place place);
  storage::Status open(Next& next, Place place) const;
  void add_queue(Next& next, Descriptor socket, const Place& place) const;
  [[nodiscard]] const Place* kept_for(const Next& next, const ListenAddress& address) const;
  storage::Status close_others(Next& next) const;

  const std::size_t workers_;
  PassedSockets passed_;
  HandedSockets* const handed_;
  std::vector<Place> places_;
  std::size_t queues_ = 0;
  ListenerId last_id_ = 0;
};

}  // namespace freshet::proxy
