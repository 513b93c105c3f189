#include "storage/base/ghosts.h"

#include <algorithm>

namespace freshet::storage {

namespace {

constexpr std::uint64_t kMost = 1 << 20;

// The next power of two, less one.
std::size_t mask_for(std::uint64_t keys) {
  std::uint64_t size = 1;
  while (size < std::min(keys, kMost)) size *= 2;
  return static_cast<std::size_t>(size - 1);
}

}  // namespace

Ghosts::Ghosts(std::uint64_t keys) : mask_(mask_for(keys)), slots_(mask_ + 1) {}

void Ghosts::add(const Digest128& key) {
  slot(key).store(fingerprint(key), std::memory_order_relaxed);
}

bool Ghosts::take(const Digest128& key) {
  std::uint32_t expected = fingerprint(key);
  return slot(key).compare_exchange_strong(expected, 0, std::memory_order_relaxed);
}

}  // namespace freshet::storage
