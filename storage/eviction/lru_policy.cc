#include "storage/eviction/lru_policy.h"

namespace freshet::storage {

void LruPolicy::insert(EvictionNode& node) {
  node.frequency = 0;
  queue_.push_newest(node);
}

void LruPolicy::use(EvictionNode& node) {
  count_use(node, 3);
  queue_.make_newest(node);
}

EvictionNode* LruPolicy::evict() {
  EvictionNode* const victim = queue_.oldest();
  if (victim != nullptr) queue_.remove(*victim);
  return victim;
}

}  // namespace freshet::storage
