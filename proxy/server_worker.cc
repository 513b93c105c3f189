#include "proxy/server_worker.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "proxy/net/listener.h"
#include "proxy/net/tls_acceptor.h"
#include "storage/base/check.h"

namespace freshet::proxy {

using storage::Counter;

class ServerWorker::Parts {
 public:
  Parts(EventLoop& loop, ServerShared& shared, ListeningSockets listening)
      : loop_(loop),
        shared_(shared),
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
                 shared.max_object,
                 {},
                 shared.slices,
                 {}},
        exchanges_{flights_,
                   shared.store,
                   shared.policy,
                   counters_,
                   shared.access_log.make_writer(),
                   shared.top_targets.make(),
                   shared.origin.origin.authority(),
                   [&loop] { return loop.wall_time(); },
                   [&loop] { return loop.mono_time(); },
                   shared.exchange},
        sessions_context_(loop, timers_, exchanges_, shared.parser, shared.timeouts),
        http2_context_(loop, timers_, exchanges_, shared.parser, shared.timeouts, shared.http2) {
    sessions_context_.retire = [this](ClientSession& session) { retire(session); };
    http2_context_.retire = sessions_context_.retire;
    if (shared.http2.enabled) {
      sessions_context_.to_http2 = [this](Transport transport, const ClientInfo& client,
                                          std::string_view received) {
        shared_.connections.fetch_add(1);  // the session that hands it over gives its own back
        begin_http2(std::move(transport), client, received);
      };
    }
    listeners_.push_back(std::make_unique<Listener>(
        loop_, std::move(listening.plain), [this](Descriptor socket, const SocketAddress& peer) {
          if (admit()) begin_http1(Transport(std::move(socket)), client_of(peer));
        }));
    if (shared.tls != nullptr) listen_tls(std::move(listening.tls));
  }

  ~Parts() {
    listeners_.clear();
    sessions_.clear();
    retired_.clear();
    tls_.reset();
    // Background validations and fills that nobody waits for any more.
    while (!flights_.active.empty()) (*flights_.active.begin())->abandon();
  }

  void drain(std::function<void()> drained) {
    drained_ = std::move(drained);
    // What waits in the kernel's queue is accepted too: closing the socket would reset it (G10).
    for (const auto& listener : listeners_) listener->accept_all();
    listeners_.clear();
    sessions_context_.draining = true;
    if (tls_) tls_->drain();
    std::vector<ClientSession*> all;
    all.reserve(sessions_.size());
    for (const auto& each : sessions_) all.push_back(each.first);
    for (ClientSession* session : all) session->drain();
    tell_if_drained();
  }

 private:
  void listen_tls(Descriptor listening) {
    TlsAcceptor::Hooks hooks;
    hooks.established = [this](Transport transport, const SocketAddress& peer, std::string_view protocol) {
      // One of those that we offer, or none.
      FRESHET_CHECK(protocol.empty() || protocol == "http/1.1" || protocol == "h2");
      if (protocol == "h2") {
        begin_http2(std::move(transport), client_of(peer), {});
      } else {
        begin_http1(std::move(transport), client_of(peer));
      }
    };
    hooks.gone = [this] {
      shared_.connections.fetch_sub(1);
      tell_if_drained();
    };
    tls_ = std::make_unique<TlsAcceptor>(loop_, timers_, *shared_.tls, counters_, shared_.timeouts.head,
                                         std::move(hooks));
    listeners_.push_back(std::make_unique<Listener>(loop_, std::move(listening),
                                                    [this](Descriptor socket, const SocketAddress& peer) {
                                                      if (admit()) tls_->accept(std::move(socket), peer);
                                                    }));
  }

  [[nodiscard]] bool admit() {
    counters_.add(Counter::kConnectionsAccepted);
    if (shared_.connections.fetch_add(1) < shared_.max_connections) return true;
    shared_.connections.fetch_sub(1);
    counters_.add(Counter::kConnectionsRefused);
    return false;
  }

  [[nodiscard]] ClientInfo client_of(const SocketAddress& peer) const {
    const auto ip = peer.ip();
    return {ip ? ip->text() : "unix", ip && trusts(*ip)};
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

  [[nodiscard]] bool trusts(const IpAddress& address) const {
    return std::any_of(shared_.trusted_proxies.begin(), shared_.trusted_proxies.end(),
                       [&](const IpNetwork& network) { return network.contains(address); });
  }

  // Called by the session itself, so it is destroyed in a later turn.
  void retire(ClientSession& session) {
    const auto place = sessions_.find(&session);
    if (place == sessions_.end()) return;
    shared_.connections.fetch_sub(1);
    retired_.push_back(std::move(place->second));
    sessions_.erase(place);
    if (retired_.size() > 1) return;
    loop_.post([this] {
      retired_.clear();
      tell_if_drained();
    });
  }

  void tell_if_drained() {
    if (drained_ && sessions_.empty() && (!tls_ || tls_->empty())) std::exchange(drained_, nullptr)();
  }

  EventLoop& loop_;
  ServerShared& shared_;
  storage::Counters& counters_;
  CoarseTimers timers_;
  revalidate::CurlClient client_;
  revalidate::FlightContext flights_;
  ExchangeContext exchanges_;
  Http1Context sessions_context_;
  Http2Context http2_context_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<TlsAcceptor> tls_;
  std::unordered_map<ClientSession*, std::unique_ptr<ClientSession>> sessions_;
  std::vector<std::unique_ptr<ClientSession>> retired_;
  std::function<void()> drained_;
};

ServerWorker::ServerWorker(const std::string& name, ServerShared& shared, ListeningSockets listening)
    : shared_(shared), listening_(std::move(listening)), worker_(name) {}

ServerWorker::~ServerWorker() {
  stop();
}

void ServerWorker::stop() {
  worker_.stop();
  worker_.join();
}

void ServerWorker::start() {
  worker_.start([this] { parts_ = std::make_unique<Parts>(worker_.loop(), shared_, std::move(listening_)); },
                [this] { parts_.reset(); });
}

void ServerWorker::drain(std::function<void()> drained) {
  worker_.loop().post([this, drained = std::move(drained)] { parts_->drain(drained); });
}

}  // namespace freshet::proxy
