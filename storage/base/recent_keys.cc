#include "storage/base/recent_keys.h"

#include <algorithm>

namespace freshet::storage {

namespace {

std::size_t mask_for(std::uint64_t keys) {
  std::uint64_t size = 64;
  while (size < std::min<std::uint64_t>(keys, 1 << 20)) size *= 2;
  return static_cast<std::size_t>(size - 1);
}

constexpr std::uint64_t kTickBits = 0xffff'ffff;

}  // namespace

RecentKeys::RecentKeys(std::uint64_t window, std::uint64_t keys)
    : tick_(std::max<std::uint64_t>(window / kTicks, 1)), mask_(mask_for(keys)), slots_(mask_ + 1) {}

bool RecentKeys::read_again(const Digest128& key, std::uint64_t bytes) {
  const std::uint64_t now = bytes_read_.fetch_add(bytes, std::memory_order_relaxed) / tick_;
  const std::uint64_t mine = (key.high | (kTickBits + 1)) & ~kTickBits;
  std::atomic<std::uint64_t>& slot = slots_[key.low & mask_];
  const std::uint64_t known = slot.load(std::memory_order_relaxed);
  const bool again = (known & ~kTickBits) == mine && ((now - known) & kTickBits) <= kTicks;
  slot.store(again ? 0 : mine | (now & kTickBits), std::memory_order_relaxed);
  return again;
}

}  // namespace freshet::storage
