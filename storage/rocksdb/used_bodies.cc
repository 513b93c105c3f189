#include "storage/rocksdb/used_bodies.h"

#include <algorithm>

namespace freshet::storage {

namespace {

// The next power of two, less one.
std::size_t mask_for(std::uint64_t words) {
  std::uint64_t size = 1 << 10;
  while (size < std::min<std::uint64_t>(words, 1 << 19)) size *= 2;
  return static_cast<std::size_t>(size - 1);
}

}  // namespace

UsedBodies::UsedBodies(std::uint64_t bodies) : mask_(mask_for(bodies / 64)), words_(mask_ + 1) {}

void UsedBodies::mark(std::uint64_t id) {
  std::atomic<std::uint64_t>& at = words_[word(id)];
  // Most are marked already: reading shares the line between cores.
  if ((at.load(std::memory_order_relaxed) & bit(id)) == 0) at.fetch_or(bit(id), std::memory_order_relaxed);
}

void UsedBodies::clear(std::uint64_t id) {
  words_[word(id)].fetch_and(~bit(id), std::memory_order_relaxed);
}

bool UsedBodies::is_marked(std::uint64_t id) const {
  return (words_[word(id)].load(std::memory_order_relaxed) & bit(id)) != 0;
}

}  // namespace freshet::storage
