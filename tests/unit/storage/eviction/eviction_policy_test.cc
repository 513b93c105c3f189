// What holds for every eviction policy, and what makes each the one that it is.
#include "storage/eviction/eviction_policy.h"

#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>

#include "storage/eviction/adaptive_policy.h"

namespace freshet::storage {
namespace {

Digest128 digest_of(std::uint64_t number) {
  return digest128(std::to_string(number));
}

// A cache of numbers: what simulators and stores do with a policy.
class Cache {
 public:
  Cache(std::string_view policy, std::uint64_t capacity)
      : capacity_(capacity), policy_(make_eviction_policy(policy, capacity)) {}

  // True: a hit.
  bool request(std::uint64_t number, std::uint64_t bytes = 1) {
    const auto place = held_.find(number);
    if (place != held_.end()) {
      policy_->use(place->second);
      return true;
    }
    policy_->miss(digest_of(number));
    EvictionNode& node = held_[number];
    node.digest = digest_of(number);
    set_bytes(node, bytes);
    numbers_[node.digest] = number;
    policy_->insert(node);
    shrink();
    return false;
  }
  void shrink() {
    while (policy_->bytes() > capacity_) {
      EvictionNode* const victim = policy_->evict();
      ASSERT_NE(victim, nullptr);
      EXPECT_EQ(victim->queue, 0);
      ASSERT_EQ(held_.erase(numbers_.at(victim->digest)), 1U);
    }
  }
  void erase(std::uint64_t number) {
    policy_->erase(held_.at(number));
    held_.erase(number);
  }
  void resize(std::uint64_t number, std::uint64_t bytes) {
    policy_->resize(held_.at(number), bytes);
    shrink();
  }
  [[nodiscard]] bool has(std::uint64_t number) const { return held_.count(number) != 0; }
  [[nodiscard]] std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [number, node] : held_) sum += node.bytes;
    return sum;
  }
  [[nodiscard]] EvictionPolicy& policy() { return *policy_; }
  [[nodiscard]] EvictionNode& node(std::uint64_t number) { return held_.at(number); }
  [[nodiscard]] std::size_t size() const { return held_.size(); }

 private:
  const std::uint64_t capacity_;
  std::unique_ptr<EvictionPolicy> policy_;
  std::map<std::uint64_t, EvictionNode> held_;
  std::map<Digest128, std::uint64_t> numbers_;
};

// Small numbers are asked for more often.
class Skewed {
 public:
  std::uint64_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t random = state_ >> 40U;
    return random % (1 + random % 997 % 211 * (random % 13));
  }

 private:
  std::uint64_t state_ = 1;
};

class EveryPolicy : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryPolicy, KeepsItsAccountsThroughEverything) {
  Cache cache(GetParam(), 1000);
  Skewed numbers;
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    const std::uint64_t number = numbers.next();
    cache.request(number, 1 + number % 40);
    if (i % 7 == 0 && cache.has(number)) cache.resize(number, 1 + (number + i) % 60);
    if (i % 11 == 0 && cache.has(number)) cache.erase(number);
    ASSERT_LE(cache.bytes(), 1000U);
    ASSERT_EQ(cache.bytes(), cache.policy().bytes());
  }
  EXPECT_GT(cache.bytes(), 800U);
  std::size_t gone = 0;
  while (cache.policy().evict() != nullptr) ++gone;
  EXPECT_EQ(gone, cache.size());
  EXPECT_EQ(cache.policy().bytes(), 0U);
}

TEST_P(EveryPolicy, WhatItRemembersIsBounded) {
  Cache cache(GetParam(), 100'000);
  std::size_t most = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) cache.request(i, 100);
  for (std::uint64_t i = 20'000; i < 100'000; ++i) {
    cache.request(i, 100);
    most = std::max(most, cache.policy().overhead());
  }
  EXPECT_LT(most, 160 * 1000U) << "1000 entries fit";
}

TEST_P(EveryPolicy, WhatIsUsedAllTheTimeStays) {
  Cache cache(GetParam(), 100);
  for (int i = 0; i < 10; ++i) cache.request(1);
  for (std::uint64_t i = 100; i < 1100; ++i) {
    for (int j = 0; j < 3; ++j) EXPECT_TRUE(cache.request(1)) << i;
    cache.request(i);
  }
}

TEST_P(EveryPolicy, WhatWasUsedOnceUponATimeGoes) {
  Cache cache(GetParam(), 100);
  for (int i = 0; i < 100; ++i) cache.request(1);
  for (std::uint64_t i = 0; i < 100'000; ++i) cache.request(1000 + i / 3 % 150 + i / 2000 * 1000);
  EXPECT_FALSE(cache.has(1));
}

TEST_P(EveryPolicy, AnEntryLargerThanEverythingLeavesAlone) {
  Cache cache(GetParam(), 100);
  cache.request(1, 101);
  EXPECT_EQ(cache.size(), 0U);
  cache.request(2, 10);
  EXPECT_EQ(cache.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Policies, EveryPolicy, ::testing::ValuesIn(eviction_policy_names()),
                         [](const auto& one) {
                           std::string name(one.param);
                           std::erase(name, '-');
                           return name;
                         });

TEST(EvictionPolicy, AnUnknownNameGivesNone) {
  EXPECT_EQ(make_eviction_policy("random", 100), nullptr);
}

TEST(LruPolicy, TheLeastRecentlyUsedGoes) {
  Cache cache("lru", 3);
  for (const std::uint64_t number : {1U, 2U, 3U, 1U, 4U}) cache.request(number);
  EXPECT_FALSE(cache.has(2));
  EXPECT_TRUE(cache.has(1));
}

TEST(SievePolicy, TheHandGoesOnWhereItStopped) {
  Cache cache("sieve", 4);
  for (const std::uint64_t number : {1U, 2U, 3U, 4U, 1U, 5U}) cache.request(number);
  EXPECT_FALSE(cache.has(2)) << "1 was used, so 2 goes";
  cache.erase(3);  // the hand stood there
  cache.request(6);
  cache.request(7);
  EXPECT_TRUE(cache.has(1)) << "the hand is past it";
  EXPECT_FALSE(cache.has(4));
}

TEST(S3FifoPolicy, AScanPassesThroughTheSmallQueue) {
  Cache cache("s3-fifo", 100);
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 80; ++i) cache.request(i);
  }
  for (std::uint64_t i = 1000; i < 2000; ++i) cache.request(i);
  for (std::uint64_t i = 0; i < 80; ++i) EXPECT_TRUE(cache.has(i)) << i;
}

TEST(S3FifoPolicy, WhoComesBackWhileItsGhostIsThereStays) {
  Cache cache("s3-fifo", 100);
  for (std::uint64_t i = 0; i < 150; ++i) cache.request(i);
  EXPECT_FALSE(cache.has(30));
  cache.request(30);
  for (std::uint64_t i = 1000; i < 1500; ++i) cache.request(i);
  EXPECT_TRUE(cache.has(30));
}

TEST(WTinyLfuPolicy, ANewcomerHasToBeAskedForMoreOftenThanWhatItDisplaces) {
  Cache cache("w-tinylfu", 100);
  for (std::uint64_t round = 0; round < 4; ++round) {
    for (std::uint64_t i = 0; i < 100; ++i) cache.request(i);
  }
  for (std::uint64_t i = 1000; i < 1100; ++i) cache.request(i);
  std::size_t left = 0;
  for (std::uint64_t i = 0; i < 100; ++i) left += cache.has(i) ? 1 : 0;
  EXPECT_GE(left, 85U) << "a scan; some look more popular than they are";
  for (int i = 0; i < 12; ++i) cache.request(5000);
  cache.request(5001);
  cache.request(5002);
  EXPECT_TRUE(cache.has(5000));
}

TEST(WTinyLfuPolicy, ALargeNewcomerHasToBeWorthAllThatItDisplaces) {
  Cache cache("w-tinylfu", 1000);
  for (int round = 0; round < 4; ++round) {
    for (std::uint64_t i = 0; i < 100; ++i) cache.request(i, 10);
  }
  cache.request(5000, 500);
  EXPECT_FALSE(cache.has(5000));
  EXPECT_GE(cache.size(), 98U);
  for (int i = 0; i < 12 && !cache.has(5000); ++i) cache.request(5000, 500);
  EXPECT_TRUE(cache.has(5000));
}

// How many of the numbers that `next` draws are missed.
template <typename Next>
std::uint64_t misses(std::string_view policy, std::uint64_t capacity, Next next) {
  Cache cache(policy, capacity);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 60'000; ++i) sum += cache.request(next(i)) ? 0 : 1;
  return sum;
}

TEST(AdaptivePolicy, WherePopularityStaysItMissesMuchLessThanLru) {
  const auto run = [](std::string_view policy) {
    Skewed numbers;
    return misses(policy, 60, [&](std::uint64_t /*i*/) { return numbers.next(); });
  };
  EXPECT_LT(run("s3-fifo"), run("lru"));
  EXPECT_LT(run("adaptive") * 100, run("lru") * 95);
}

// Each number is asked for a few times within a short while, and never again.
TEST(AdaptivePolicy, WherePopularityMovesOnItIsNearToLru) {
  const auto run = [](std::string_view policy) {
    std::uint64_t state = 1;
    return misses(policy, 400, [&](std::uint64_t i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      return i / 10 + (state >> 40U) % 350;
    });
  };
  EXPECT_GT(run("s3-fifo"), run("lru"));
  EXPECT_LT(run("adaptive"), run("s3-fifo"));
  EXPECT_LT(run("adaptive") * 100, run("lru") * 112);
}

TEST(AdaptivePolicy, AScanLeavesWhatWasUsed) {
  Cache cache("adaptive", 100);
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 80; ++i) cache.request(i);
  }
  for (std::uint64_t i = 1000; i < 2000; ++i) cache.request(i);
  for (std::uint64_t i = 0; i < 80; ++i) EXPECT_TRUE(cache.has(i)) << i;
}

EvictionNode node_of(std::uint64_t number) {
  EvictionNode node;
  node.digest = Digest128{number * 0x9e3779b97f4a7c15U, number};
  node.bytes = 1;
  return node;
}

TEST(AdaptivePolicy, WhatComesBackFromProbationGivesItRoomAndFromMainTakesIt) {
  AdaptivePolicy policy(100);
  EvictionNode one = node_of(1);
  EvictionNode two = node_of(2);
  const double first = policy.probation_capacity();
  policy.insert(one);
  EXPECT_EQ(policy.evict(), &one) << "from probation: nothing else is there";
  policy.insert(one);
  const double larger = policy.probation_capacity();
  EXPECT_GT(larger, first);
  policy.insert(two);
  EXPECT_EQ(policy.evict(), &one) << "from main, its use forgotten: probation has room";
  policy.insert(one);
  EXPECT_LT(policy.probation_capacity(), larger);
}

TEST(AdaptivePolicy, ProbationNeverHasAllNorNothing) {
  AdaptivePolicy policy(100);
  for (int i = 0; i < 1000; ++i) {
    EvictionNode node = node_of(1);
    policy.insert(node);
    ASSERT_EQ(policy.evict(), &node);
    EXPECT_GE(policy.probation_capacity(), 2);
    EXPECT_LE(policy.probation_capacity(), 95);
  }
}

TEST(AdaptivePolicy, ALargeEntryThatComesOnceGoesAgainAndTheSecondTimeStays) {
  Cache cache("adaptive", 10'000);
  for (std::uint64_t i = 0; i < 1000; ++i) cache.request(i, 10);
  cache.request(5000, 1000);
  EXPECT_FALSE(cache.has(5000));
  EXPECT_EQ(cache.size(), 1000U);
  cache.request(5000, 1000);
  EXPECT_TRUE(cache.has(5000));
}

TEST(AdaptivePolicy, ALargeEntryThatCameBackLeavesProbationToTheOthers) {
  Cache cache("adaptive", 10'000);
  for (std::uint64_t round = 0; round < 2; ++round) {
    for (std::uint64_t i = 0; i < 900; ++i) cache.request(i, 10);
  }
  for (std::uint64_t i = 1000; i < 1150; ++i) cache.request(i, 10);
  ASSERT_TRUE(cache.has(1149));
  cache.request(5000, 1000);
  cache.request(5000, 1000);
  for (std::uint64_t i = 1140; i < 1150; ++i) EXPECT_TRUE(cache.has(i)) << "tried still: " << i;
  for (std::uint64_t i = 2000; i < 2300; ++i) cache.request(i, 10);
  EXPECT_TRUE(cache.has(5000)) << "what comes once does not push it out";
}

TEST(AdaptivePolicy, WhereAllAreLargeTheFirstTimeIsEnough) {
  Cache cache("adaptive", 10'000);
  for (std::uint64_t i = 0; i < 20; ++i) {
    cache.request(i, 1000);
    EXPECT_TRUE(cache.has(i)) << i;
  }
}

}  // namespace
}  // namespace freshet::storage
