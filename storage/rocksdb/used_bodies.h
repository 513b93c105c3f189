// UsedBodies: which bodies on disk were read since they were put where they are, one bit each. Together with
// the ghosts, the keys of newcomers that were dropped unused, they are the memory of the disk tier's eviction
// (S3-FIFO; FORMAT.md, "Eviction").
//
// Of a fixed size, a few MiB at most, and forgets by being overwritten: a wrong answer costs a copy in vain
// or one that was not made. Any thread; no lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace freshet::storage {

class UsedBodies {
 public:
  // Ids are given one after the other: as long as fewer than `bodies` are alive, no two share a bit.
  explicit UsedBodies(std::uint64_t bodies);

  void mark(std::uint64_t id);
  void clear(std::uint64_t id);
  [[nodiscard]] bool is_marked(std::uint64_t id) const;

 private:
  [[nodiscard]] std::size_t word(std::uint64_t id) const { return (id / 64) & mask_; }
  [[nodiscard]] static std::uint64_t bit(std::uint64_t id) { return std::uint64_t{1} << (id % 64); }

  const std::size_t mask_;
  std::vector<std::atomic<std::uint64_t>> words_;
};

}  // namespace freshet::storage
