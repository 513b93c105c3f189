#include "storage/eviction/s3_fifo_policy.h"

namespace freshet::storage {

S3FifoPolicy::S3FifoPolicy(std::uint64_t capacity)
    : small_capacity_(capacity / 10), ghosts_(capacity - capacity / 10) {}

void S3FifoPolicy::insert(EvictionNode& node) {
  node.frequency.store(0, std::memory_order_relaxed);
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
    if (candidate->frequency.exchange(0, std::memory_order_relaxed) <= 1) {
      ghosts_.remember(candidate->digest, candidate->bytes);
      return candidate;
    }
    main_.push_newest(*candidate);
  }
  return nullptr;
}

EvictionNode* S3FifoPolicy::evict_main() {
  // Uses may count up as fast as this counts down: as many rounds as a frequency has steps are enough.
  for (std::size_t left = 4 * main_.size(); EvictionNode* const candidate = main_.oldest(); --left) {
    const std::uint8_t frequency = candidate->frequency.load(std::memory_order_relaxed);
    main_.remove(*candidate);
    if (frequency == 0 || left == 0) return candidate;
    candidate->frequency.store(static_cast<std::uint8_t>(frequency - 1), std::memory_order_relaxed);
    main_.push_newest(*candidate);
  }
  return nullptr;
}

}  // namespace freshet::storage
