#include "storage/rocksdb/used_bodies.h"

#include <algorithm>

namespace freshet::storage {

namespace {

// The next power of two, less one.
std::size_t mask_for(std::uint64_t count, std::uint64_t least, std::uint64_t most) {
  std::uint64_t size = least;
  while (size < std::min(count, most)) size *= 2;
  return static_cast<std::size_t>(size - 1);
}

}  // namespace

UsedBodies::UsedBodies(std::uint64_t bodies)
    : mask_(mask_for(bodies / 64, 1 << 10, 1 << 19)), words_(mask_ + 1) {}

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

Ghosts::Ghosts(std::uint64_t keys) : mask_(mask_for(keys, 1 << 12, 1 << 20)), slots_(mask_ + 1) {}

void Ghosts::add(const Digest128& key) {
  slot(key).store(fingerprint(key), std::memory_order_relaxed);
}

bool Ghosts::take(const Digest128& key) {
  std::uint32_t expected = fingerprint(key);
  return slot(key).compare_exchange_strong(expected, 0, std::memory_order_relaxed);
}

}  // namespace freshet::storage
