// AdaptivePolicy: newcomers pass through a probation queue, by recency; what was used there, or comes back
// while it is remembered, goes to the main queue, which gives each use a further round. How much of the
// cache probation may have is learned: what comes back after it went from probation says that it was too
// small, what comes back after it went from the main queue that it was too large. So it is near to S3-FIFO
// where popularity stays, and to LRU where it moves on.
//
// What is much larger than the others, and more than a small part of the cache, pushes out many: it must have
// come before to be let in, and goes to the main queue then.
//
// The two queues and how they learn are ARC's (Megiddo and Modha, FAST 2003), the rounds and the quick
// way out for what is used once S3-FIFO's (Yang and others, SOSP 2023).
#pragma once

#include "storage/eviction/eviction_list.h"
#include "storage/eviction/ghost_list.h"

namespace freshet::storage {

class AdaptivePolicy final : public EvictionPolicy {
 public:
  explicit AdaptivePolicy(std::uint64_t capacity);

  void insert(EvictionNode& node) override;
  void use(EvictionNode& node) override;
  void resize(EvictionNode& node, std::uint64_t bytes) override { list_of(node).resize(node, bytes); }
  void erase(EvictionNode& node) override;
  EvictionNode* evict() override;

  [[nodiscard]] std::uint64_t bytes() const override { return probation_.bytes() + main_.bytes(); }
  [[nodiscard]] std::size_t overhead() const override {
    return sizeof(*this) + gone_from_probation_.overhead() + gone_from_main_.overhead() + refused_.overhead();
  }

  // Bytes that probation may have before it gives up entries.
  [[nodiscard]] double probation_capacity() const { return probation_capacity_; }

 private:
  [[nodiscard]] bool pushes_out_many(const EvictionNode& node) const;
  [[nodiscard]] EvictionList& list_of(const EvictionNode& node) {
    return probation_.holds(node) ? probation_ : main_;
  }
  [[nodiscard]] bool probation_is_over() const;
  EvictionNode* evict_from_probation();
  EvictionNode* evict_from_main();

  const double capacity_;
  double probation_capacity_;
  EvictionList probation_{1};
  EvictionList main_{2};
  GhostList gone_from_probation_;
  GhostList gone_from_main_;
  GhostList refused_;
  EvictionNode* refusing_ = nullptr;  // the newest entry, if it is not to be let in
};

}  // namespace freshet::storage
