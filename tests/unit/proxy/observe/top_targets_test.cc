#include "proxy/observe/top_targets.h"

#include <gtest/gtest.h>
#include <random>
#include <thread>

namespace freshet::proxy {
namespace {

using storage::MonoTime;

ExchangeRecord record_of(std::string_view path, CacheOutcome outcome = CacheOutcome::kHit) {
  ExchangeRecord record;
  record.host = "h";
  record.path = path;
  record.body_bytes = 10;
  record.outcome = outcome;
  record.total_time = std::chrono::microseconds{5};
  return record;
}

class TopTargetsTest : public testing::Test {
 protected:
  const MonoTime now_{std::chrono::seconds{100}};
  TopTargets top_;
};

TEST_F(TopTargetsTest, CountsOnlyWhileSomebodyLooks) {
  TargetCounts& counts = top_.make();
  EXPECT_FALSE(counts.wanted());
  EXPECT_TRUE(top_.look(now_).empty());
  EXPECT_TRUE(counts.wanted());
  counts.count(record_of("/"), now_);
  EXPECT_EQ(top_.look(now_).size(), 1U);
  // Nobody has looked for long: the next request finds that out.
  const MonoTime later = now_ + TopTargets::kAttention + std::chrono::seconds{1};
  counts.count(record_of("/"), later);
  EXPECT_FALSE(counts.wanted());
  EXPECT_TRUE(top_.look(later).empty());
  EXPECT_TRUE(counts.wanted());
}

TEST_F(TopTargetsTest, AddsUpTheWorkers) {
  TargetCounts& one = top_.make();
  TargetCounts& two = top_.make();
  (void)top_.look(now_);
  for (int i = 0; i < 3; ++i) one.count(record_of("/a"), now_);
  two.count(record_of("/a", CacheOutcome::kMiss), now_);
  two.count(record_of("/b", CacheOutcome::kStale), now_);
  two.count(record_of("", CacheOutcome::kError), now_);  // no target
  const auto all = top_.look(now_);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].target, "h/a");
  EXPECT_EQ(all[0].requests, 4U);
  EXPECT_EQ(all[0].hits, 3U);
  EXPECT_EQ(all[0].bytes, 40U);
  EXPECT_EQ(all[0].time.count(), 20);
  EXPECT_EQ(all[0].overcount, 0U);
  EXPECT_EQ(all[1].hits, 1U);
}

// The bound that Space-Saving promises: what is asked for more than once in kTargets is there, and no count
// is too low, nor too high by more than its overcount.
TEST_F(TopTargetsTest, TheMostWantedAreThereWhateverElseIs) {
  TargetCounts& counts = top_.make();
  (void)top_.look(now_);
  std::mt19937 random(1);
  constexpr std::uint64_t kRequests = 100'000;
  std::uint64_t often = 0;
  for (std::uint64_t i = 0; i < kRequests; ++i) {
    const bool wanted = random() % 100 == 0;
    often += wanted ? 1 : 0;
    counts.count(record_of(wanted ? "/often" : "/" + std::to_string(i)), now_);
  }
  const auto all = top_.look(now_);
  ASSERT_EQ(all.size(), TargetCounts::kTargets);
  const auto found =
      std::find_if(all.begin(), all.end(), [](const auto& use) { return use.target == "h/often"; });
  ASSERT_NE(found, all.end());
  EXPECT_GE(found->requests, often);
  EXPECT_LE(found->requests - found->overcount, often);
  EXPECT_LE(found->overcount, kRequests / TargetCounts::kTargets);
}

TEST_F(TopTargetsTest, ALongTargetIsCut) {
  TargetCounts& counts = top_.make();
  (void)top_.look(now_);
  counts.count(record_of("/" + std::string(10'000, 'x')), now_);
  EXPECT_EQ(top_.look(now_)[0].target.size(), TargetCounts::kLongestTarget);
}

TEST_F(TopTargetsTest, IsLookedAtWhileWorkersCount) {
  TargetCounts& counts = top_.make();
  (void)top_.look(now_);
  constexpr std::uint64_t kRequests = 20'000;
  std::thread worker([&] {
    for (std::uint64_t i = 0; i < kRequests; ++i) counts.count(record_of("/"), now_);
  });
  std::uint64_t seen = 0;
  while (seen < kRequests) {
    const auto all = top_.look(now_);
    const std::uint64_t requests = all.empty() ? 0 : all[0].requests;
    EXPECT_GE(requests, seen);
    seen = requests;
  }
  worker.join();
}

}  // namespace
}  // namespace freshet::proxy
