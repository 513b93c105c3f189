#include "storage/eviction/lru_policy.h"

namespace freshet::storage {

EvictionNode* LruPolicy::evict() {
  EvictionNode* const victim = queue_.oldest();
  if (victim != nullptr) queue_.remove(*victim);
  return victim;
}

}  // namespace freshet::storage
