#include "proxy/simulate/offline.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>

#include "proxy/simulate/generator.h"
#include "proxy/simulate/random.h"
#include "storage/eviction/eviction_policy.h"
#include "tests/unit/proxy/simulate/trace_of.h"

namespace freshet::proxy {
namespace {

// The optimum by trying everything: which sets of versions can be held after each request, and the most that
// was gained on the way to it.
class BruteForce {
 public:
  BruteForce(const Trace& trace, const CacheSize& cache) : trace_(trace), cache_(cache) {
    for (std::size_t i = 0; i < trace.requests(); ++i) size_of_[trace[i].version] = trace[i].size;
  }

  [[nodiscard]] std::uint64_t most(bool bytes) const {
    std::map<unsigned, std::uint64_t> gained{{0U, 0}};
    for (std::size_t i = 0; i < trace_.requests(); ++i) gained = step(gained, trace_[i], bytes);
    std::uint64_t most = 0;
    for (const auto& [held, gain] : gained) most = std::max(most, gain);
    return most;
  }

 private:
  using Gains = std::map<unsigned, std::uint64_t>;

  [[nodiscard]] Gains step(const Gains& before, const Trace::Request& request, bool bytes) const {
    Gains after;
    const unsigned wanted = 1U << request.version;
    for (const auto& [held, gain] : before) {
      const std::uint64_t hit = (held & wanted) != 0 ? (bytes ? request.size : 1) : 0;
      const unsigned all = held | wanted;
      for (unsigned kept = all;; kept = (kept - 1) & all) {
        if (fits(kept)) after[kept] = std::max(after[kept], gain + hit);
        if (kept == 0) break;
      }
    }
    return after;
  }

  [[nodiscard]] bool fits(unsigned kept) const {
    std::uint64_t cost = 0;
    for (const auto& [version, size] : size_of_) {
      if ((kept >> version & 1U) != 0) cost += cost_of(size, cache_);
    }
    return cost <= cache_.capacity;
  }

  const Trace& trace_;
  const CacheSize cache_;
  std::map<std::uint32_t, std::uint64_t> size_of_;
};

Trace random_trace(Random& random, std::uint64_t largest) {
  Trace trace;
  std::vector<std::uint64_t> sizes;
  for (int i = 0; i < 5; ++i) sizes.push_back(1 + random.below(largest));
  for (int i = 0; i < 12; ++i) {
    const std::uint64_t object = random.below(5);
    // Now and then it has changed.
    if (trace.versions() < 8 && random.below(10) == 0) sizes[object] = 1 + random.below(largest);
    trace.add(key_of(static_cast<char>('a' + object)), sizes[object]);
  }
  return trace;
}

TEST(Offline, NextUses) {
  EXPECT_EQ(next_uses(trace_of("abca")), (std::vector<std::uint32_t>{3, kNoNextUse, kNoNextUse, kNoNextUse}));
}

TEST(Offline, BeladyByHand) {
  // The textbook's reference string, 3 frames: 9 faults where each page must come in, 8 where one may be
  // passed on.
  const Trace trace = trace_of("70120304230321201701");
  EXPECT_EQ(simulate_belady(trace, {3, 0}).origin_requests(), 8U);
  EXPECT_EQ(BruteForce(trace, {3, 0}).most(false), 12U);
}

TEST(Offline, BeladyIsTheOptimumWhereAllCostTheSame) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    const Trace trace = random_trace(random, 1);
    const CacheSize cache{1 + random.below(4), 0};
    const std::uint64_t hits = BruteForce(trace, cache).most(false);
    EXPECT_EQ(simulate_belady(trace, cache).hits, hits) << round;
    EXPECT_EQ(simulate_belady_size(trace, cache).hits, hits) << round;
  }
}

TEST(Offline, NoPolicyIsAboveTheOptimumAndNoOptimumAboveTheBound) {
  Random random(11);
  for (int round = 0; round < 300; ++round) {
    const Trace trace = random_trace(random, 6);
    const CacheSize cache{2 + random.below(12), random.below(3)};
    const BruteForce optimum(trace, cache);
    const std::uint64_t hits = optimum.most(false);
    const std::uint64_t bytes = optimum.most(true);
    const SimulationResult bound = offline_bound(trace, cache);
    EXPECT_GE(bound.hits, hits) << round;
    EXPECT_GE(bound.hit_bytes, bytes) << round;
    for (const SimulationResult& result :
         {simulate_belady(trace, cache), simulate_belady_size(trace, cache)}) {
      EXPECT_LE(result.hits, hits) << round;
      EXPECT_LE(result.hit_bytes, bytes) << round;
    }
    for (const std::string_view name : storage::eviction_policy_names()) {
      const auto policy = storage::make_eviction_policy(name, cache.capacity);
      const SimulationResult result = simulate(trace, *policy, cache);
      EXPECT_LE(result.hits, hits) << name << ' ' << round;
      EXPECT_LE(result.hit_bytes, bytes) << name << ' ' << round;
    }
  }
}

TEST(Offline, WhereSizesDifferBeladyBySizeHasMoreHits) {
  GeneratorOptions options;
  options.kind = "size-mix";
  options.requests = 20'000;
  options.objects = 2000;
  const Trace trace = generate(options);
  const CacheSize cache{trace.footprint() / 100, 0};
  const SimulationResult by_size = simulate_belady_size(trace, cache);
  EXPECT_GT(by_size.hits, simulate_belady(trace, cache).hits);
  EXPECT_LE(by_size.hits, offline_bound(trace, cache).hits);
  EXPECT_EQ(by_size.hits, simulate_belady_size(trace, cache).hits);
}

TEST(Offline, TheBoundByHand) {
  // Four gaps of 2 bytes. a is kept over 2 gaps: 4; b over 2 gaps with 3 bytes: does not fit at all.
  Trace trace;
  for (const auto& [name, size] : {std::pair{'a', 2U}, {'b', 3U}, {'a', 2U}, {'b', 3U}, {'c', 1U}}) {
    trace.add(key_of(name), size);
  }
  const SimulationResult two = offline_bound(trace, {2, 0});
  EXPECT_EQ(two.hits, 1U);
  EXPECT_EQ(two.hit_bytes, 2U);
  // Four gaps of 3 bytes: 4 + 6 of 12, though no cache has room for both at once.
  const SimulationResult three = offline_bound(trace, {3, 0});
  EXPECT_EQ(three.hits, 2U);
  EXPECT_EQ(three.hit_bytes, 5U);
}

TEST(Offline, TheBoundOfACacheThatHoldsAllIsEveryRequestButTheFirst) {
  const Trace trace = trace_of("abcabcaabb", 10);
  const SimulationResult bound = offline_bound(trace, {30, 0});
  EXPECT_EQ(bound.hits, 7U);
  EXPECT_EQ(bound.hit_bytes, 70U);
  EXPECT_EQ(simulate_belady(trace, {30, 0}).hits, 7U);
}

TEST(Offline, ExpiryHoldsForBelady) {
  Trace trace;
  trace.add(key_of('a'), 10, 0, 100);
  trace.add(key_of('a'), 10, 50, 100);   // a hit; had it been fetched, it would be fresh until 150
  trace.add(key_of('a'), 10, 120, 100);  // so the same version, but what is held has expired
  EXPECT_EQ(simulate_belady(trace, {10, 0}).hits, 1U);
  EXPECT_EQ(offline_bound(trace, {10, 0}).hits, 2U);
}

TEST(Offline, AnEmptyTrace) {
  EXPECT_EQ(offline_bound(Trace(), {10, 0}).hits, 0U);
  EXPECT_EQ(simulate_belady(Trace(), {10, 0}).hits, 0U);
}

}  // namespace
}  // namespace freshet::proxy
