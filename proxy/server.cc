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
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "proxy/admin/admin_server.h"
#include "proxy/admin/explain_endpoint.h"
#include "proxy/admin/invalidate_endpoint.h"
#include "proxy/admin/metrics_endpoint.h"
#include "proxy/admin/reload_endpoint.h"
#include "proxy/admin/stats_endpoint.h"
#include "proxy/admin/top_endpoint.h"
#include "proxy/admin/upgrade_endpoint.h"
#include "proxy/config/tls_settings.h"
#include "proxy/listening.h"
#include "proxy/live_settings.h"
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

std::string address_text(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

TlsOptions all_tls_options(const Settings& settings) {
  TlsOptions options = tls_options(settings.tls);
  if (settings.http2.enabled) options.protocols.insert(options.protocols.begin(), "h2");
  return options;
}

// Everything the process consists of, in the order in which it is made; destroyed the other way round.
class Server {
 public:
  // `successor`: null where there is nobody to take over from.
  Server(const Settings& settings, ReadSettings read, Successor* successor)
      : settings_(settings),
        policy_(policy_from(settings)),
        successor_(successor),
        reload_(settings_, std::move(read), [this](const Settings& next, std::function<void()> applied) {
          return change(next, std::move(applied));
        }) {}
  ~Server() { close_store(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  Status open();
  void serve();

 private:
  [[nodiscard]] storage::Result<std::unique_ptr<AccessLog>> make_access_log(const LogSettings& log) const;
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
  void reload(const std::string& who, ReloadDone done);
  struct Change;
  std::vector<std::string> change(const Settings& next, std::function<void()> applied);
  [[nodiscard]] std::vector<std::string> prepare(const Settings& next, Change& change);
  Status prepare_tls(const Settings& next, Change& change) const;
  Status prepare_access_log(const Settings& next, Change& change) const;
  void adopt(const std::shared_ptr<Change>& change);
  [[nodiscard]] std::shared_ptr<const LiveSettings> make_live(const Settings& settings) const;
  void end_access_log(std::unique_ptr<AccessLog> log);
  void change_listeners(const std::shared_ptr<Change>& change);
  // Has `act` done by each worker, each of which calls what it is given; then `after`, here.
  void on_all_workers(const std::function<void(std::size_t, std::function<void()>)>& act,
                      std::function<void()> after);
  [[nodiscard]] std::int64_t longest_turn_us() const;
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> worker_connections() const;
  void drain();
  void stop_accepting(std::function<void()> stopped);
  void drain_workers(bool patient);

  Settings settings_;
  const revalidate::PolicyOptions policy_;
  Successor* const successor_;
  const std::shared_ptr<SearchRules> search_rules_ = std::make_shared<SearchRules>();
  std::shared_ptr<const LiveSettings> live_;
  Reload reload_;
  storage::CounterSet counters_;
  EventLoop loop_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<TlsCredentials> tls_;
  std::unique_ptr<Listening> listening_;
  std::vector<std::vector<ListeningSocket>> first_sockets_;  // until the workers have them
  revalidate::OriginOptions origin_;
  std::unique_ptr<AccessLog> access_log_;
  std::uint64_t earlier_lines_written_ = 0;  // of logs before that one
  std::uint64_t earlier_lines_dropped_ = 0;
  std::uint64_t earlier_lines_left_out_ = 0;
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
  bool accepts_ = true;
  bool ready_ = false;
};

Status Server::open() {
  if (Status status = open_tls(); !status) return status;
  if (Status status = open_listeners(); !status) return status;
  live_ = make_live(settings_);
  if (Status status = open_origin(); !status) return status;
  if (Status status = open_store(); !status) return status;
  auto log = make_access_log(settings_.log);
  if (!log) return Error{log.error()};
  access_log_ = log.take();
  if (Status status = open_admin(); !status) return status;
  start_workers();
  return {};
}

storage::Result<std::unique_ptr<AccessLog>> Server::make_access_log(const LogSettings& log) const {
  AccessLogOptions options;
  auto format = LogFormat::parse(log.format);
  if (!format) return Error{"log.format: " + format.error()};
  options.format = format.take();
  options.sample = log.sample;
  auto opened = AccessLog::open(log.access, std::move(options));
  if (!opened) return Error{"log.access: " + opened.error()};
  return opened;
}

Status Server::open_listeners() {
  auto names = passed_socket_names(read_passed_sockets_environment(), ::getpid());
  if (!names) return Error{names.error()};
  auto adopted = PassedSockets::adopt(names.take());
  if (!adopted) return Error{adopted.error()};
  PassedSockets passed = successor_ != nullptr ? successor_->passed() : adopted.take();
  passed_names_ = passed.names();
  listening_ = std::make_unique<Listening>(settings_.server.workers, std::move(passed),
                                           successor_ != nullptr ? &successor_->sockets() : nullptr);
  auto first = listening_->prepare(settings_);
  if (!first) return Error{first.error()};
  listening_->adopt(*first);
  first_sockets_ = first->take();
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
  auto credentials = TlsCredentials::open(all_tls_options(settings_), warnings);
  if (!credentials) return Error{"tls: " + credentials.error()};
  tls_ = credentials.take();
  for (const std::string& warning : warnings) storage::log_event(LogLevel::kWarning, "tls: " + warning);
  return {};
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
       [this] { return static_cast<std::int64_t>(earlier_lines_written_ + access_log_->lines_written()); }},
      {"access_log_dropped_total", "counter", "Lines that the access log lost: no room, or the write failed.",
       [this] { return static_cast<std::int64_t>(earlier_lines_dropped_ + access_log_->lines_dropped()); }},
      {"access_log_left_out_total", "counter", "Lines that log.sample left out of the access log.",
       [this] { return static_cast<std::int64_t>(earlier_lines_left_out_ + access_log_->lines_left_out()); }},
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
      {R"(config_reloads_total{result="applied"})", "counter", "Reloads of the configuration.",
       [this] { return reload_.applied(); }},
      {R"(config_reloads_total{result="refused"})", "counter", "Reloads of the configuration.",
       [this] { return reload_.refused(); }},
      {"config_last_reload_success_timestamp_seconds", "gauge",
       "When the configuration that holds was applied: at the start, or by a reload.",
       [this] { return reload_.holds_since().time_since_epoch().count(); }, 1000},
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
                          {*store_, loop_, counters_.make(), [this] { return live_->exchange; }, *flights_});
  add_explain_endpoint(*admin_, {[this](ExplainQuestion question, std::function<void(Explanation)> told) {
                                   workers_.front()->explain(std::move(question), std::move(told));
                                 },
                                 loop_});
  StatsEndpoint stats;
  stats.counters = &counters_;
  stats.started = storage::wall_now();
  stats.memory_budget = settings_.cache.memory;
  stats.disk_budget = settings_.cache.disk;
  stats.workers = settings_.server.workers;
  add_stats_endpoint(*admin_, stats);
  add_top_endpoint(*admin_, top_targets_);
  add_upgrade_endpoint(*admin_, [this](UpgradeAnswer answer) { upgrade(std::move(answer)); });
  add_reload_endpoint(*admin_,
                      [this](const std::string& who, ReloadDone done) { reload(who, std::move(done)); });
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
  shared_.reset(new ServerShared{*store_, *fill_budget_, *flights_, *pool_, *health_, policy_, counters_,
                                 *access_log_, top_targets_, origin_, live_,
                                 WorkerLoads(settings_.server.workers)});
  for (std::vector<ListeningSocket>& sockets : std::exchange(first_sockets_, {})) {
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
  hooks.numbers_end = [this] { return generations_->current(); };
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
    if (signal == SIGHUP) return reload("SIGHUP", nullptr);
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
  accepts_ = false;
  reload_.stop();
  on_all_workers([this](std::size_t i, auto done) { workers_[i]->stop_accepting(std::move(done)); },
                 std::move(stopped));
}

// What is accepted is answered, on the admin plane too; whatever is left after the drain timeout is cut. A
// second signal cuts at once.
void Server::drain() {
  ready_ = false;
  if (drain_deadline_ || !upgrade_->give_up()) return loop_.stop();
  reload_.stop();
  tell_service_manager("STOPPING=1");
  storage::log_event(LogLevel::kInfo, "stopping: answering what has been accepted");
  drain_deadline_ = loop_.timer([this] { loop_.stop(); });
  drain_deadline_->arm(settings_.server.drain_timeout);
  stop_accepting([this] { drain_workers(/*patient=*/false); });
}

void Server::drain_workers(bool patient) {
  on_all_workers([this, patient](std::size_t i, auto done) { workers_[i]->drain(std::move(done), patient); },
                 [this] { admin_->when_idle([this] { loop_.stop(); }); });
}

void Server::on_all_workers(const std::function<void(std::size_t, std::function<void()>)>& act,
                            std::function<void()> after) {
  auto left = std::make_shared<std::size_t>(workers_.size());  // counted on this thread
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    act(i, [this, left, after] {
      loop_.post([left, after] {
        if (--*left == 0) after();
      });
    });
  }
}

// A log that was rotated away is left in any case.
void Server::reload(const std::string& who, ReloadDone done) {
  access_log_->reopen();
  reload_.ask(who, std::move(done));
}

// What a reload brings, prepared.
struct Server::Change {
  Settings settings;
  std::optional<Listening::Next> listening;
  std::optional<TlsCredentials::Next> tls;    // in place of what there is
  std::unique_ptr<TlsCredentials> first_tls;  // where there was none
  std::unique_ptr<AccessLog> access_log;      // in place of the one there is; null: it stays
  std::vector<std::string> warnings;
  std::function<void()> applied;
};

std::vector<std::string> Server::change(const Settings& next, std::function<void()> applied) {
  const auto change = std::make_shared<Change>();
  std::vector<std::string> errors = prepare(next, *change);
  if (!errors.empty()) return errors;
  change->settings = next;
  change->applied = std::move(applied);
  adopt(change);
  return {};
}

// All that may fail, and nothing that anybody sees.
std::vector<std::string> Server::prepare(const Settings& next, Change& change) {
  std::vector<std::string> errors;
  if (const Status status = prepare_tls(next, change); !status) errors.push_back(status.error());
  if (const Status status = prepare_access_log(next, change); !status) errors.push_back(status.error());
  // Last, and only where it is to happen: for a moment it may keep others from these addresses.
  if (!errors.empty()) return errors;
  auto listening = listening_->prepare(next);
  if (!listening) return {listening.error()};
  change.listening = listening.take();
  return {};
}

// The files are read also where no setting has changed.
Status Server::prepare_tls(const Settings& next, Change& change) const {
  if (next.tls.listen.empty()) return {};
  const TlsOptions options = all_tls_options(next);
  if (tls_) {
    auto read = tls_->read(options, change.warnings);
    if (!read) return Error{"tls: " + read.error()};
    change.tls = read.take();
  } else {
    auto opened = TlsCredentials::open(options, change.warnings);
    if (!opened) return Error{"tls: " + opened.error()};
    change.first_tls = opened.take();
  }
  return {};
}

Status Server::prepare_access_log(const Settings& next, Change& change) const {
  const LogSettings& now = settings_.log;
  if (next.log.access == now.access && next.log.format == now.format && next.log.sample == now.sample) {
    return {};
  }
  auto log = make_access_log(next.log);
  if (!log) return Error{log.error()};
  change.access_log = log.take();
  return {};
}

// Nothing can fail from here on. The workers know of the new settings before a connection may come from a new
// listener.
void Server::adopt(const std::shared_ptr<Change>& change) {
  for (const std::string& warning : change->warnings) {
    storage::log_event(LogLevel::kWarning, "tls: " + warning);
  }
  if (change->tls) tls_->adopt(std::move(*change->tls));
  if (change->first_tls) tls_ = std::move(change->first_tls);
  storage::set_log_level(change->settings.log.level);
  live_ = make_live(change->settings);
  on_all_workers(
      [this, change](std::size_t i, auto done) {
        workers_[i]->take_up(live_, change->access_log.get(), std::move(done));
      },
      [this, change] { change_listeners(change); });
}

// Nobody writes to it any more.
void Server::end_access_log(std::unique_ptr<AccessLog> log) {
  log->finish();
  earlier_lines_written_ += log->lines_written();
  earlier_lines_dropped_ += log->lines_dropped();
  earlier_lines_left_out_ += log->lines_left_out();
}

void Server::change_listeners(const std::shared_ptr<Change>& change) {
  if (change->access_log) {
    std::swap(access_log_, change->access_log);
    end_access_log(std::move(change->access_log));
  }
  if (!accepts_) return change->applied();  // the workers have stopped accepting, or are about to
  listening_->adopt(*change->listening);
  auto opened = std::make_shared<std::vector<std::vector<ListeningSocket>>>(change->listening->take());
  on_all_workers(
      [this, change, opened](std::size_t i, auto done) {
        workers_[i]->change_listeners(std::move((*opened)[i]), change->listening->changes(), std::move(done));
      },
      change->applied);
}

std::shared_ptr<const LiveSettings> Server::make_live(const Settings& settings) const {
  LiveSettings live = live_settings(settings, search_rules_);
  live.tls = tls_.get();
  return std::make_shared<const LiveSettings>(std::move(live));
}

}  // namespace

int run_server(const Settings& settings, ReadSettings read) {
  storage::set_log_level(settings.log.level);
  block_signals();
  const std::unique_ptr<Successor> successor = Successor::from_environment();
  Server server(settings, std::move(read), successor.get());
  if (const Status status = server.open(); !status) {
    if (successor) successor->fail(status.error());
    std::fprintf(stderr, "freshet: %s\n", status.error().c_str());
    return kStartFailed;
  }
  server.serve();
  return 0;
}

}  // namespace freshet::proxy
