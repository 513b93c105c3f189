// ShadowCache: what a cache with another policy would hold, of a sample of the same requests, without the
// bodies: to learn how well that policy would do. Some 100 bytes an entry.
//
// Not thread-safe; owned by a DuelPolicy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "storage/eviction/eviction_policy.h"

namespace freshet::storage {

class ShadowCache {
 public:
  // `policy`: a name that make_eviction_policy() knows.
  ShadowCache(std::string_view policy, std::uint64_t capacity);

  // True: it would have been a hit. What was not there is from now on, where it fits at all.
  bool request(const Digest128& digest, std::uint64_t bytes);
  void erase(const Digest128& digest);
  // Empties `other` into this, oldest first, but for what `keep` refuses.
  template <typename Keep>
  void take(ShadowCache& other, Keep keep);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t overhead() const;

 private:
  void insert(const Digest128& digest, std::uint64_t bytes);

  const std::uint64_t capacity_;
  std::unique_ptr<EvictionPolicy> policy_;
  std::unordered_map<Digest128, EvictionNode, Digest128Hash> entries_;
};

template <typename Keep>
void ShadowCache::take(ShadowCache& other, Keep keep) {
  while (const EvictionNode* const node = other.policy_->evict()) {
    const Digest128 digest = node->digest;
    if (keep(digest)) insert(digest, node->bytes);
    other.entries_.erase(digest);
  }
}

}  // namespace freshet::storage
