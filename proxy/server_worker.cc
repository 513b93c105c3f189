#include "proxy/server_worker.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "proxy/exchange/purge.h"
#include "proxy/net/listener.h"
#include "proxy/net/proxy_acceptor.h"
#include "proxy/net/tls_acceptor.h"
#include "storage/base/check.h"

namespace freshet::proxy {

using storage::Counter;

class ServerWorker::Parts {
 public:
  Parts(std::size_t index, EventLoop& loop, ServerShared& shared, std::vector<ListeningSocket> listening)
      : index_(index),
        loop_(loop),
        shared_(shared),
        live_(shared.live),
        counters_(shared.counters.make()),
        timers_(loop),
        client_(loop, shared.origin, counters_),
        flights_{loop,
                 client_,
                 shared.pool,
                 shared.health,
                 shared.store,
                 shared.flights,
                 shared.fill_budget,
                 shared.policy,
                 counters_,
                 live_->max_object,
                 {},
                 live_->slices,
                 {}},
        exchanges_{flights_,
                   shared.store,
                   shared.policy,
                   counters_,
                   &shared.access_log.make_writer(),
                   shared.top_targets.make(),
                   shared.origin.origin.authority(),
                   [&loop] { return loop.wall_time(); },
                   [&loop] { return loop.mono_time(); },
                   live_->exchange},
        explainer_(exchanges_),
        sessions_context_(loop, timers_, exchanges_, live_->parser, live_->timeouts),
        http2_context_(loop, timers_, exchanges_, live_->parser, live_->timeouts, live_->http2) {
    sessions_context_.retire = [this](ClientSession& session) { retire(session); };
    http2_context_.retire = sessions_context_.retire;
    sessions_context_.trusts = [this](const std::string& client) {
      return live_->trusted_proxies.contains(client);
    };
    http2_context_.trusts = sessions_context_.trusts;
    allow_http2();
    if (live_->tls != nullptr) make_tls();
    for (const bool secure : {false, true}) make_proxied(secure);
    for (ListeningSocket& each : listening) listen(std::move(each));
  }

  ~Parts() {
    drained_ = nullptr;  // what ends now is cut
    listeners_.clear();
    sessions_.clear();
    retired_.clear();
    for (auto& proxied : proxied_) proxied.reset();
    tls_.reset();
    // Background validations and fills that nobody waits for any more.
    while (!flights_.active.empty()) (*flights_.active.begin())->abandon();
  }

  void take_up(std::shared_ptr<const LiveSettings> live, AccessLog* access_log) {
    live_ = std::move(live);
    exchanges_.options = live_->exchange;
    if (access_log != nullptr) exchanges_.access_log = &access_log->make_writer();
    flights_.max_object = live_->max_object;
    flights_.slices = live_->slices;
    sessions_context_.change(live_->parser, live_->timeouts);
    http2_context_.change(live_->parser, live_->timeouts, live_->http2);
    allow_http2();
    for (const auto& proxied : proxied_) proxied->set_timeout(live_->timeouts.head);
    if (tls_) tls_->set_timeout(live_->timeouts.head);
    if (!tls_ && live_->tls != nullptr) make_tls();
  }

  void change_listeners(std::vector<ListeningSocket> opened, const ListenerChanges& changes) {
    for (const auto& [id, kind] : changes.kinds) {
      for (const auto& each : listeners_) {
        if (each->id == id) each->kind = kind;
      }
    }
    for (const ListenerId id : changes.closed) close_listeners(id);
    for (ListeningSocket& each : opened) listen(std::move(each));
  }

  // What waits in the kernel's queues is accepted too: closing the sockets would reset it (G10).
  void stop_accepting() {
    for (const auto& each : listeners_) each->listener->accept_all();
    listeners_.clear();
  }

  void drain(std::function<void()> drained, bool patient) {
    drained_ = std::move(drained);
    sessions_context_.draining = true;
    sessions_context_.patient = patient;
    for (const auto& proxied : proxied_) proxied->drain();
    if (tls_) tls_->drain();
    std::vector<ClientSession*> all;
    all.reserve(sessions_.size());
    for (const auto& each : sessions_) all.push_back(each.first);
    for (ClientSession* session : all) session->drain();
    tell_if_drained();
  }

  void explain(ExplainQuestion question, std::function<void(Explanation)> explained) {
    explainer_.explain(std::move(question), std::move(explained));
  }

  // A connection that counts for this worker already.
  void serve(Descriptor socket, const SocketAddress& peer, ListenerKind kind) {
    if (!kind.proxy_protocol) return serve_client(std::move(socket), peer, kind.secure);
    ProxyAcceptor& proxied = *proxied_[kind.secure ? 1 : 0];
    if (live_->proxy_protocol_from.contains(peer)) return proxied.accept(std::move(socket), peer);
    proxied.refuse(peer, "server.proxy_protocol_from does not name it");
    leave();
  }

 private:
  struct Accepting {
    ListenerId id = 0;
    ListenerKind kind;
    std::unique_ptr<Listener> listener;
  };

  void listen(ListeningSocket listening) {
    auto accepting = std::make_unique<Accepting>(Accepting{listening.id, listening.kind, nullptr});
    accepting->listener = std::make_unique<Listener>(
        loop_, std::move(listening.socket),
        [this, from = accepting.get()](Descriptor socket, const SocketAddress& peer) {
          place(std::move(socket), peer, from->kind);
        });
    listeners_.push_back(std::move(accepting));
  }

  void close_listeners(ListenerId id) {
    const auto closes = [id](const std::unique_ptr<Accepting>& each) {
      if (each->id == id) each->listener->accept_all();
      return each->id == id;
    };
    listeners_.erase(std::remove_if(listeners_.begin(), listeners_.end(), closes), listeners_.end());
  }

  void allow_http2() {
    sessions_context_.to_http2 = nullptr;
    if (!live_->http2.enabled) return;
    sessions_context_.to_http2 = [this](Transport transport, const ClientInfo& client,
                                        std::string_view received) {
      shared_.connections.fetch_add(1);  // the session that hands it over gives its own back
      shared_.loads.join(index_);
      begin_http2(std::move(transport), client, received);
    };
  }

  // Accepted here, and served by the worker whose turn it is.
  void place(Descriptor socket, const SocketAddress& peer, ListenerKind kind) {
    if (!admit()) return;
    const std::size_t chosen = shared_.loads.place(index_);
    if (chosen == index_) return serve(std::move(socket), peer, kind);
    counters_.add(Counter::kConnectionsHandedOver);
    shared_.workers[chosen]->hand_over(std::move(socket), peer, kind);
  }

  void serve_client(Descriptor socket, const SocketAddress& client, bool secure) {
    if (secure) return tls_->accept(std::move(socket), client);
    begin_http1(Transport(std::move(socket)), client_of(client));
  }

  void make_proxied(bool secure) {
    ProxyAcceptor::Hooks hooks;
    hooks.told = [this, secure](Descriptor socket, const SocketAddress& client) {
      serve_client(std::move(socket), client, secure);
    };
    hooks.gone = [this] {
      leave();
      tell_if_drained();
    };
    proxied_[secure ? 1 : 0] =
        std::make_unique<ProxyAcceptor>(loop_, timers_, counters_, live_->timeouts.head, std::move(hooks));
  }

  void make_tls() {
    TlsAcceptor::Hooks hooks;
    hooks.established = [this](Transport transport, const SocketAddress& peer, std::string_view protocol) {
      // One of those that we offer, or none.
      FRESHET_CHECK(protocol.empty() || protocol.substr(0, 7) == "http/1." || protocol == "h2");
      if (protocol == "h2") {
        begin_http2(std::move(transport), client_of(peer), {});
      } else {
        begin_http1(std::move(transport), client_of(peer));
      }
    };
    hooks.gone = [this] {
      leave();
      tell_if_drained();
    };
    tls_ = std::make_unique<TlsAcceptor>(loop_, timers_, *live_->tls, counters_, live_->timeouts.head,
                                         std::move(hooks));
  }

  [[nodiscard]] bool admit() {
    counters_.add(Counter::kConnectionsAccepted);
    if (shared_.connections.fetch_add(1) < live_->max_connections) return true;
    shared_.connections.fetch_sub(1);
    counters_.add(Counter::kConnectionsRefused);
    return false;
  }

  // A connection has ended.
  void leave() {
    shared_.connections.fetch_sub(1);
    shared_.loads.leave(index_);
  }

  // A PROXY header may have told a client that has no IP address at its proxy.
  [[nodiscard]] ClientInfo client_of(const SocketAddress& peer) const {
    const auto ip = peer.ip();
    const std::string_view other = peer.is_unix() ? kUnixPeer : "unknown";
    return {ip ? ip->text() : std::string(other), live_->trusted_proxies.contains(peer)};
  }

  void begin_http1(Transport transport, ClientInfo client) {
    begin(std::make_unique<Http1Session>(sessions_context_, std::move(transport), std::move(client)));
  }

  // `received`: what was read of it already.
  void begin_http2(Transport transport, ClientInfo client, std::string_view received) {
    ClientSession& session = begin(
        std::make_unique<Http2Session>(http2_context_, std::move(transport), std::move(client), received));
    if (sessions_context_.draining) session.drain();
  }

  ClientSession& begin(std::unique_ptr<ClientSession> session) {
    ClientSession& started = *session;
    sessions_.emplace(&started, std::move(session));
    started.start();
    return started;
  }

  // Called by the session itself, so it is destroyed in a later turn.
  void retire(ClientSession& session) {
    const auto place = sessions_.find(&session);
    if (place == sessions_.end()) return;
    leave();
    retired_.push_back(std::move(place->second));
    sessions_.erase(place);
    if (retired_.size() > 1) return;
    loop_.post([this] {
      retired_.clear();
      tell_if_drained();
    });
  }

  void tell_if_drained() {
    if (!drained_ || !sessions_.empty() || (tls_ && !tls_->empty())) return;
    if (proxied_[0]->empty() && proxied_[1]->empty()) std::exchange(drained_, nullptr)();
  }

  const std::size_t index_;
  EventLoop& loop_;
  ServerShared& shared_;
  std::shared_ptr<const LiveSettings> live_;
  storage::Counters& counters_;
  CoarseTimers timers_;
  revalidate::DividedClient client_;
  revalidate::FlightContext flights_;
  ExchangeContext exchanges_;
  Explainer explainer_;
  Http1Context sessions_context_;
  Http2Context http2_context_;
  std::vector<std::unique_ptr<Accepting>> listeners_;
  std::unique_ptr<TlsAcceptor> tls_;
  std::array<std::unique_ptr<ProxyAcceptor>, 2> proxied_;  // the second before TLS
  std::unordered_map<ClientSession*, std::unique_ptr<ClientSession>> sessions_;
  std::vector<std::unique_ptr<ClientSession>> retired_;
  std::function<void()> drained_;
};

ServerWorker::ServerWorker(std::size_t index, ServerShared& shared, std::vector<ListeningSocket> listening)
    : index_(index),
      shared_(shared),
      listening_(std::move(listening)),
      worker_("worker-" + std::to_string(index)) {}

ServerWorker::~ServerWorker() {
  stop();
}

void ServerWorker::stop() {
  worker_.stop();
  worker_.join();
}

void ServerWorker::start(bool pinned) {
  worker_.start(
      [this] { parts_ = std::make_unique<Parts>(index_, worker_.loop(), shared_, std::move(listening_)); },
      [this] { parts_.reset(); }, pinned ? std::optional(index_) : std::nullopt);
}

void ServerWorker::take_up(std::shared_ptr<const LiveSettings> live, AccessLog* access_log,
                           std::function<void()> done) {
  worker_.loop().post([this, live = std::move(live), access_log, done = std::move(done)] {
    parts_->take_up(live, access_log);
    done();
  });
}

// A task has to be copyable, here and below.
void ServerWorker::change_listeners(std::vector<ListeningSocket> opened, ListenerChanges changes,
                                    std::function<void()> done) {
  auto sockets = std::make_shared<std::vector<ListeningSocket>>(std::move(opened));
  worker_.loop().post([this, sockets, changes = std::move(changes), done = std::move(done)] {
    parts_->change_listeners(std::move(*sockets), changes);
    done();
  });
}

void ServerWorker::hand_over(Descriptor socket, const SocketAddress& peer, ListenerKind kind) {
  worker_.loop().post([this, handed = std::make_shared<Descriptor>(std::move(socket)), peer, kind] {
    parts_->serve(std::move(*handed), peer, kind);
  });
}

void ServerWorker::stop_accepting(std::function<void()> stopped) {
  worker_.loop().post([this, stopped = std::move(stopped)] {
    parts_->stop_accepting();
    stopped();
  });
}

void ServerWorker::explain(ExplainQuestion question, std::function<void(Explanation)> explained) {
  worker_.loop().post([this, question = std::move(question), explained = std::move(explained)] {
    if (parts_) parts_->explain(question, explained);
  });
}

void ServerWorker::drain(std::function<void()> drained, bool patient) {
  worker_.loop().post([this, drained = std::move(drained), patient] { parts_->drain(drained, patient); });
}

}  // namespace freshet::proxy
