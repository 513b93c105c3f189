#include "revalidate/origin_contacts.h"

#include <algorithm>

namespace freshet::revalidate {

using storage::MutexLock;

void OriginContacts::add(const storage::CacheKey& key, const OriginContact& contact) {
  Shard& shard = shards_[key.digest.high % kShards];
  const MutexLock lock(shard.mutex);
  shard.ring[shard.added++ % kOfShard] = {key.digest, contact};
}

std::vector<OriginContact> OriginContacts::of(const storage::CacheKey& key) const {
  const Shard& shard = shards_[key.digest.high % kShards];
  std::vector<OriginContact> found;
  const MutexLock lock(shard.mutex);
  const std::uint64_t kept = std::min<std::uint64_t>(shard.added, kOfShard);
  for (std::uint64_t back = 1; back <= kept; ++back) {
    const Entry& entry = shard.ring[(shard.added - back) % kOfShard];
    if (entry.key == key.digest) found.push_back(entry.contact);
  }
  return found;
}

}  // namespace freshet::revalidate
