// LruPolicy: gives up what was used least recently. The base line; a use moves the entry. Counts the uses,
// for who takes the entry over.
#pragma once

#include "storage/eviction/eviction_list.h"

namespace freshet::storage {

class LruPolicy final : public EvictionPolicy {
 public:
  void insert(EvictionNode& node) override;
  void use(EvictionNode& node) override;
  void resize(EvictionNode& node, std::uint64_t bytes) override { queue_.resize(node, bytes); }
  void erase(EvictionNode& node) override { queue_.remove(node); }
  EvictionNode* evict() override;

  [[nodiscard]] std::uint64_t bytes() const override { return queue_.bytes(); }
  [[nodiscard]] std::size_t overhead() const override { return sizeof(*this); }

 private:
  EvictionList queue_{1};
};

}  // namespace freshet::storage
