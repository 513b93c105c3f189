#include "storage/eviction/s3_fifo_policy.h"

namespace freshet::storage {

S3FifoPolicy::S3FifoPolicy(std::uint64_t capacity)
    : small_capacity_(capacity / 10), ghosts_(capacity - capacity / 10) {}

void S3FifoPolicy::insert(EvictionNode& node) {
  node.frequency = 0;
  (ghosts_.take(node.digest) ? main_ : small_).push_newest(node);
}

void S3FifoPolicy::resize(EvictionNode& node, std::uint64_t bytes) {
  list_of(node).resize(node, bytes);
}

void S3FifoPolicy::erase(EvictionNode& node) {
  list_of(node).remove(node);
}

EvictionNode* S3FifoPolicy::evict() {
  const bool from_small = small_.bytes() > small_capacity_ || main_.size() == 0;
  EvictionNode* const victim = from_small ? evict_small() : nullptr;
  return victim != nullptr ? victim : evict_main();
}

// Null: all that was there moved to the main queue.
EvictionNode* S3FifoPolicy::evict_small() {
  while (EvictionNode* const candidate = small_.oldest()) {
    small_.remove(*candidate);
    if (candidate->frequency <= 1) {
      ghosts_.remember(candidate->digest, candidate->bytes);
      return candidate;
    }
    candidate->frequency = 0;
    main_.push_newest(*candidate);
  }
  return nullptr;
}

EvictionNode* S3FifoPolicy::evict_main() {
  while (EvictionNode* const candidate = main_.oldest()) {
    main_.remove(*candidate);
    if (candidate->frequency == 0) return candidate;
    --candidate->frequency;
    main_.push_newest(*candidate);
  }
  return nullptr;
}

}  // namespace freshet::storage
