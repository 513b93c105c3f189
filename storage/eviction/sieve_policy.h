// SievePolicy: one queue in order of arrival; a hand walks from the oldest to the newest, spares once what
// was used since it last came by, and takes the rest. A use moves nothing. (Zhang and others: SIEVE is
// Simpler than LRU, NSDI 2024.)
#pragma once

#include "storage/eviction/eviction_list.h"

namespace freshet::storage {

class SievePolicy final : public EvictionPolicy {
 public:
  void insert(EvictionNode& node) override;
  void use(EvictionNode& node) override { count_use(node, 1); }
  void resize(EvictionNode& node, std::uint64_t bytes) override { queue_.resize(node, bytes); }
  void erase(EvictionNode& node) override;
  EvictionNode* evict() override;

  [[nodiscard]] std::uint64_t bytes() const override { return queue_.bytes(); }
  [[nodiscard]] std::size_t overhead() const override { return sizeof(*this); }

 private:
  EvictionList queue_{1};
  EvictionNode* hand_ = nullptr;  // what it looks at next; null: the oldest
};

}  // namespace freshet::storage
