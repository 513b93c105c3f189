#include "storage/eviction/sieve_policy.h"

namespace freshet::storage {

void SievePolicy::insert(EvictionNode& node) {
  node.frequency.store(0, std::memory_order_relaxed);
  queue_.push_newest(node);
}

void SievePolicy::erase(EvictionNode& node) {
  if (hand_ == &node) hand_ = node.newer;
  queue_.remove(node);
}

EvictionNode* SievePolicy::evict() {
  if (queue_.size() == 0) return nullptr;
  // Uses may mark as fast as the hand clears: two rounds are enough.
  for (std::size_t left = 2 * queue_.size();; --left) {
    if (hand_ == nullptr) hand_ = queue_.oldest();
    EvictionNode* const candidate = hand_;
    if (left == 0 || candidate->frequency.exchange(0, std::memory_order_relaxed) == 0) {
      erase(*candidate);
      return candidate;
    }
    hand_ = candidate->newer;
  }
}

}  // namespace freshet::storage
