// TopTargets: which targets are asked for most, for `freshet top`. Counted only while somebody looks: each
// look() makes the workers count for a while longer, and where nobody has looked for that while a request
// costs one read of a flag.
//
// Each worker has a TargetCounts, a sketch of bounded size (Space-Saving: Metwally, Agrawal, El Abbadi,
// 2005): a target that is not among the kTargets counted takes the place of the least asked for and inherits
// its count, so `requests` may be too high, by at most `overcount`, and no target with more than one of
// kTargets of all requests is missing. What else is counted of it began with its place.
//
// TopTargets is owned by the server and outlives the workers. count() is the worker's; look() any thread's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proxy/observe/exchange_record.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace freshet::proxy {

struct TargetUse {
  std::string target;  // host and path; a long one is cut
  std::uint64_t requests = 0;
  std::uint64_t overcount = 0;
  std::uint64_t hits = 0;  // answered without asking the origin
  std::uint64_t bytes = 0;
  std::chrono::microseconds time{0};  // until each was answered whole
};

class TargetCounts {
 public:
  static constexpr std::size_t kTargets = 512;
  static constexpr std::size_t kLongestTarget = 256;

  [[nodiscard]] bool wanted() const { return wanted_.load(std::memory_order_relaxed); }
  // The worker's thread.
  void count(const ExchangeRecord& record, storage::MonoTime now) EXCLUDES(mutex_);

 private:
  friend class TopTargets;

  // From now on until `until`; what was counted for an earlier look that has ended is forgotten.
  void want(storage::MonoTime until) EXCLUDES(mutex_);
  void add_to(std::unordered_map<std::string, TargetUse>& all) EXCLUDES(mutex_);
  [[nodiscard]] std::size_t place_of(const ExchangeRecord& record) REQUIRES(mutex_);
  void forget() REQUIRES(mutex_);

  std::atomic<bool> wanted_{false};
  storage::Mutex mutex_;
  storage::MonoTime until_ GUARDED_BY(mutex_){};
  std::unordered_map<std::uint64_t, std::size_t> places_ GUARDED_BY(mutex_);  // by the target's hash
  // In one order: numbers by themselves, since the least is looked for.
  std::vector<std::uint64_t> requests_ GUARDED_BY(mutex_);
  std::vector<std::uint64_t> hashes_ GUARDED_BY(mutex_);
  std::vector<TargetUse> uses_ GUARDED_BY(mutex_);
};

class TopTargets {
 public:
  static constexpr std::chrono::seconds kAttention{10};

  // Any thread; the reference stays valid as long as this.
  TargetCounts& make() EXCLUDES(mutex_);
  // What has been counted since the first of these looks, of all workers, most requests first; and go on
  // counting for kAttention.
  [[nodiscard]] std::vector<TargetUse> look(storage::MonoTime now) EXCLUDES(mutex_);

 private:
  storage::Mutex mutex_;
  std::vector<std::unique_ptr<TargetCounts>> all_ GUARDED_BY(mutex_);
};

}  // namespace freshet::proxy
