// Ghosts: keys that came by lately, a fingerprint each: so a tier knows who comes back. Of a fixed size, and
// forgets by being overwritten: a key is known for about as many others as there is room for. A wrong answer
// must cost little.
//
// Any thread; no lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/base/hash.h"

namespace freshet::storage {

class Ghosts {
 public:
  // Rounded up to a power of two, at most 2^20.
  explicit Ghosts(std::uint64_t keys);

  void add(const Digest128& key);
  // True once for a key that was added and not overwritten since.
  [[nodiscard]] bool take(const Digest128& key);

 private:
  [[nodiscard]] std::atomic<std::uint32_t>& slot(const Digest128& key) { return slots_[key.low & mask_]; }
  [[nodiscard]] static std::uint32_t fingerprint(const Digest128& key) {
    return static_cast<std::uint32_t>(key.high) | 1U;  // 0: empty
  }

  const std::size_t mask_;
  std::vector<std::atomic<std::uint32_t>> slots_;
};

}  // namespace freshet::storage
