// ChunkQueue: chunks of a body, in order, taken off in pieces of any size. Owned by a stream; its buffer is
// kept for the next body.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "storage/base/chunk.h"

namespace freshet::proxy {

class ChunkQueue {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }

  void push(const storage::Chunk& chunk) {
    if (chunk.empty()) return;
    chunks_.push_back(chunk);
    size_ += chunk.size();
  }

  // The next bytes, `most` or fewer, and at least one if there is one; they are taken off.
  [[nodiscard]] storage::Chunk take(std::size_t most) {
    if (first_ == chunks_.size()) return {};
    storage::Chunk& front = chunks_[first_];
    const std::size_t left = front.size() - used_;
    const std::size_t taken = std::min(most, left);
    size_ -= taken;
    if (taken < left) {
      storage::Chunk piece = front.slice(used_, taken);
      used_ += taken;
      return piece;
    }
    storage::Chunk piece = used_ == 0 ? std::move(front) : front.slice(used_, taken);
    front = {};
    used_ = 0;
    if (++first_ == chunks_.size()) clear();
    return piece;
  }

  void clear() {
    chunks_.clear();
    first_ = used_ = size_ = 0;
  }

 private:
  std::vector<storage::Chunk> chunks_;
  std::size_t first_ = 0;  // chunks before it are taken
  std::size_t used_ = 0;   // and so many bytes of it
  std::size_t size_ = 0;
};

}  // namespace freshet::proxy
