// EvictionPolicy: in which order a cache gives up what it holds. One object per cache, under a lock of the
// cache's; not thread-safe. It holds no entry: the cache embeds an EvictionNode in each of its own, so
// nothing is allocated per entry here but what a policy remembers of the past (ghosts, sketches),
// which is bounded and told by overhead().
//
// The policies are compared by `freshet simulate` with the code that the memory tier runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "storage/base/hash.h"

namespace freshet::storage {

// Embedded in a cache's entry. `bytes` is what the entry costs all in all; the rest is the policy's.
struct EvictionNode {
  EvictionNode* newer = nullptr;
  EvictionNode* older = nullptr;
  Digest128 digest;
  std::uint64_t bytes : 48 = 0;  // set_bytes()
  std::uint64_t queue : 8 = 0;  // which of the policy's queues holds it; 0: none, the policy does not know it
  std::uint64_t frequency : 8 = 0;  // uses since it came, or since it was looked at; saturates
};

inline void set_bytes(EvictionNode& node, std::uint64_t bytes) {
  node.bytes = bytes & ((std::uint64_t{1} << 48U) - 1);
}

class EvictionPolicy {
 public:
  virtual ~EvictionPolicy() = default;

  // A new entry. It may be the next victim (a policy that does not admit it).
  virtual void insert(EvictionNode& node) = 0;
  // The entry was used. Cheap: it writes nothing where nothing changes.
  virtual void use(EvictionNode& node) = 0;
  // A look-up that found nothing (for policies that learn from them).
  virtual void miss(const Digest128& /*digest*/) {}
  // The entry costs `bytes` from now on.
  virtual void resize(EvictionNode& node, std::uint64_t bytes) = 0;
  // The entry goes for another reason than eviction (a purge, a replacement).
  virtual void erase(EvictionNode& node) = 0;
  // Takes out the entry that is to go next; null: there is none.
  virtual EvictionNode* evict() = 0;

  // Of the entries held.
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;
  // Bytes of memory that the policy itself needs now, nodes not counted.
  [[nodiscard]] virtual std::size_t overhead() const = 0;
};

// The one that the memory tier runs, and `freshet simulate` calls shipped.
inline constexpr std::string_view kShippedPolicy = "adaptive";

// `capacity`: bytes that the cache may hold; queues are shares of it. Null: no policy has that name.
[[nodiscard]] std::unique_ptr<EvictionPolicy> make_eviction_policy(std::string_view name,
                                                                   std::uint64_t capacity);
// Names that make_eviction_policy() knows: "lru", "sieve", "s3-fifo", "w-tinylfu" and others.
[[nodiscard]] std::vector<std::string_view> eviction_policy_names();

}  // namespace freshet::storage
