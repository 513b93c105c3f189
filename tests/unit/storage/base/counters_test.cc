#include "storage/base/counters.h"

#include <gtest/gtest.h>
#include <set>
#include <string>
#include <thread>

namespace freshet::storage {
namespace {

TEST(Counters, EachHasANameOfItsOwnAKindAndHelp) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Counter::kCount); ++i) {
    const CounterInfo& info = counter_info(static_cast<Counter>(i));
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(info.type == "counter" || info.type == "gauge") << info.name;
    EXPECT_EQ(info.type == "counter", info.name.substr(0, info.name.find('{')).ends_with("_total"))
        << info.name;
    EXPECT_TRUE(info.help.ends_with('.')) << info.name;
  }
}

TEST(Counters, ASetSumsAllThreads) {
  CounterSet set;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&set] {
      Counters& mine = set.make();
      for (int n = 0; n < 1000; ++n) mine.add(Counter::kHits);
      mine.add(Counter::kFillsOpen, 2);
      mine.add(Counter::kFillsOpen, -1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(set.sum(Counter::kHits), 4000);
  EXPECT_EQ(set.sum(Counter::kFillsOpen), 4);
  EXPECT_EQ(set.sum(Counter::kMisses), 0);
}

TEST(Counters, AHistogramCountsEachValueInItsBucketAndSumsAllThreads) {
  CounterSet set;
  Counters& one = set.make();
  Counters& two = set.make();
  one.observe(Histogram::kDurationHit, 0);
  one.observe(Histogram::kDurationHit, 100);  // a bound belongs to its bucket
  one.observe(Histogram::kDurationHit, 101);
  two.observe(Histogram::kDurationHit, 100'000'000);
  two.observe(Histogram::kDurationMiss, 7);
  const HistogramValues hits = set.sum(Histogram::kDurationHit);
  EXPECT_EQ(hits.buckets[0], 2U);
  EXPECT_EQ(hits.buckets[1], 1U);
  EXPECT_EQ(hits.buckets[kHistogramBounds], 1U);
  EXPECT_EQ(hits.count(), 4U);
  EXPECT_EQ(hits.sum, 100'000'201);
}

TEST(Counters, TheBoundsOfHistogramsRise) {
  for (const HistogramUnit unit : {HistogramUnit::kSeconds, HistogramUnit::kBytes}) {
    const HistogramBounds& bounds = histogram_bounds(unit);
    EXPECT_GT(bounds.front(), 0);
    for (std::size_t i = 1; i < bounds.size(); ++i) EXPECT_GT(bounds[i], bounds[i - 1]);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(Histogram::kCount); ++i) {
    const HistogramInfo& info = histogram_info(static_cast<Histogram>(i));
    // observe() takes the unit from the enumerator.
    EXPECT_EQ(info.unit == HistogramUnit::kBytes, static_cast<Histogram>(i) == Histogram::kBodySize);
    EXPECT_TRUE(info.help.ends_with('.')) << info.name;
  }
}

}  // namespace
}  // namespace freshet::storage
