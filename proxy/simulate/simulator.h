// Simulator: one cache of one size that keeps what an EvictionPolicy tells it to, and counts. It does to the
// policy what the memory tier does: a look-up that finds is use(), one that does not is miss(); what is
// fetched is insert()ed, and while there are more bytes than fit, the policy's evict() goes. A changed or
// expired response is replaced: erase() and insert(), an origin request like any other miss.
//
// One thread; the trace outlives it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "proxy/simulate/trace.h"
#include "storage/eviction/eviction_policy.h"

namespace freshet::proxy {

struct CacheSize {
  std::uint64_t capacity = 0;  // bytes
  std::uint64_t overhead = 0;  // bytes that an entry costs beside its content
};

// What one object costs in such a cache: an empty one is not free, or there would be no end of them.
inline std::uint64_t cost_of(std::uint64_t size, const CacheSize& cache) {
  const std::uint64_t cost = size + cache.overhead;
  return cost > 0 ? cost : 1;
}

struct SimulationResult {
  std::uint64_t requests = 0;
  std::uint64_t hits = 0;
  std::uint64_t bytes = 0;
  std::uint64_t hit_bytes = 0;
  std::uint64_t evictions = 0;
  std::uint64_t refused = 0;  // misses on what is larger than the whole cache: never inserted

  [[nodiscard]] std::uint64_t origin_requests() const { return requests - hits; }
  [[nodiscard]] std::uint64_t origin_bytes() const { return bytes - hit_bytes; }
  // 0 where there was nothing.
  [[nodiscard]] double hit_ratio() const;
  [[nodiscard]] double byte_hit_ratio() const;
};

class Simulator {
 public:
  Simulator(const Trace& trace, storage::EvictionPolicy& policy, const CacheSize& cache);

  void request(const Trace::Request& request);
  [[nodiscard]] const SimulationResult& result() const { return result_; }
  // What the entries that are held cost.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Entry : storage::EvictionNode {
    std::uint32_t object = 0;
    std::uint32_t version = 0;
    std::int64_t expires = kNeverExpires;
  };

  void insert(const Trace::Request& request);
  void remove(std::uint32_t object);

  const Trace& trace_;
  storage::EvictionPolicy& policy_;
  const CacheSize cache_;
  std::deque<Entry> entries_;         // stands still: the policy links them
  std::vector<std::uint32_t> free_;   // places in entries_
  std::vector<std::uint32_t> place_;  // object: place in entries_, or none
  std::uint64_t bytes_ = 0;
  SimulationResult result_;
};

// The whole trace through an empty cache.
[[nodiscard]] SimulationResult simulate(const Trace& trace, storage::EvictionPolicy& policy,
                                        const CacheSize& cache);

}  // namespace freshet::proxy
