#include "storage/eviction/shadow_cache.h"

namespace freshet::storage {

ShadowCache::ShadowCache(std::string_view policy, std::uint64_t capacity)
    : capacity_(capacity), policy_(make_eviction_policy(policy, capacity)) {}

bool ShadowCache::request(const Digest128& digest, std::uint64_t bytes) {
  const auto place = entries_.find(digest);
  if (place == entries_.end()) {
    insert(digest, bytes);
    return false;
  }
  if (place->second.bytes != bytes) policy_->resize(place->second, bytes);
  policy_->use(place->second);
  return true;
}

void ShadowCache::insert(const Digest128& digest, std::uint64_t bytes) {
  if (bytes > capacity_) return;
  EvictionNode& node = entries_[digest];
  node.digest = digest;
  node.bytes = bytes;
  policy_->insert(node);
  while (policy_->bytes() > capacity_) {
    const Digest128 victim = policy_->evict()->digest;
    entries_.erase(victim);
  }
}

void ShadowCache::erase(const Digest128& digest) {
  const auto place = entries_.find(digest);
  if (place == entries_.end()) return;
  policy_->erase(place->second);
  entries_.erase(place);
}

std::size_t ShadowCache::overhead() const {
  constexpr std::size_t kLinkAndHash = 16;
  return sizeof(*this) + policy_->overhead() + entries_.bucket_count() * sizeof(void*) +
         entries_.size() * (sizeof(Digest128) + sizeof(EvictionNode) + kLinkAndHash);
}

}  // namespace freshet::storage
