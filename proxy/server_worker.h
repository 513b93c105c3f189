// ServerWorker: everything that lives on one worker's thread: its listeners, its sessions, its origin client,
// and what they share. Made by main; the parts are made and destroyed on the worker's thread.
//
// What a worker accepts it serves itself or hands to the worker with the fewest connections (WorkerLoads):
// the accepted socket is posted there, before a byte of it is read.
//
// While it runs, take_up() and change_listeners() bring it what a reload has changed. On one worker after
// another, so what all have to know before a connection may come to them is brought first.
//
// Life: made, start(), stop_accepting(), drain() once all workers have stopped accepting (`drained` is told
// when the last session is over), then the destructor, which ends what is left.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "proxy/exchange/exchange.h"
#include "proxy/exchange/explainer.h"
#include "proxy/http1/http1_session.h"
#include "proxy/http2/http2_session.h"
#include "proxy/listening.h"
#include "proxy/live_settings.h"
#include "proxy/net/descriptor.h"
#include "proxy/net/ip_address.h"
#include "proxy/net/socket_address.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/worker.h"
#include "proxy/net/worker_loads.h"
#include "proxy/observe/access_log.h"
#include "proxy/observe/top_targets.h"
#include "revalidate/flight_table.h"
#include "revalidate/origin/divided_client.h"
#include "revalidate/origin/origin_health.h"
#include "revalidate/origin/origin_pool.h"
#include "revalidate/policy/policy_options.h"
#include "storage/base/counters.h"
#include "storage/fill.h"
#include "storage/tiered_store.h"

namespace freshet::proxy {

class ServerWorker;

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
  revalidate::OriginOptions origin;
  std::shared_ptr<const LiveSettings> live;  // at the start
  WorkerLoads loads;
  std::vector<ServerWorker*> workers = {};  // filled before any of them starts
  std::atomic<std::uint64_t> connections{0};
};

class ServerWorker {
 public:
  ServerWorker(std::size_t index, ServerShared& shared, std::vector<ListeningSocket> listening);
  ~ServerWorker();

  void start(bool pinned);
  // Ends what is left and joins the thread; the loop stays, so that posts to it do no harm.
  void stop();
  // Any thread. Requests and connections that come from now on are served by `live`; their lines go to
  // `access_log` (null: it stays). `done` runs on the worker's thread, once.
  void take_up(std::shared_ptr<const LiveSettings> live, AccessLog* access_log, std::function<void()> done);
  // Any thread. Sockets to accept from beside those that it has, and what becomes of those. `done` as above.
  void change_listeners(std::vector<ListeningSocket> opened, ListenerChanges changes,
                        std::function<void()> done);
  // Any thread. A connection that counts for this worker (WorkerLoads), of which nothing has been read.
  void hand_over(Descriptor socket, const SocketAddress& peer, ListenerKind kind);
  // Any thread. What waits in the kernel's queues is accepted, then the listeners are closed; `stopped` runs
  // on the worker's thread, once.
  void stop_accepting(std::function<void()> stopped);
  // Any thread. `drained` runs on the worker's thread, once. `patient`: Http1Context::patient.
  void drain(std::function<void()> drained, bool patient = false);
  // Any thread. `passed` runs on the worker's thread, in a turn that begins after this.
  void pass(std::function<void()> passed) { worker_.loop().post(std::move(passed)); }
  // Any thread. `explained` runs on the worker's thread, once, or never where the worker ends before.
  void explain(ExplainQuestion question, std::function<void(Explanation)> explained);
  [[nodiscard]] EventLoop& loop() { return worker_.loop(); }

 private:
  class Parts;

  const std::size_t index_;
  ServerShared& shared_;
  std::vector<ListeningSocket> listening_;
  std::unique_ptr<Parts> parts_;  // on the worker's thread
  Worker worker_;
};

}  // namespace freshet::proxy
