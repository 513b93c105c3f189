// Two policies so plain that their answers can be worked out by hand: what the simulator's own tests drive.
#pragma once

#include <algorithm>
#include <list>

#include "storage/eviction/eviction_policy.h"

namespace freshet::proxy {

class PlainFifo : public storage::EvictionPolicy {
 public:
  void insert(storage::EvictionNode& node) override {
    order_.push_back(&node);
    bytes_ += node.bytes;
  }
  void use(storage::EvictionNode& /*node*/) override {}
  void miss(const storage::Digest128& /*digest*/) override { ++misses; }
  void resize(storage::EvictionNode& node, std::uint64_t bytes) override {
    bytes_ += bytes - node.bytes;
    set_bytes(node, bytes);
  }
  void erase(storage::EvictionNode& node) override {
    order_.remove(&node);
    bytes_ -= node.bytes;
  }
  storage::EvictionNode* evict() override {
    if (order_.empty()) return nullptr;
    storage::EvictionNode* const first = order_.front();
    erase(*first);
    return first;
  }
  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }
  [[nodiscard]] std::size_t overhead() const override { return 0; }

  int misses = 0;

 protected:
  std::list<storage::EvictionNode*> order_;

 private:
  std::uint64_t bytes_ = 0;
};

class PlainLru : public PlainFifo {
 public:
  void use(storage::EvictionNode& node) override {
    order_.remove(&node);
    order_.push_back(&node);
  }
};

}  // namespace freshet::proxy
