// ProxyAcceptor: reads the PROXY header of what a listener accepts, and hands the connection on with the
// address that it tells. Not a byte behind the header is read: TLS or HTTP finds its own beginning.
//
// A connection without a header, with a bad one, or with one that does not come in time, is closed and
// counted. One that ends without a word is a probe and is not. Owned by a ServerWorker, on its thread;
// neither callback may destroy it.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string_view>

#include "proxy/net/coarse_timer.h"
#include "proxy/net/descriptor.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/proxy_header.h"
#include "proxy/net/socket_address.h"
#include "storage/base/counters.h"
#include "storage/base/log.h"

namespace freshet::proxy {

class ProxyAcceptor {
 public:
  struct Hooks {
    // `client`: as told; the connection's own peer where none was told, of family AF_UNSPEC where it is not
    // an IP address.
    std::function<void(Descriptor, const SocketAddress& client)> told;
    // A connection came to nothing.
    std::function<void()> gone;
  };

  ProxyAcceptor(EventLoop& loop, CoarseTimers& timers, storage::Counters& counters,
                storage::Milliseconds timeout, Hooks hooks);
  ~ProxyAcceptor();
  ProxyAcceptor(const ProxyAcceptor&) = delete;
  ProxyAcceptor& operator=(const ProxyAcceptor&) = delete;

  void accept(Descriptor socket, const SocketAddress& peer);
  // Counts and logs a connection that is not to speak the protocol; who calls closes it.
  void refuse(const SocketAddress& peer, std::string_view why);
  // Of those that come from now on.
  void set_timeout(storage::Milliseconds timeout) { deadlines_ = &timers_.list(timeout); }
  // Closes those of which nothing has come. The others go on.
  void drain();
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  struct Waiting;
  using List = std::list<Waiting>;

  void read(List::iterator waiting);
  void hand_on(List::iterator waiting);
  void fail(List::iterator waiting, std::string_view why);
  void end(List::iterator waiting);

  EventLoop& loop_;
  CoarseTimers& timers_;
  storage::Counters& counters_;
  DeadlineList* deadlines_;
  const Hooks hooks_;
  storage::LogLimiter log_;
  List waiting_;
};

}  // namespace freshet::proxy
