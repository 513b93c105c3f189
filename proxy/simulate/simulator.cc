#include "proxy/simulate/simulator.h"

#include <memory>

#include "storage/base/check.h"

namespace freshet::proxy {

namespace {

constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double SimulationResult::hit_ratio() const {
  return ratio(hits, requests);
}

double SimulationResult::byte_hit_ratio() const {
  return ratio(hit_bytes, bytes);
}

Simulator::Simulator(const Trace& trace, storage::EvictionPolicy& policy, const CacheSize& cache)
    : trace_(trace), policy_(policy), cache_(cache), place_(trace.objects(), kNowhere) {}

void Simulator::request(const Trace::Request& request) {
  ++result_.requests;
  result_.bytes += request.size;
  const std::uint32_t place = place_[request.object];
  if (place != kNowhere) {
    Entry& entry = entries_[place];
    if (entry.version == request.version && request.time < entry.expires) {
      ++result_.hits;
      result_.hit_bytes += request.size;
      policy_.use(entry);
      return;
    }
    policy_.erase(entry);
    remove(request.object);
  } else {
    policy_.miss(trace_.digest(request.object));
  }
  insert(request);
}

void Simulator::insert(const Trace::Request& request) {
  const std::uint64_t cost = cost_of(request.size, cache_);
  if (cost > cache_.capacity) {
    ++result_.refused;
    return;
  }
  std::uint32_t place = static_cast<std::uint32_t>(entries_.size());
  if (free_.empty()) {
    entries_.emplace_back();
  } else {
    place = free_.back();
    free_.pop_back();
    std::destroy_at(&entries_[place]);
    std::construct_at(&entries_[place]);
  }
  Entry& entry = entries_[place];
  entry.digest = trace_.digest(request.object);
  set_bytes(entry, cost);
  entry.object = request.object;
  entry.version = request.version;
  entry.expires = request.expires;
  place_[request.object] = place;
  bytes_ += cost;
  policy_.insert(entry);
  while (policy_.bytes() > cache_.capacity) {
    const auto* const victim = static_cast<const Entry*>(policy_.evict());
    FRESHET_CHECK(victim != nullptr);
    ++result_.evictions;
    remove(victim->object);
  }
}

void Simulator::remove(std::uint32_t object) {
  bytes_ -= entries_[place_[object]].bytes;
  free_.push_back(place_[object]);
  place_[object] = kNowhere;
}

SimulationResult simulate(const Trace& trace, storage::EvictionPolicy& policy, const CacheSize& cache) {
  Simulator simulator(trace, policy, cache);
  for (std::size_t i = 0; i < trace.requests(); ++i) simulator.request(trace[i]);
  return simulator.result();
}

}  // namespace freshet::proxy
