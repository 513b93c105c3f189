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
    EXPECT_EQ(info.type == "counter", info.name.ends_with("_total")) << info.name;
    EXPECT_TRUE(info.help.ends_with('.')) << info.name;
  }
}

TEST(Counters, ASetSumsAllThreads) {
  CounterSet set;
  std::vector<std::thread> threads;
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

}  // namespace
}  // namespace freshet::storage
