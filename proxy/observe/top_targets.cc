#include "proxy/observe/top_targets.h"

#include <algorithm>
#include <functional>

namespace freshet::proxy {

using storage::MonoTime;
using storage::MutexLock;

namespace {

std::uint64_t hash_of(std::string_view host, std::string_view path) {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;
  const std::hash<std::string_view> hash;
  return hash(host) * kOdd ^ hash(path);
}

void set_target(std::string& target, std::string_view host, std::string_view path) {
  target.assign(host.substr(0, TargetCounts::kLongestTarget));
  target.append(path.substr(0, TargetCounts::kLongestTarget - target.size()));
}

}  // namespace

void TargetCounts::forget() {
  places_.clear();
  requests_.clear();
  hashes_.clear();
  uses_.clear();
}

void TargetCounts::want(MonoTime until) {
  const MutexLock lock(mutex_);
  until_ = until;
  if (wanted_.exchange(true, std::memory_order_relaxed)) return;
  forget();
  places_.reserve(kTargets);
  requests_.reserve(kTargets);
  hashes_.reserve(kTargets);
  uses_.reserve(kTargets);
}

std::size_t TargetCounts::place_of(const ExchangeRecord& record) {
  const std::uint64_t hash = hash_of(record.host, record.path);
  const auto [known, is_new] = places_.emplace(hash, uses_.size());
  if (!is_new) return known->second;
  if (uses_.size() < kTargets) {
    requests_.push_back(0);
    hashes_.push_back(hash);
    set_target(uses_.emplace_back().target, record.host, record.path);
    return known->second;
  }
  const auto least = std::min_element(requests_.begin(), requests_.end());
  const auto place = static_cast<std::size_t>(least - requests_.begin());
  known->second = place;
  places_.erase(hashes_[place]);
  hashes_[place] = hash;
  TargetUse& use = uses_[place];
  use.overcount = *least;
  use.hits = use.bytes = 0;
  use.time = {};
  set_target(use.target, record.host, record.path);
  return place;
}

void TargetCounts::count(const ExchangeRecord& record, MonoTime now) {
  if (record.path.empty()) return;
  const MutexLock lock(mutex_);
  if (now > until_) {
    wanted_.store(false, std::memory_order_relaxed);
    return forget();
  }
  const std::size_t place = place_of(record);
  ++requests_[place];
  TargetUse& use = uses_[place];
  const bool hit = record.outcome == CacheOutcome::kHit || record.outcome == CacheOutcome::kStale;
  use.hits += hit ? 1 : 0;
  use.bytes += record.body_bytes;
  use.time += record.total_time;
}

void TargetCounts::add_to(std::unordered_map<std::string, TargetUse>& all) {
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < uses_.size(); ++i) {
    TargetUse& sum = all[uses_[i].target];
    sum.target = uses_[i].target;
    sum.requests += requests_[i];
    sum.overcount += uses_[i].overcount;
    sum.hits += uses_[i].hits;
    sum.bytes += uses_[i].bytes;
    sum.time += uses_[i].time;
  }
}

TargetCounts& TopTargets::make() {
  const MutexLock lock(mutex_);
  all_.push_back(std::make_unique<TargetCounts>());
  return *all_.back();
}

std::vector<TargetUse> TopTargets::look(MonoTime now) {
  std::unordered_map<std::string, TargetUse> sums;
  {
    const MutexLock lock(mutex_);
    for (const auto& counts : all_) {
      counts->want(now + kAttention);
      counts->add_to(sums);
    }
  }
  std::vector<TargetUse> all;
  all.reserve(sums.size());
  for (auto& each : sums) all.push_back(std::move(each.second));
  std::sort(all.begin(), all.end(), [](const TargetUse& a, const TargetUse& b) {
    return a.requests != b.requests ? a.requests > b.requests : a.target < b.target;
  });
  return all;
}

}  // namespace freshet::proxy
