// RecentKeys: what was read not long ago, where "long" is counted in the bytes that were read meanwhile: so a
// cache can tell whether what comes back would have stayed if it had been kept. A fingerprint each, of a
// fixed number: a wrong answer must cost little.
//
// Any thread; no lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/base/hash.h"

namespace freshet::storage {

class RecentKeys {
 public:
  // Known until `window` bytes of others were read, as long as there are not many more than `keys` of them.
  RecentKeys(std::uint64_t window, std::uint64_t keys);

  // So many bytes of the key are read now. True: it was read lately; it is forgotten then, else known from
  // now on.
  [[nodiscard]] bool read_again(const Digest128& key, std::uint64_t bytes);

 private:
  static constexpr std::uint64_t kTicks = 64;  // of the window

  const std::uint64_t tick_;  // bytes
  std::atomic<std::uint64_t> bytes_read_{0};
  const std::size_t mask_;
  // Fingerprint and tick; 0: none.
  std::vector<std::atomic<std::uint64_t>> slots_;
};

}  // namespace freshet::storage
