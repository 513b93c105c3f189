// HeldChunks: the bytes of disk bodies that readers hold on to. A chunk pins its block of the cache, so a
// thousand clients that stop reading would pin more than there is. Up to a quarter of the memory is pinned as
// it is; above that a reader gets copies of smaller pieces, and reads again for the next: 64 KiB up to a
// half, then 16 KiB, no more than a connection's own buffers have.
//
// Any thread. What is held may outlive this.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "storage/base/chunk.h"

namespace freshet::storage {

class HeldChunks {
 public:
  explicit HeldChunks(std::uint64_t memory)
      : memory_(memory), held_(std::make_shared<std::atomic<std::uint64_t>>(0)) {}

  // `chunk`, or a beginning of it, counted until it is let go. `pinned`: the size of its block.
  [[nodiscard]] Chunk hold(Chunk chunk, std::size_t pinned) const;
  // How much of `wanted` bytes a reader may have now: who reads them first reads no more.
  [[nodiscard]] std::size_t most(std::size_t wanted) const;
  [[nodiscard]] std::uint64_t held() const { return *held_; }

 private:
  [[nodiscard]] Chunk count(Chunk chunk, std::size_t bytes) const;

  const std::uint64_t memory_;
  const std::shared_ptr<std::atomic<std::uint64_t>> held_;
};

}  // namespace freshet::storage
