#include "storage/invalidation/generations.h"

#include <algorithm>

namespace freshet::storage {

Sequence Generations::Table::invalidate(const Digest128& name, std::atomic<Sequence>& current) {
  Shard& shard = shard_of(name);
  const MutexLock lock(shard.mutex);
  // Taken under the lock: who sees the new number and then asks this shard finds the entry.
  const Sequence sequence = current.fetch_add(1, std::memory_order_acq_rel) + 1;
  if (shard.newest.size() >= max_names_per_shard_) {
    shard.newest.clear();
    shard.floor = sequence;
  }
  shard.newest[name] = sequence;
  return sequence;
}

void Generations::Table::restore(const Digest128& name, Sequence sequence) {
  Shard& shard = shard_of(name);
  const MutexLock lock(shard.mutex);
  if (shard.newest.size() >= max_names_per_shard_) {
    for (const auto& [other, its] : shard.newest) shard.floor = std::max(shard.floor, its);
    shard.newest.clear();
  }
  Sequence& newest = shard.newest[name];
  newest = std::max(newest, sequence);
}

void Generations::Table::raise_floor(Sequence sequence) {
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    shard.floor = std::max(shard.floor, sequence);
  }
}

bool Generations::Table::is_current(const Digest128& name, Sequence filled_at) const {
  const Shard& shard = shards_[name.high % kShards];
  const MutexLock lock(shard.mutex);
  if (filled_at < shard.floor) return false;
  const auto entry = shard.newest.find(name);
  return entry == shard.newest.end() || filled_at >= entry->second;
}

Generations::Generations(Sequence first, std::size_t max_keys, std::size_t max_tags)
    : current_(first), keys_(max_keys), tags_(max_tags) {}

void Generations::restore(const TagInvalidations& kept) {
  tags_.raise_floor(kept.floor);
  for (const TagInvalidation& each : kept.newest) tags_.restore(each.tag, each.sequence);
}

bool Generations::is_current(const StoredHead& head) const {
  return is_current(head.key, head.filled_at) &&
         std::all_of(head.tags.begin(), head.tags.end(), [&](const std::string& tag) {
           return tags_.is_current(digest128(tag), head.filled_at);
         });
}

bool Generations::is_current(const StoredResponse& response) const {
  const Sequence now = current();
  if (response.checked_at() == now) return true;
  if (!is_current(response.head())) return false;
  response.set_checked_at(now);
  return true;
}

}  // namespace freshet::storage
