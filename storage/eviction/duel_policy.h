// DuelPolicy: runs whichever of several policies would have done best lately. Each has a ShadowCache that
// sees a sample of the keys (at a scale at which a few thousand entries stand for the cache); after every
// round of sampled requests their misses are compared, in requests and in bytes, and the entries are handed
// over to a policy that did clearly better, a few with each insertion. What has fewer misses in bytes but
// more in requests than LRU is never chosen.
//
// It begins with LRU, which nobody regrets; popularity that stays makes S3-FIFO win, loops W-TinyLFU, and
// popularity that moves on leaves LRU where it is.
//
// Whatever runs, an entry of more than 1/32 of the capacity does not push out more than 32 others when it
// comes for the first time: it goes again, and is remembered; who comes back is let in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "storage/eviction/eviction_policy.h"
#include "storage/eviction/ghost_list.h"
#include "storage/eviction/shadow_cache.h"

namespace freshet::storage {

class DuelPolicy final : public EvictionPolicy {
 public:
  explicit DuelPolicy(std::uint64_t capacity);

  void insert(EvictionNode& node) override;
  void use(EvictionNode& node) override;
  void resize(EvictionNode& node, std::uint64_t bytes) override;
  void erase(EvictionNode& node) override;
  EvictionNode* evict() override;

  [[nodiscard]] std::uint64_t bytes() const override { return bytes_; }
  [[nodiscard]] std::size_t overhead() const override;

  // Which of the policies it runs now.
  [[nodiscard]] std::string_view running() const;

 private:
  struct Contestant {
    std::unique_ptr<EvictionPolicy> policy;
    std::unique_ptr<ShadowCache> shadow;
    double misses = 0;
    double differs = 0;  // requests of which it and LRU would have hit only one
    // What the running policy's misses cost more than this one's, and the sum of the squares of that.
    double gain = 0;
    double square = 0;
  };

  [[nodiscard]] EvictionPolicy& running_policy() { return *contestants_[running_].policy; }
  [[nodiscard]] bool pushes_out_many(const EvictionNode& node) const;
  [[nodiscard]] bool in_sample(const Digest128& digest) const;
  void observe(const EvictionNode& node);
  void compare(std::uint64_t bytes, const std::array<bool, 3>& hit);
  void end_round();
  // The policy to run from now on.
  [[nodiscard]] std::size_t winner() const;
  void take_smaller_sample();
  void move_in(EvictionNode& node);
  // Moves some entries from policies that ran before to the one that runs.
  void hand_over();

  const std::uint64_t capacity_;
  const std::size_t most_in_shadow_;
  std::array<Contestant, 3> contestants_;
  unsigned sample_shift_ = 0;  // one in 2^shift keys is in the sample
  std::size_t requests_left_;  // in this round
  double mean_bytes_ = 0;      // of a sampled request
  GhostList refused_;
  EvictionNode* refusing_ = nullptr;  // what came last, and goes first
  std::size_t running_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace freshet::storage
