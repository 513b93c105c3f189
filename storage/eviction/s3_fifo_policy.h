// S3FifoPolicy: newcomers pass through a small queue; what was used there more than once moves to the main
// queue, the rest goes and leaves a ghost, and who comes back while its ghost is remembered goes to the main
// queue at once. The main queue gives each use a further round. (Yang and others: FIFO Queues are All You
// Need for Cache Eviction, SOSP 2023.)
#pragma once

#include "storage/eviction/eviction_list.h"
#include "storage/eviction/ghost_list.h"

namespace freshet::storage {

class S3FifoPolicy final : public EvictionPolicy {
 public:
  explicit S3FifoPolicy(std::uint64_t capacity);

  void insert(EvictionNode& node) override;
  void use(EvictionNode& node) override { count_use(node, 3); }
  void resize(EvictionNode& node, std::uint64_t bytes) override;
  void erase(EvictionNode& node) override;
  EvictionNode* evict() override;

  [[nodiscard]] std::uint64_t bytes() const override { return small_.bytes() + main_.bytes(); }
  [[nodiscard]] std::size_t overhead() const override { return sizeof(*this) + ghosts_.overhead(); }

 private:
  [[nodiscard]] EvictionList& list_of(const EvictionNode& node) {
    return small_.holds(node) ? small_ : main_;
  }
  EvictionNode* evict_small();
  EvictionNode* evict_main();

  const std::uint64_t small_capacity_;
  EvictionList small_{1};
  EvictionList main_{2};
  GhostList ghosts_;
};

}  // namespace freshet::storage
