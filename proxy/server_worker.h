// ServerWorker: everything that lives on one worker's thread: its listener, its sessions, its origin client,
// and what they share. Made by main; the parts are made and destroyed on the worker's thread.
//
// Life: made, start(), drain() (no more accepting; `drained` is told when the last session is over), then the
// destructor, which ends what is left.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "proxy/exchange/exchange.h"
#include "proxy/http1/http1_session.h"
#include "proxy/http2/http2_session.h"
#include "proxy/net/descriptor.h"
#include "proxy/net/ip_address.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/worker.h"
#include "proxy/observe/access_log.h"
#include "proxy/observe/top_targets.h"
#include "revalidate/flight_table.h"
#include "revalidate/origin/curl_client.h"
#include "revalidate/origin/origin_health.h"
#include "revalidate/origin/origin_pool.h"
#include "revalidate/policy/policy_options.h"
#include "storage/base/counters.h"
#include "storage/fill.h"
#include "storage/tiered_store.h"

namespace freshet::proxy {

// What all workers share. Owned by main, outlives them.
struct ServerShared {
  storage::TieredStore& store;
  storage::FillBudget& fill_budget;
  revalidate::FlightTable& flights;
  revalidate::OriginPool& pool;
  revalidate::OriginHealth& health;
  const revalidate::PolicyOptions& policy;
  storage::CounterSet& counters;
  AccessLog& access_log;
  TopTargets& top_targets;
  revalidate::CurlClient::Options origin;
  RequestParserOptions parser;
  Http1Timeouts timeouts;
  Http2Options http2;
  std::vector<IpNetwork> trusted_proxies;
  ExchangeOptions exchange;
  std::uint64_t max_object = 0;
  revalidate::SliceOptions slices;
  std::uint64_t max_connections = 0;
  const TlsCredentials* tls = nullptr;  // null: TLS is off
  std::atomic<std::uint64_t> connections{0};
};

// Where one worker accepts.
struct ListeningSockets {
  Descriptor plain;
  Descriptor tls;  // not valid: TLS is off
};

class ServerWorker {
 public:
  ServerWorker(const std::string& name, ServerShared& shared, ListeningSockets listening);
  ~ServerWorker();

  void start();
  // Ends what is left and joins the thread; the loop stays, so that posts to it do no harm.
  void stop();
  // Any thread. `drained` runs on the worker's thread, once.
  void drain(std::function<void()> drained);
  [[nodiscard]] EventLoop& loop() { return worker_.loop(); }

 private:
  class Parts;

  ServerShared& shared_;
  ListeningSockets listening_;
  std::unique_ptr<Parts> parts_;  // on the worker's thread
  Worker worker_;
};

}  // namespace freshet::proxy
