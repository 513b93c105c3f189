#include "storage/eviction/sieve_policy.h"

namespace freshet::storage {

void SievePolicy::insert(EvictionNode& node) {
  node.frequency = 0;
  queue_.push_newest(node);
}

void SievePolicy::erase(EvictionNode& node) {
  if (hand_ == &node) hand_ = node.newer;
  queue_.remove(node);
}

EvictionNode* SievePolicy::evict() {
  if (queue_.size() == 0) return nullptr;
  for (;;) {
    if (hand_ == nullptr) hand_ = queue_.oldest();
    EvictionNode* const candidate = hand_;
    if (candidate->frequency == 0) {
      erase(*candidate);
      return candidate;
    }
    candidate->frequency = 0;
    hand_ = candidate->newer;
  }
}

}  // namespace freshet::storage
