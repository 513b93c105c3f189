#include "proxy/simulate/simulator.h"

#include <gtest/gtest.h>

#include "proxy/simulate/generator.h"
#include "tests/unit/proxy/simulate/small_policies.h"
#include "tests/unit/proxy/simulate/trace_of.h"

namespace freshet::proxy {
namespace {

template <typename Policy>
SimulationResult run(const Trace& trace, std::uint64_t capacity, std::uint64_t overhead = 0) {
  Policy policy;
  return simulate(trace, policy, {capacity, overhead});
}

// The textbook's reference string, 3 frames: 15 faults with FIFO, 12 with LRU.
constexpr std::string_view kTextbook = "70120304230321201701";

TEST(Simulator, FifoByHand) {
  const SimulationResult result = run<PlainFifo>(trace_of(kTextbook), 3);
  EXPECT_EQ(result.requests, 20U);
  EXPECT_EQ(result.origin_requests(), 15U);
  EXPECT_EQ(result.evictions, 12U);
  EXPECT_DOUBLE_EQ(result.hit_ratio(), 0.25);
}

TEST(Simulator, LruByHand) {
  EXPECT_EQ(run<PlainLru>(trace_of(kTextbook), 3).origin_requests(), 12U);
}

TEST(Simulator, SieveByHand) {
  // a and b were used, so the hand spares them and takes c; then each newcomer in turn, which nobody used.
  const Trace trace = trace_of("abcabdefgab");
  EXPECT_EQ(simulate(trace, *storage::make_eviction_policy("sieve", 3), {3, 0}).hits, 4U);
  EXPECT_EQ(run<PlainLru>(trace, 3).hits, 2U);
  EXPECT_EQ(simulate(trace, *storage::make_eviction_policy("lru", 3), {3, 0}).hits, 2U);
  EXPECT_EQ(run<PlainFifo>(trace, 3).hits, 2U);
}

TEST(Simulator, TheShippedLruIsThePlainOne) {
  GeneratorOptions options;
  options.requests = 20'000;
  options.objects = 500;
  const Trace trace = generate(options);
  for (const std::uint64_t capacity : {trace.footprint() / 100, trace.footprint() / 10}) {
    const auto lru = storage::make_eviction_policy("lru", capacity);
    EXPECT_EQ(simulate(trace, *lru, {capacity, 0}).hits, run<PlainLru>(trace, capacity).hits);
  }
}

TEST(Simulator, EveryPolicyKeepsWithinTheCacheAndCountsWhatItHolds) {
  GeneratorOptions options;
  options.kind = "size-mix";
  options.requests = 20'000;
  options.objects = 2000;
  const Trace trace = generate(options);
  for (const std::string_view name : storage::eviction_policy_names()) {
    const CacheSize cache{trace.footprint() / 20, 100};
    const auto policy = storage::make_eviction_policy(name, cache.capacity);
    Simulator simulator(trace, *policy, cache);
    for (std::size_t i = 0; i < trace.requests(); ++i) {
      simulator.request(trace[i]);
      ASSERT_LE(policy->bytes(), cache.capacity) << name;
      ASSERT_EQ(policy->bytes(), simulator.bytes()) << name;
    }
    EXPECT_GT(simulator.result().hits, 0U) << name;
  }
}

TEST(Simulator, BytesOfHitsAndMisses) {
  Trace trace;
  for (const auto& [name, size] : {std::pair{'a', 10U}, {'b', 30U}, {'a', 10U}, {'c', 60U}, {'b', 30U}}) {
    trace.add(key_of(name), size);
  }
  // a and b, c pushes a out (oldest first) and then is within 90.
  const SimulationResult result = run<PlainFifo>(trace, 90);
  EXPECT_EQ(result.hits, 2U);
  EXPECT_EQ(result.bytes, 140U);
  EXPECT_EQ(result.hit_bytes, 40U);
  EXPECT_EQ(result.origin_bytes(), 100U);
  EXPECT_EQ(result.evictions, 1U);
  EXPECT_DOUBLE_EQ(result.byte_hit_ratio(), 40.0 / 140.0);
}

TEST(Simulator, AChangedObjectIsAMissAndReplaced) {
  Trace trace;
  trace.add(key_of('a'), 10);
  trace.add(key_of('a'), 20);
  trace.add(key_of('a'), 20);
  const SimulationResult result = run<PlainLru>(trace, 20);
  EXPECT_EQ(result.hits, 1U);
  EXPECT_EQ(result.evictions, 0U);
}

TEST(Simulator, AnExpiredObjectIsAMissAndFreshAgain) {
  Trace trace;
  trace.add(key_of('a'), 10, 0, 100);
  trace.add(key_of('a'), 10, 99, 100);   // a hit: the expiry stays 100
  trace.add(key_of('a'), 10, 100, 100);  // expired, fetched
  trace.add(key_of('a'), 10, 199, 100);
  EXPECT_EQ(run<PlainLru>(trace, 20).hits, 2U);
}

TEST(Simulator, WhatIsLargerThanTheCacheIsNeverAdmitted) {
  Trace trace;
  trace.add(key_of('a'), 10);
  trace.add(key_of('b'), 21);
  trace.add(key_of('a'), 10);
  trace.add(key_of('b'), 21);
  const SimulationResult result = run<PlainLru>(trace, 20);
  EXPECT_EQ(result.hits, 1U);
  EXPECT_EQ(result.refused, 2U);
  EXPECT_EQ(result.evictions, 0U);
}

TEST(Simulator, OverheadCountsForEachEntry) {
  EXPECT_EQ(run<PlainLru>(trace_of("abab", 10), 20).hits, 2U);
  EXPECT_EQ(run<PlainLru>(trace_of("abab", 10), 20, 1).hits, 0U);
  EXPECT_EQ(run<PlainLru>(trace_of("abab", 10), 22, 1).hits, 2U);
}

TEST(Simulator, EmptyObjectsTakeAByte) {
  EXPECT_EQ(run<PlainLru>(trace_of("abcabc", 0), 2).hits, 0U);
  EXPECT_EQ(run<PlainLru>(trace_of("abcabc", 0), 3).hits, 3U);
}

TEST(Simulator, ThePolicyHearsOfMissesThatFoundNothing) {
  const Trace trace = trace_of("abab", 10);
  PlainFifo policy;
  (void)simulate(trace, policy, {100, 0});
  EXPECT_EQ(policy.misses, 2);
}

}  // namespace
}  // namespace freshet::proxy
