// GhostList: which entries a cache gave up not long ago, without the entries. Remembers digests (64 bits of
// them) in the order in which they went, until `bytes` more have gone or too many are remembered. An open
// hash table whose slots are found again by a ring of digests: some 40 bytes for each.
//
// Not thread-safe; owned by a policy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "storage/base/hash.h"

namespace freshet::storage {

class GhostList {
 public:
  // Remembers entries of `bytes` bytes in all.
  explicit GhostList(std::uint64_t bytes) : capacity_(bytes) {}

  void remember(const Digest128& digest, std::uint64_t bytes);
  // Forgets it; true: it was remembered.
  bool take(const Digest128& digest);
  // Forgets the oldest over `bytes` or `count`.
  void limit(std::uint64_t bytes, std::size_t count);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t overhead() const;

 private:
  struct Slot {
    std::uint64_t digest = 0;  // 0: free
    std::uint64_t number = 0;  // of the ring's entry
  };
  struct Gone {
    std::uint64_t digest = 0;
    std::uint64_t bytes = 0;
  };

  [[nodiscard]] std::size_t place_of(std::uint64_t digest) const;
  void free_place(std::size_t place);
  void grow();
  void forget_oldest();

  std::uint64_t capacity_;
  std::uint64_t bytes_ = 0;  // of those in the ring
  std::uint64_t first_ = 0;  // the number of the ring's oldest
  std::deque<Gone> ring_;    // oldest first; some were taken
  std::vector<Slot> slots_;  // a power of two of them, or none
  std::size_t size_ = 0;
};

}  // namespace freshet::storage
