#include "storage/invalidation/generations.h"

namespace freshet::storage {

Generations::Generations(Sequence first, std::size_t max_keys)
    : max_keys_per_shard_(max_keys / kShards + 1), current_(first) {}

Sequence Generations::invalidate(const CacheKey& key) {
  Shard& shard = shards_[key.digest.high % kShards];
  const MutexLock lock(shard.mutex);
  // Taken under the lock: who sees the new number and then asks this shard finds the entry.
  const Sequence sequence = current_.fetch_add(1, std::memory_order_acq_rel) + 1;
  if (shard.newest.size() >= max_keys_per_shard_) {
    shard.newest.clear();
    shard.floor = sequence;
  }
  shard.newest[key.digest] = sequence;
  return sequence;
}

bool Generations::is_current(const CacheKey& key, Sequence filled_at) const {
  const Shard& shard = shards_[key.digest.high % kShards];
  const MutexLock lock(shard.mutex);
  if (filled_at < shard.floor) return false;
  const auto entry = shard.newest.find(key.digest);
  return entry == shard.newest.end() || filled_at >= entry->second;
}

bool Generations::is_current(const StoredResponse& response) const {
  const Sequence now = current();
  if (response.checked_at() == now) return true;
  if (!is_current(response.head())) return false;
  response.set_checked_at(now);
  return true;
}

}  // namespace freshet::storage
