// WTinyLfuPolicy: newcomers pass through a window (a hundredth of the bytes, by recency); who leaves it is
// admitted to the main queues only where it came by more often, lately, than what would have to go for it:
// the mean by bytes of the victims that its own bytes would displace. So a large entry has to be worth all
// the small ones whose place it takes, byte for byte. The main queues are an LRU of two segments.
// (Einziger, Eytan, Friedman, Manes: Lightweight Robust Size Aware Cache Management, ACM TOS 2022.)
#pragma once

#include "storage/eviction/eviction_list.h"
#include "storage/eviction/frequency_sketch.h"

namespace freshet::storage {

class WTinyLfuPolicy final : public EvictionPolicy {
 public:
  explicit WTinyLfuPolicy(std::uint64_t capacity);

  void insert(EvictionNode& node) override;
  void use(EvictionNode& node) override;
  void resize(EvictionNode& node, std::uint64_t bytes) override { list_of(node).resize(node, bytes); }
  void erase(EvictionNode& node) override { list_of(node).remove(node); }
  EvictionNode* evict() override;

  [[nodiscard]] std::uint64_t bytes() const override {
    return window_.bytes() + probation_.bytes() + protected_.bytes();
  }
  [[nodiscard]] std::size_t overhead() const override { return sizeof(*this) + sketch_.overhead(); }

 private:
  [[nodiscard]] EvictionList& list_of(const EvictionNode& node);
  // Bytes that have to go for it.
  [[nodiscard]] std::uint64_t needed_for(const EvictionNode& candidate) const;
  [[nodiscard]] bool admits(const EvictionNode& candidate) const;
  // Protected entries over their share go back to probation.
  void trim_protected();
  static EvictionNode* take_oldest(EvictionList& list);

  const std::uint64_t capacity_;
  const std::uint64_t window_capacity_;
  const std::uint64_t protected_capacity_;
  EvictionList window_{1};
  EvictionList probation_{2};
  EvictionList protected_{3};
  FrequencySketch sketch_;
};

}  // namespace freshet::storage
