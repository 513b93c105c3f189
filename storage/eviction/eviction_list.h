// EvictionList: a queue of EvictionNodes, linked through the nodes themselves. Knows how many bytes it holds.
// Not thread-safe; owned by a policy, never owns a node.
#pragma once

#include <cstddef>
#include <cstdint>

#include "storage/eviction/eviction_policy.h"

namespace freshet::storage {

class EvictionList {
 public:
  // `queue`: what its nodes' `queue` says; not 0.
  explicit EvictionList(std::uint8_t queue) : queue_(queue) {}

  void push_newest(EvictionNode& node) {
    node.queue = queue_;
    node.newer = nullptr;
    node.older = newest_;
    (newest_ != nullptr ? newest_->newer : oldest_) = &node;
    newest_ = &node;
    bytes_ += node.bytes;
    ++size_;
  }

  void remove(EvictionNode& node) {
    (node.newer != nullptr ? node.newer->older : newest_) = node.older;
    (node.older != nullptr ? node.older->newer : oldest_) = node.newer;
    node.newer = node.older = nullptr;
    node.queue = 0;
    bytes_ -= node.bytes;
    --size_;
  }

  void make_newest(EvictionNode& node) {
    if (newest_ == &node) return;
    remove(node);
    push_newest(node);
  }

  void resize(EvictionNode& node, std::uint64_t bytes) {
    bytes_ += bytes - node.bytes;
    set_bytes(node, bytes);
  }

  [[nodiscard]] bool holds(const EvictionNode& node) const { return node.queue == queue_; }
  [[nodiscard]] EvictionNode* newest() const { return newest_; }
  [[nodiscard]] EvictionNode* oldest() const { return oldest_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  const std::uint8_t queue_;
  EvictionNode* newest_ = nullptr;
  EvictionNode* oldest_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::size_t size_ = 0;
};

// Counts a use up to `most`; writes nothing once that is reached.
inline void count_use(EvictionNode& node, std::uint8_t most) {
  if (node.frequency < most) ++node.frequency;
}

}  // namespace freshet::storage
