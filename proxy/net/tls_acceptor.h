// TlsAcceptor: the handshakes of one worker. It takes over what a listener accepts, and hands on a Transport
// with the protocol that ALPN settled on, so a session never sees a handshake.
//
// A handshake costs as much as dozens of hits. So only a few steps of them are made in one turn of the loop;
// the others wait, in order, for the next turns, and hits are served in between.
//
// One that takes too long, fails, or ends without a word is closed and `gone` is told. A client that speaks
// plain HTTP gets an answer that says so. Owned by a ServerWorker, on its thread; neither callback may
// destroy it.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string_view>

#include "proxy/net/coarse_timer.h"
#include "proxy/net/descriptor.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/socket_address.h"
#include "proxy/net/tls_connection.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/transport.h"
#include "storage/base/counters.h"
#include "storage/base/log.h"

namespace freshet::proxy {

class TlsAcceptor {
 public:
  struct Hooks {
    // `protocol` is as in TlsConnection, and gone after the call.
    std::function<void(Transport, const SocketAddress& peer, std::string_view protocol)> established;
    // A connection came to nothing.
    std::function<void()> gone;
  };

  static constexpr int kStepsPerTurn = 4;

  TlsAcceptor(EventLoop& loop, CoarseTimers& timers, const TlsCredentials& credentials,
              storage::Counters& counters, storage::Milliseconds timeout, Hooks hooks);
  ~TlsAcceptor();
  TlsAcceptor(const TlsAcceptor&) = delete;
  TlsAcceptor& operator=(const TlsAcceptor&) = delete;

  void accept(Descriptor socket, const SocketAddress& peer);
  // Of those that come from now on.
  void set_timeout(storage::Milliseconds timeout) { deadlines_ = &timers_.list(timeout); }
  // Closes those of which nothing has come. The others go on.
  void drain();
  [[nodiscard]] bool empty() const;

 private:
  class Handshake;
  using Handshakes = std::list<Handshake>;

  void on_ready(Handshakes::iterator handshake);
  [[nodiscard]] bool may_step();
  void step(Handshakes::iterator handshake);
  void run_waiting();
  void run_waiting_later();
  void fail(Handshakes::iterator handshake);
  void end(Handshakes::iterator handshake);

  EventLoop& loop_;
  CoarseTimers& timers_;
  const TlsCredentials& credentials_;
  storage::Counters& counters_;
  DeadlineList* deadlines_;
  const Hooks hooks_;
  TlsWorker worker_;
  storage::LogLimiter log_;
  Handshakes moving_;
  Handshakes waiting_;  // for a turn; the first is the next
  std::uint64_t turn_ = 0;
  int steps_left_ = kStepsPerTurn;
  bool posted_ = false;
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace freshet::proxy
