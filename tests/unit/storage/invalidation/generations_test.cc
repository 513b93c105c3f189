#include "storage/invalidation/generations.h"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>

#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using tests::head_of;
using tests::key_in_shard;
using tests::key_of;
using tests::response_of;

TEST(Generations, KillsWhatWasFilledBeforeAndSparesWhatComesAfter) {
  Generations generations(5);
  EXPECT_EQ(generations.current(), 5U);
  const CacheKey key = key_of("/a");
  EXPECT_TRUE(generations.is_current(key, 0));
  EXPECT_EQ(generations.invalidate(key), 6U);
  EXPECT_EQ(generations.current(), 6U);
  EXPECT_FALSE(generations.is_current(key, 0));
  EXPECT_FALSE(generations.is_current(key, 5));
  EXPECT_TRUE(generations.is_current(key, 6));
  EXPECT_EQ(generations.invalidate(key), 7U);
  EXPECT_FALSE(generations.is_current(key, 6));
}

TEST(Generations, AnotherKeyIsNotTouched) {
  Generations generations(5);
  generations.invalidate(key_in_shard(3, 1));
  EXPECT_TRUE(generations.is_current(key_in_shard(3, 2), 5));
  EXPECT_TRUE(generations.is_current(key_in_shard(4, 1), 5));
}

TEST(Generations, WhatAResponseRemembersEndsWithTheNextInvalidation) {
  Generations generations(5);
  const auto response = response_of({key_of("/a"), 100, "", 5});
  EXPECT_TRUE(generations.is_current(*response));
  EXPECT_EQ(response->checked_at(), 5U);
  generations.invalidate(key_of("/b"));
  EXPECT_TRUE(generations.is_current(*response));
  EXPECT_EQ(response->checked_at(), 6U);
  generations.invalidate(key_of("/a"));
  EXPECT_FALSE(generations.is_current(*response));
  EXPECT_FALSE(generations.is_current(*response));
  EXPECT_EQ(response->checked_at(), 6U) << "only good answers are remembered";
}

TEST(Generations, ValidationDoesNotBringAResponseBack) {
  Generations generations(5);
  StoredHead head = head_of({key_of("/a"), 100, "", 5});
  head.validated_at = generations.invalidate(key_of("/a"));
  EXPECT_FALSE(generations.is_current(head));
}

StoredHead tagged(std::string_view path, Sequence filled_at, std::vector<std::string> tags) {
  StoredHead head = head_of({key_of(path), 100, "", filled_at});
  head.tags = std::move(tags);
  return head;
}

TEST(Generations, ATagKillsWhatCarriesItAndWasFilledBefore) {
  Generations generations(5);
  const Sequence sequence = generations.invalidate_tag("group:b");
  EXPECT_EQ(sequence, 6U);
  EXPECT_FALSE(generations.is_current(tagged("/1", 5, {"group:b"})));
  EXPECT_FALSE(generations.is_current(tagged("/2", 5, {"group:a", "group:b"})));
  EXPECT_TRUE(generations.is_current(tagged("/3", 5, {"group:a", "group:B"})));
  EXPECT_TRUE(generations.is_current(tagged("/4", 5, {})));
  EXPECT_TRUE(generations.is_current(tagged("/5", sequence, {"group:b"})));
  EXPECT_TRUE(generations.is_current(key_of("/1"), 5)) << "the key alone knows no tags";
}

TEST(Generations, WhatAResponseRemembersEndsWithATagToo) {
  Generations generations(5);
  const StoredResponse response(tagged("/a", 5, {"group:a"}), make_memory_body({}), {});
  EXPECT_TRUE(generations.is_current(response));
  generations.invalidate_tag("group:b");
  EXPECT_TRUE(generations.is_current(response));
  EXPECT_EQ(response.checked_at(), 6U);
  generations.invalidate_tag("group:a");
  EXPECT_FALSE(generations.is_current(response));
}

TEST(Generations, OverflowOfTagsForgetsMoreButNothingWithoutATag) {
  Generations generations(5, 1000, 16);
  for (int i = 0; i < 100; ++i) generations.invalidate_tag("group:" + std::to_string(i));
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(generations.is_current(tagged("/", 5, {"group:" + std::to_string(i)}))) << i;
  }
  EXPECT_TRUE(generations.is_current(tagged("/", 5, {})));
  EXPECT_TRUE(generations.is_current(tagged("/", generations.current(), {"group:1"})));
}

TEST(Generations, WhatWasKeptOfAnEarlierRunStillKills) {
  for (const std::size_t max_tags : {std::size_t{1000}, std::size_t{0}}) {
    Generations generations(1, 1000, max_tags);
    generations.begin_at(1000);
    TagInvalidations kept;
    kept.floor = 10;
    for (Sequence i = 0; i < 50; ++i)
      kept.newest.push_back({digest128("group:" + std::to_string(i)), 100 + i});
    generations.restore(kept);
    EXPECT_EQ(generations.current(), 1000U);
    for (Sequence i = 0; i < 50; ++i) {
      EXPECT_FALSE(generations.is_current(tagged("/", 99 + i, {"group:" + std::to_string(i)}))) << i;
      EXPECT_TRUE(generations.is_current(tagged("/", 1000, {"group:" + std::to_string(i)}))) << i;
    }
    EXPECT_FALSE(generations.is_current(tagged("/", 9, {"group:other"})));
    EXPECT_TRUE(generations.is_current(tagged("/", 9, {})));
  }
}

// Sixteen shards, one key each plus one: the second key of a shard makes the first one part of the floor.
TEST(Generations, OverflowForgetsMoreAndNeverLess) {
  Generations generations(5, 0);
  const CacheKey first = key_in_shard(1, 1);
  const CacheKey second = key_in_shard(1, 2);
  const CacheKey bystander = key_in_shard(1, 3);
  const CacheKey elsewhere = key_in_shard(2, 1);
  const Sequence at_first = generations.invalidate(first);
  EXPECT_TRUE(generations.is_current(bystander, at_first - 1));
  const Sequence floor = generations.invalidate(second);
  EXPECT_FALSE(generations.is_current(first, at_first - 1));
  EXPECT_FALSE(generations.is_current(second, floor - 1));
  EXPECT_FALSE(generations.is_current(bystander, floor - 1)) << "one floor for all of the shard";
  EXPECT_TRUE(generations.is_current(first, floor));
  EXPECT_TRUE(generations.is_current(second, floor));
  EXPECT_TRUE(generations.is_current(elsewhere, 0)) << "another shard has its own";
}

TEST(Generations, AfterManyOverflowsEveryInvalidationStillHolds) {
  Generations generations(1, 64);
  std::vector<std::pair<CacheKey, Sequence>> invalidated;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const CacheKey key = key_in_shard(i % 64, i / 64);
    invalidated.emplace_back(key, generations.invalidate(key));
  }
  for (const auto& each : invalidated) EXPECT_FALSE(generations.is_current(each.first, each.second - 1));
  EXPECT_TRUE(generations.is_current(invalidated.back().first, generations.current()));
}

TEST(Generations, OnceInvalidateHasReturnedNoThreadFindsTheResponseCurrent) {
  Generations generations;
  std::atomic<bool> stop = false;
  std::atomic<Sequence> returned = 0;  // the newest invalidation of /a that has returned
  std::thread noise([&] {
    for (int i = 0; !stop.load(); ++i) generations.invalidate(key_of("/" + std::to_string(i % 100)));
  });
  std::thread reader([&] {
    while (!stop.load()) {
      const Sequence before = returned.load();
      if (before == 0) continue;
      const auto response = response_of({key_of("/a"), 100, "", before - 1});
      EXPECT_FALSE(generations.is_current(*response));
    }
  });
  for (int i = 0; i < 2000; ++i) returned.store(generations.invalidate(key_of("/a")));
  stop.store(true);
  noise.join();
  reader.join();
}

}  // namespace
}  // namespace freshet::storage
