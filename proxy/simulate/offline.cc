#include "proxy/simulate/offline.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "proxy/simulate/random.h"

namespace freshet::proxy {

namespace {

// A cache that knows the future; what kind of one says which version goes. Each that is held is known by the
// request that is its next use: no other request is that.
class Clairvoyant {
 public:
  Clairvoyant(const Trace& trace, const CacheSize& cache)
      : trace_(trace),
        cache_(cache),
        next_(next_uses(trace)),
        held_(trace.versions(), false),
        expires_(trace.versions(), 0) {}
  Clairvoyant(const Clairvoyant&) = delete;
  Clairvoyant& operator=(const Clairvoyant&) = delete;
  virtual ~Clairvoyant() = default;

  SimulationResult run() {
    for (std::uint32_t i = 0; i < trace_.requests(); ++i) request(i);
    return result_;
  }

 protected:
  // What is held is used next at request `next`, which is not kNoNextUse.
  virtual void keep(std::uint32_t version, std::uint32_t next) = 0;
  // No longer; evicted or not.
  virtual void forget(std::uint32_t version) = 0;
  // The next use of what goes first.
  virtual std::uint32_t choose(std::uint32_t now) = 0;

  [[nodiscard]] const Trace& trace() const { return trace_; }
  [[nodiscard]] const CacheSize& cache() const { return cache_; }

 private:
  void request(std::uint32_t i) {
    const Trace::Request request = trace_[i];
    ++result_.requests;
    result_.bytes += request.size;
    if (held_[request.version] && request.time < expires_[request.version]) {
      ++result_.hits;
      result_.hit_bytes += request.size;
    } else {
      fetch(request);
    }
    if (!held_[request.version]) return;
    if (next_[i] == kNoNextUse) {
      drop(request);
      return;
    }
    keep(request.version, next_[i]);
    for (; bytes_ > cache_.capacity; ++result_.evictions) drop(trace_[choose(i)]);
  }

  void fetch(const Trace::Request& request) {
    expires_[request.version] = request.expires;
    if (held_[request.version]) return;
    const std::uint64_t cost = cost_of(request.size, cache_);
    if (cost > cache_.capacity) {
      ++result_.refused;
      return;
    }
    held_[request.version] = true;
    bytes_ += cost;
  }

  void drop(const Trace::Request& request) {
    held_[request.version] = false;
    bytes_ -= cost_of(request.size, cache_);
    forget(request.version);
  }

  const Trace& trace_;
  const CacheSize cache_;
  const std::vector<std::uint32_t> next_;
  std::vector<bool> held_;             // version
  std::vector<std::int64_t> expires_;  // version
  std::uint64_t bytes_ = 0;
  SimulationResult result_;
};

class Belady final : public Clairvoyant {
 public:
  using Clairvoyant::Clairvoyant;

 private:
  void keep(std::uint32_t /*version*/, std::uint32_t next) override { uses_.push(next); }
  // What is dropped has been chosen, or its uses are past: those are at the queue's far end.
  void forget(std::uint32_t /*version*/) override {}
  std::uint32_t choose(std::uint32_t /*now*/) override {
    const std::uint32_t next = uses_.top();
    uses_.pop();
    return next;
  }

  std::priority_queue<std::uint32_t> uses_;
};

class BeladySize final : public Clairvoyant {
 public:
  BeladySize(const Trace& trace, const CacheSize& cache)
      : Clairvoyant(trace, cache), place_(trace.versions(), kNoNextUse) {}

 private:
  static constexpr std::size_t kLookedAt = 64;

  void keep(std::uint32_t version, std::uint32_t next) override {
    if (place_[version] == kNoNextUse) {
      place_[version] = static_cast<std::uint32_t>(uses_.size());
      uses_.push_back({next, version, static_cast<double>(cost_of(trace()[next].size, cache()))});
    }
    uses_[place_[version]].next = next;
  }

  void forget(std::uint32_t version) override {
    const std::uint32_t place = place_[version];
    if (place == kNoNextUse) return;
    uses_[place] = uses_.back();
    place_[uses_[place].version] = place;
    uses_.pop_back();
    place_[version] = kNoNextUse;
  }

  std::uint32_t choose(std::uint32_t now) override {
    const bool all = uses_.size() <= kLookedAt;
    const Use* worst = nullptr;
    double most = -1;
    for (std::size_t i = 0; i < std::min(uses_.size(), kLookedAt); ++i) {
      const Use& use = uses_[all ? i : random_.below(uses_.size())];
      const double price = use.cost * (use.next - now);
      if (price > most) worst = &use;
      most = std::max(most, price);
    }
    return worst->next;
  }

  struct Use {
    std::uint32_t next;
    std::uint32_t version;
    double cost;
  };
  std::vector<Use> uses_;             // of what is held
  std::vector<std::uint32_t> place_;  // version: in uses_, or kNoNextUse
  Random random_{1};
};

// What keeping a version from one use to the next takes and gives.
struct Interval {
  double resource;  // cost x requests
  double bytes;     // that a hit at its end serves
};

std::vector<Interval> intervals_of(const Trace& trace, const CacheSize& cache) {
  const std::vector<std::uint32_t> next = next_uses(trace);
  std::vector<Interval> intervals;
  intervals.reserve(trace.requests() - std::min(trace.versions(), trace.requests()));
  for (std::uint32_t i = 0; i < next.size(); ++i) {
    if (next[i] == kNoNextUse) continue;
    const std::uint64_t size = trace[i].size;
    const std::uint64_t cost = cost_of(size, cache);
    if (cost > cache.capacity) continue;
    intervals.push_back({static_cast<double>(cost) * (next[i] - i), static_cast<double>(size)});
  }
  return intervals;
}

// Sums of up to 2^32 products: a hair more than the whole, so that rounding never makes the bound too low.
double resource_of(const Trace& trace, const CacheSize& cache) {
  return static_cast<double>(cache.capacity) * static_cast<double>(trace.requests() - 1) * (1 + 1e-9);
}

std::uint64_t most_hits(std::vector<Interval>& intervals, double resource) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.resource < b.resource; });
  std::uint64_t hits = 0;
  for (const Interval& interval : intervals) {
    resource -= interval.resource;
    if (resource < 0) break;
    ++hits;
  }
  return hits;
}

std::uint64_t most_bytes(std::vector<Interval>& intervals, double resource) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.bytes * b.resource > b.bytes * a.resource; });
  double bytes = 0;
  for (const Interval& interval : intervals) {
    bytes += interval.bytes * std::min(1.0, resource / interval.resource);
    resource -= interval.resource;
    if (resource <= 0) break;
  }
  return static_cast<std::uint64_t>(std::floor(bytes * (1 + 1e-9)));
}

}  // namespace

std::vector<std::uint32_t> next_uses(const Trace& trace) {
  std::vector<std::uint32_t> next(trace.requests());
  std::vector<std::uint32_t> seen(trace.versions(), kNoNextUse);
  for (std::size_t i = trace.requests(); i-- > 0;) {
    std::uint32_t& later = seen[trace[i].version];
    next[i] = later;
    later = static_cast<std::uint32_t>(i);
  }
  return next;
}

SimulationResult simulate_belady(const Trace& trace, const CacheSize& cache) {
  return Belady(trace, cache).run();
}

SimulationResult simulate_belady_size(const Trace& trace, const CacheSize& cache) {
  return BeladySize(trace, cache).run();
}

SimulationResult offline_bound(const Trace& trace, const CacheSize& cache) {
  SimulationResult result;
  result.requests = trace.requests();
  result.bytes = trace.bytes();
  if (trace.requests() == 0) return result;
  std::vector<Interval> intervals = intervals_of(trace, cache);
  const double resource = resource_of(trace, cache);
  result.hits = most_hits(intervals, resource);
  result.hit_bytes = std::min(most_bytes(intervals, resource), result.bytes);
  return result;
}

}  // namespace freshet::proxy
