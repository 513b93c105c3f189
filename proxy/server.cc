#include "proxy/server.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "proxy/admin/admin_server.h"
#include "proxy/admin/invalidate_endpoint.h"
#include "proxy/admin/metrics_endpoint.h"
#include "proxy/admin/stats_endpoint.h"
#include "proxy/admin/top_endpoint.h"
#include "proxy/admin/upgrade_endpoint.h"
#include "proxy/config/tls_settings.h"
#include "proxy/listening.h"
#include "proxy/net/passed_sockets.h"
#include "proxy/net/process_limits.h"
#include "proxy/net/service_manager.h"
#include "proxy/net/signals.h"
#include "proxy/server_worker.h"
#include "proxy/successor.h"
#include "proxy/upgrade.h"
#include "revalidate/policy/response_facts.h"
#include "storage/base/log.h"
#include "storage/memory/memory_store.h"
#include "storage/rocksdb/invalidation_database.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace freshet::proxy {

using storage::Error;
using storage::LogLevel;
using storage::Status;

namespace {

constexpr int kStartFailed = 2;

// What all fills together may hold, whatever cache.memory says.
constexpr std::uint64_t kLeastFillBudget = std::uint64_t{8} << 20;

// Files of the store, connections to the origin and the like.
constexpr std::uint64_t kOtherDescriptors = 1024;

// What is remembered of invalidations: a part of cache.memory, within bounds.
constexpr std::uint64_t kLeastScopeBudget = std::uint64_t{4} << 20;
constexpr std::uint64_t kMostScopeBudget = std::uint64_t{64} << 20;

revalidate::PolicyOptions policy_from(const Settings& settings) {
  revalidate::PolicyOptions policy;
  switch (settings.cache.set_cookie) {
    case SetCookiePolicy::kSafe:
      policy.set_cookie = revalidate::SetCookiePolicy::kSafe;
      break;
    case SetCookiePolicy::kRfc:
      policy.set_cookie = revalidate::SetCookiePolicy::kRfc;
      break;
    case SetCookiePolicy::kStrip:
      policy.set_cookie = revalidate::SetCookiePolicy::kStrip;
      break;
  }
  using std::chrono::duration_cast;
  policy.heuristic_fraction = settings.cache.heuristic_fraction;
  policy.heuristic_max = duration_cast<storage::Seconds>(settings.cache.heuristic_max);
  policy.stale_if_error = duration_cast<storage::Seconds>(settings.cache.stale_if_error);
  policy.targeted_fields = settings.cache.targeted_fields;
  policy.surrogate_control = policy.announce_surrogate = settings.cache.surrogate_control;
  policy.tag_fields = settings.cache.tag_fields;
  policy.forward_tags = settings.cache.forward_tags;
  policy.ignore_client_directives = settings.cache.client_directives == ClientDirectives::kIgnore;
  policy.reload_interval = settings.cache.reload_interval;
  policy.content_tags = settings.cache.content_tags;
  return policy;
}

RequestParserOptions parser_from(const ServerSettings& server) {
  RequestParserOptions parser;
  parser.max_request_line = server.max_request_line;
  parser.max_field = server.max_field;
  parser.max_fields = server.max_fields;
  parser.max_head = server.max_head;
  return parser;
}

// Clients of unix sockets are in the list.
bool has_unix(const std::vector<std::string>& texts) {
  return std::find(texts.begin(), texts.end(), "unix") != texts.end();
}

// Each has been checked with the settings.
std::vector<IpNetwork> networks_from(const std::vector<std::string>& texts) {
  std::vector<IpNetwork> networks;
  for (const std::string& text : texts) {
    if (const auto network = IpNetwork::parse(text)) networks.push_back(*network);
  }
  return networks;
}

ExchangeOptions exchange_from(const Settings& settings) {
  ExchangeOptions options;
  options.early_hints = settings.cache.early_hints;
  options.status_key = settings.cache.status_key;
  options.request_ids = settings.log.request_id;
  options.key_rules.ignore_query = settings.cache.ignore_query;
  options.key_rules.sort_query = settings.cache.sort_query;
  options.key_rules.fields = settings.cache.key_fields;
  options.key_rules.cookies = settings.cache.key_cookies;
  options.purge.allow = networks_from(settings.purge.allow);
  options.purge.trusted_proxies = networks_from(settings.server.trusted_proxies);
  options.purge.allow_unix = has_unix(settings.purge.allow);
  options.purge.trust_unix = has_unix(settings.server.trusted_proxies);
  options.purge.token = settings.purge.token;
  return options;
}

Http1Timeouts timeouts_from(const ServerSettings& server) {
  Http1Timeouts timeouts;
  timeouts.head = server.head_timeout;
  timeouts.idle = server.idle_timeout;
  timeouts.body = server.body_timeout;
  timeouts.send = server.send_timeout;
  return timeouts;
}

Http2Options http2_from(const Http2Settings& settings) {
  Http2Options options;
  options.enabled = settings.enabled;
  options.max_streams = settings.max_streams;
  options.stream_window = settings.stream_window;
  options.window = settings.window;
  options.flood_allowance = settings.flood_allowance;
  return options;
}

std::string address_text(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

// Everything the process consists of, in the order in which it is made; destroyed the other way round.
class Server {
 public:
  // `successor`: null where there is nobody to take over from.
  Server(const Settings& settings, Successor* successor)
      : settings_(settings),
        policy_(policy_from(settings)),
        exchange_(exchange_from(settings)),
        successor_(successor) {}
  ~Server() { close_store(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Status open();
  void serve();

 private:
  Status open_access_log();
  Status open_listeners();
  Status open_tls();
  Status open_origin();
  Status open_store();
  storage::RocksdbOptions disk_options();
  Status open_disk();
  Status attach_disk();
  void close_store();
  void take_over();
  void upgrade(Upgrade::Done done);
  UpgradeHooks upgrade_hooks();
  Status release_disk();
  Status open_admin();
  void add_store_endpoints();
  Status admin_listen(const std::string& setting, const std::string& text);
  void start_workers();
  void reload_tls();
  [[nodiscard]] std::int64_t longest_turn_us() const;
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> worker_connections() const;
  void drain();
  void stop_accepting(std::function<void()> stopped);
  void drain_workers(bool patient);

  const Settings& settings_;
  const revalidate::PolicyOptions policy_;
  const ExchangeOptions exchange_;
  Successor* const successor_;
  storage::CounterSet counters_;
  EventLoop loop_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<TlsCredentials> tls_;
  std::unique_ptr<Listening> listening_;
  revalidate::OriginOptions origin_;
  std::unique_ptr<AccessLog> access_log_;
  TopTargets top_targets_;
  std::unique_ptr<storage::InvalidationDatabase> invalidation_log_;
  std::unique_ptr<storage::RocksdbStore> disk_;
  std::unique_ptr<storage::MemoryStore> memory_;
  std::unique_ptr<storage::Generations> generations_;
  std::unique_ptr<storage::TieredStore> store_;
  std::unique_ptr<storage::FillBudget> fill_budget_;
  std::unique_ptr<revalidate::FlightTable> flights_;
  std::unique_ptr<revalidate::OriginPool> pool_;
  std::unique_ptr<revalidate::OriginHealth> health_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<ServerShared> shared_;
  std::unique_ptr<storage::IoTimer> drain_deadline_;
  std::vector<std::unique_ptr<ServerWorker>> workers_;
  std::map<int, std::string> passed_names_;
  std::unique_ptr<Upgrade> upgrade_;
  std::size_t accepting_ = 0;
  std::size_t draining_ = 0;
  bool ready_ = false;
};

Status Server::open() {
  if (Status status = open_tls(); !status) return status;
  if (Status status = open_listeners(); !status) return status;
  if (Status status = open_origin(); !status) return status;
  if (Status status = open_store(); !status) return status;
  if (Status status = open_access_log(); !status) return status;
  if (Status status = open_admin(); !status) return status;
  start_workers();
  return {};
}

Status Server::open_access_log() {
  AccessLogOptions options;
  auto format = LogFormat::parse(settings_.log.format);
  if (!format) return Error{"log.format: " + format.error()};
  options.format = format.take();
  options.sample = settings_.log.sample;
  auto log = AccessLog::open(settings_.log.access, std::move(options));
  if (!log) return Error{"log.access: " + log.error()};
  access_log_ = log.take();
  return {};
}

Status Server::open_listeners() {
  auto names = passed_socket_names(read_passed_sockets_environment(), ::getpid());
  if (!names) return Error{names.error()};
  auto adopted = PassedSockets::adopt(names.take());
  if (!adopted) return Error{adopted.error()};
  PassedSockets passed = successor_ != nullptr ? successor_->passed() : adopted.take();
  passed_names_ = passed.names();
  auto listening =
      Listening::open(settings_, std::move(passed), successor_ != nullptr ? &successor_->sockets() : nullptr);
  if (!listening) return Error{listening.error()};
  listening_ = std::make_unique<Listening>(listening.take());
  const std::uint64_t descriptors = raise_descriptor_limit();
  if (descriptors < settings_.server.max_connections + kOtherDescriptors) {
    storage::log_event(LogLevel::kWarning, "the limit on open descriptors is " + std::to_string(descriptors) +
                                               ", too low for server.max_connections, " +
                                               std::to_string(settings_.server.max_connections));
  }
  return {};
}

Status Server::open_tls() {
  if (settings_.tls.listen.empty()) return {};
  std::vector<std::string> warnings;
  TlsOptions options = tls_options(settings_.tls);
  if (settings_.http2.enabled) options.protocols.insert(options.protocols.begin(), "h2");
  auto credentials = TlsCredentials::open(options, warnings);
  if (!credentials) return Error{"tls: " + credentials.error()};
  tls_ = credentials.take();
  for (const std::string& warning : warnings) storage::log_event(LogLevel::kWarning, "tls: " + warning);
  return {};
}

void Server::reload_tls() {
  if (!tls_) return;
  std::vector<std::string> warnings;
  const Status reloaded = tls_->reload(warnings);
  for (const std::string& warning : warnings) storage::log_event(LogLevel::kWarning, "tls: " + warning);
  if (reloaded) return storage::log_event(LogLevel::kInfo, "tls: the certificates have been read again");
  storage::log_event(LogLevel::kError, "tls: " + reloaded.error() + "; what was read before stays in use");
}

Status Server::open_origin() {
  auto url = revalidate::parse_origin_url(settings_.origin.url);
  if (!url) return Error{"origin.url: " + url.error()};
  origin_.origin = url.take();
  origin_.ca_file = settings_.origin.ca_file;
  origin_.connect_timeout = settings_.origin.connect_timeout;
  origin_.response_timeout = settings_.origin.response_timeout;
  origin_.idle_timeout = settings_.origin.idle_timeout;
  if (Status status = revalidate::CurlClient::check(origin_); !status) {
    return Error{"origin: " + status.error()};
  }
  revalidate::OriginPool::Options pool;
  pool.max_concurrent = settings_.origin.max_concurrent;
  pool.queue_size = settings_.origin.queue_size;
  pool.queue_timeout = settings_.origin.queue_timeout;
  pool_ = std::make_unique<revalidate::OriginPool>(pool, counters_.make());
  health_ = std::make_unique<revalidate::OriginHealth>(origin_.origin.base());
  return {};
}

Status Server::open_store() {
  const revalidate::DescribeResponse describe(policy_);
  const std::size_t scopes = std::clamp(settings_.cache.memory / 16, kLeastScopeBudget, kMostScopeBudget);
  generations_ = std::make_unique<storage::Generations>(1, scopes, &counters_.make());
  storage::MemoryStoreOptions memory;
  memory.budget = settings_.cache.memory;
  memory.max_variants = settings_.cache.max_variants;
  memory_ = std::make_unique<storage::MemoryStore>(memory, describe, counters_.make());
  if (successor_ != nullptr) {
    store_ = std::make_unique<storage::TieredStore>(*memory_, *generations_, counters_.make(),
                                                    storage::TieredStore::Later{});
  } else {
    if (Status opened = open_disk(); !opened) return opened;
    store_ = std::make_unique<storage::TieredStore>(*memory_, disk_.get(), *generations_, counters_.make(),
                                                    invalidation_log_.get());
    disk_->sweep_soon();
  }
  // A memory tier of a few megabytes must not make a burst of ordinary responses a refusal.
  fill_budget_ =
      std::make_unique<storage::FillBudget>(std::max(settings_.cache.memory / 4, kLeastFillBudget));
  revalidate::FlightTableOptions flights;
  flights.max_fills = settings_.cache.max_fills;
  flights.max_waiters = settings_.cache.max_waiters;
  flights_ = std::make_unique<revalidate::FlightTable>(flights);
  return {};
}

storage::RocksdbOptions Server::disk_options() {
  storage::RocksdbOptions options;
  options.directory = settings_.cache.dir + "/responses";
  options.byte_limit = settings_.cache.disk;
  options.memory = settings_.cache.disk_memory;
  options.loss_bound = settings_.cache.loss_bound;
  options.max_variants = settings_.cache.max_variants;
  options.is_current = [this](const storage::StoredHead& head) { return generations_->is_current(head); };
  options.is_in_memory = [this](const storage::Digest128& key) { return memory_->holds_body(key); };
  options.current_sequence = [this] { return generations_->current(); };
  options.on_swept = [this](storage::Sequence filled, storage::Sequence validated,
                            storage::Sequence current) {
    store_->drop_older_than(std::min(filled, current), std::min(validated, current));
  };
  return options;
}

Status Server::open_disk() {
  auto log = storage::InvalidationDatabase::open({settings_.cache.dir + "/invalidations"});
  if (!log) return Error{"cache.dir: " + log.error()};
  invalidation_log_ = log.take();
  auto disk =
      storage::RocksdbStore::open(disk_options(), revalidate::DescribeResponse(policy_), counters_.make());
  if (!disk) return Error{"cache.dir: " + disk.error()};
  disk_ = disk.take();
  if (Status restored = storage::restore_invalidations(*disk_, *invalidation_log_, *generations_); !restored)
    return Error{"cache.dir: " + restored.error()};
  return {};
}

// A successor's, when the directory is free. All or nothing.
Status Server::attach_disk() {
  Status opened = open_disk();
  if (!opened) {
    disk_.reset();
    invalidation_log_.reset();
    return opened;
  }
  store_->attach(*disk_, *invalidation_log_);
  disk_->sweep_soon();
  return {};
}

// The disk tier's threads ask the memory tier, and tell the tiers above of what they have swept.
void Server::close_store() {
  if (!disk_) return;
  if (store_) store_->settle();
  disk_.reset();
}

Status Server::open_admin() {
  admin_ = std::make_unique<AdminServer>(loop_);
  StandardEndpoints endpoints;
  endpoints.counters = &counters_;
  endpoints.started = storage::wall_now();
  endpoints.ready = [this] { return ready_; };
  endpoints.extra = {
      {"access_log_lines_total", "counter", "Lines written to the access log.",
       [this] { return static_cast<std::int64_t>(access_log_->lines_written()); }},
      {"access_log_dropped_total", "counter", "Lines that the access log lost: no room, or the write failed.",
       [this] { return static_cast<std::int64_t>(access_log_->lines_dropped()); }},
      {"access_log_left_out_total", "counter", "Lines that log.sample left out of the access log.",
       [this] { return static_cast<std::int64_t>(access_log_->lines_left_out()); }},
      {"waiters_open", "gauge", "Requests that wait for a flight now.",
       [this] { return static_cast<std::int64_t>(flights_->waiters()); }},
      {"origin_failures_in_a_row", "gauge", "Failed origin requests since one was answered last.",
       [this] { return static_cast<std::int64_t>(health_->failures_in_a_row()); }},
      {"worker_connections_most", "gauge", "Client connections of the worker that has the most.",
       [this] { return static_cast<std::int64_t>(worker_connections().second); }},
      {"worker_connections_least", "gauge", "Client connections of the worker that has the fewest.",
       [this] { return static_cast<std::int64_t>(worker_connections().first); }},
      {"longest_turn_seconds", "gauge", "The longest turn of any worker's event loop so far.",
       [this] { return longest_turn_us(); }, 1'000'000},
      {"fill_bytes", "gauge", "Bytes held by responses being received.",
       [this] { return static_cast<std::int64_t>(fill_budget_->used()); }},
      {"memory_budget_bytes", "gauge", "Budget of the memory tier.",
       [this] { return static_cast<std::int64_t>(settings_.cache.memory); }},
      {"disk_budget_bytes", "gauge", "Budget of the disk tier.",
       [this] { return static_cast<std::int64_t>(settings_.cache.disk); }},
      {"workers", "gauge", "Event loops, one thread each.",
       [this] { return static_cast<std::int64_t>(settings_.server.workers); }},
  };
  add_standard_endpoints(*admin_, std::move(endpoints));
  add_store_endpoints();
  if (Status status = admin_listen("admin.socket", "unix:" + settings_.admin.socket); !status) return status;
  if (settings_.admin.listen.empty()) return {};
  return admin_listen("admin.listen", address_text(settings_.admin.listen));
}

void Server::add_store_endpoints() {
  add_invalidate_endpoint(*admin_,
                          {*store_, loop_, counters_.make(), exchange_.key_rules, exchange_.search_rules,
                           exchange_.early_hints ? flights_.get() : nullptr});
  StatsEndpoint stats;
  stats.counters = &counters_;
  stats.started = storage::wall_now();
  stats.memory_budget = settings_.cache.memory;
  stats.disk_budget = settings_.cache.disk;
  stats.workers = settings_.server.workers;
  add_stats_endpoint(*admin_, stats);
  add_top_endpoint(*admin_, top_targets_);
  add_upgrade_endpoint(*admin_, [this](UpgradeAnswer answer) { upgrade(std::move(answer)); });
}

Status Server::admin_listen(const std::string& setting, const std::string& text) {
  auto address = SocketAddress::parse(text);
  if (!address) return Error{setting + ": " + address.error()};
  auto bound = admin_->listen(*address, settings_.admin.token,
                              successor_ != nullptr ? &successor_->sockets() : nullptr);
  if (!bound) return Error{setting + ": " + bound.error()};
  if (!bound->is_unix()) storage::log_event(LogLevel::kInfo, "admin plane on http://" + bound->text());
  return {};
}

void Server::start_workers() {
  // An aggregate: make_unique cannot make it.
  // NOLINTNEXTLINE(modernize-make-unique)
  shared_.reset(new ServerShared{
      *store_,
      *fill_budget_,
      *flights_,
      *pool_,
      *health_,
      policy_,
      counters_,
      *access_log_,
      top_targets_,
      origin_,
      parser_from(settings_.server),
      timeouts_from(settings_.server),
      http2_from(settings_.http2),
      {networks_from(settings_.server.trusted_proxies), has_unix(settings_.server.trusted_proxies)},
      {networks_from(settings_.server.proxy_protocol_from), has_unix(settings_.server.proxy_protocol_from)},
      exchange_,
      settings_.cache.max_object,
      {settings_.cache.slice_above, settings_.cache.slice_size},
      settings_.server.max_connections,
      tls_.get(),
      WorkerLoads(settings_.server.workers)});
  for (std::vector<ListeningSocket>& sockets : listening_->take()) {
    workers_.push_back(std::make_unique<ServerWorker>(workers_.size(), *shared_, std::move(sockets)));
    shared_->workers.push_back(workers_.back().get());
  }
}

// Until clients are this process's: the other one closes the store, and may have much to say before.
void Server::take_over() {
  if (successor_ == nullptr) return;
  successor_->ready();
  SuccessorHooks hooks;
  hooks.begin = [this](storage::Sequence first) { generations_->raise_to(first); };
  hooks.invalidate = [this](const storage::CacheKey& key) { store_->invalidate_beside(key); };
  hooks.invalidate_tag = [this](std::string_view tag) { store_->invalidate_tag(tag); };
  hooks.invalidate_all = [this] {
    store_->purge({{{storage::ScopeKind::kAll, ""}}, storage::Strength::kHard}, loop_,
                  [](const storage::Acknowledgement& /*done*/) {});
  };
  hooks.attach = [this] { return attach_disk(); };
  hooks.unavailable = [this](const std::string& why) { store_->attach_failed(why); };
  successor_->wait_for_go(std::move(hooks));
  successor_->watch(loop_);
}

void Server::upgrade(Upgrade::Done done) {
  if (!store_->has_disk()) return done(-1, "the disk tier is not open yet: the last upgrade is not over");
  if (drain_deadline_) return done(-1, "this process is about to end");
  upgrade_->start(std::move(done));
}

UpgradeHooks Server::upgrade_hooks() {
  UpgradeHooks hooks;
  hooks.flush = [this] {
    if (disk_) disk_->flush();
  };
  hooks.numbers_end = [this] {
    return std::max(generations_->current(), invalidation_log_ ? invalidation_log_->reserved() : 0);
  };
  hooks.detach = [this](storage::InvalidatedElsewhere& next) { store_->detach(next); };
  hooks.stop_accepting = [this](std::function<void()> stopped) {
    admin_->stop_listening();
    SocketFile::leave_all();
    stop_accepting(std::move(stopped));
  };
  hooks.close_log = [this] {
    store_->close_log();
    invalidation_log_.reset();
  };
  hooks.drain = [this] {
    drain_deadline_ = loop_.timer([this] { loop_.stop(); });
    drain_deadline_->arm(settings_.server.upgrade_timeout);
    drain_workers(/*patient=*/true);
  };
  hooks.release = [this] { return release_disk(); };
  hooks.end = [this] { loop_.stop(); };
  return hooks;
}

// On the upgrade's thread: waits until each worker has begun a turn after the store was detached.
Status Server::release_disk() {
  if (!disk_) return {};
  return disk_->release([this] {
    std::latch passed(static_cast<std::ptrdiff_t>(workers_.size()));
    for (const auto& worker : workers_) worker->pass([&passed] { passed.count_down(); });
    passed.wait();
  });
}

// The fewest and the most.
std::pair<std::uint32_t, std::uint32_t> Server::worker_connections() const {
  const std::vector<std::uint32_t> loads = shared_->loads.all();
  const auto [least, most] = std::minmax_element(loads.begin(), loads.end());
  return {*least, *most};
}

std::int64_t Server::longest_turn_us() const {
  std::chrono::nanoseconds longest{0};
  for (const auto& worker : workers_) longest = std::max(longest, worker->loop().longest_turn());
  return std::chrono::duration_cast<std::chrono::microseconds>(longest).count();
}

void Server::serve() {
  signals_ = std::make_unique<Signals>(loop_, [this](int signal) {
    if (signal == SIGHUP) {
      access_log_->reopen();
      return reload_tls();
    }
    if (signal == SIGUSR2) return upgrade([](pid_t /*next*/, const std::string& /*error*/) {});
    drain();
  });
  upgrade_ = std::make_unique<Upgrade>(loop_, upgrade_hooks(), passed_names_);
  take_over();
  for (const auto& worker : workers_) worker->start(settings_.server.pin_workers);
  ready_ = true;
  storage::log_event(LogLevel::kInfo, "ready: listening on " + listening_->text() + ", origin " +
                                          origin_.origin.base() + ", cache in " + settings_.cache.dir);
  tell_service_manager("READY=1");
  loop_.run();
  if (successor_ != nullptr) successor_->stop();
  upgrade_.reset();
  for (const auto& worker : workers_) worker->stop();
  // The disk tier posts to the workers' loops, so it goes first.
  close_store();
  workers_.clear();
  storage::log_event(LogLevel::kInfo, "stopped");
}

// No more connections, on any worker, before one of them drains: until then they hand connections to each
// other.
void Server::stop_accepting(std::function<void()> stopped) {
  listening_->remove_files();
  accepting_ = workers_.size();
  for (const auto& worker : workers_) {
    worker->stop_accepting([this, stopped] {
      loop_.post([this, stopped] {
        if (--accepting_ == 0) stopped();
      });
    });
  }
}

// What is accepted is answered, on the admin plane too; whatever is left after the drain timeout is cut. A
// second signal cuts at once.
void Server::drain() {
  ready_ = false;
  if (drain_deadline_ || !upgrade_->give_up()) return loop_.stop();
  tell_service_manager("STOPPING=1");
  storage::log_event(LogLevel::kInfo, "stopping: answering what has been accepted");
  drain_deadline_ = loop_.timer([this] { loop_.stop(); });
  drain_deadline_->arm(settings_.server.drain_timeout);
  stop_accepting([this] { drain_workers(/*patient=*/false); });
}

void Server::drain_workers(bool patient) {
  draining_ = workers_.size();
  const auto drained = [this] {
    loop_.post([this] {
      if (--draining_ == 0) admin_->when_idle([this] { loop_.stop(); });
    });
  };
  for (const auto& worker : workers_) worker->drain(drained, patient);
}

}  // namespace

int run_server(const Settings& settings) {
  storage::set_log_level(settings.log.level);
  block_signals();
  const std::unique_ptr<Successor> successor = Successor::from_environment();
  Server server(settings, successor.get());
  if (const Status status = server.open(); !status) {
    if (successor) successor->fail(status.error());
    std::fprintf(stderr, "freshet: %s\n", status.error().c_str());
    return kStartFailed;
  }
  server.serve();
  return 0;
}

}  // namespace freshet::proxy
