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
  EXPECT_EQ(response->remembered(5), std::nullopt);
  EXPECT_TRUE(generations.is_current(*response));
  EXPECT_EQ(response->remembered(5), Standing::kCurrent);
  generations.invalidate(key_of("/b"));
  EXPECT_EQ(response->remembered(6), std::nullopt);
  EXPECT_TRUE(generations.is_current(*response));
  EXPECT_EQ(response->remembered(6), Standing::kCurrent);
  generations.invalidate(key_of("/a"));
  EXPECT_FALSE(generations.is_current(*response));
  EXPECT_EQ(response->remembered(7), Standing::kDead);
  EXPECT_FALSE(generations.is_current(*response));
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
  EXPECT_EQ(response.remembered(6), Standing::kCurrent);
  generations.invalidate_tag("group:a");
  EXPECT_FALSE(generations.is_current(response));
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

// With room for two scopes each invalidation sends older ones on: from the URL to its host, then to all.
TEST(Generations, AScopeThatIsBeingMergedIsMissedByNoThread) {
  Generations generations(1, 2 * Generations::kScopeCost);
  std::atomic<bool> stop = false;
  std::atomic<Sequence> returned = 0;
  std::thread reader([&] {
    while (!stop.load()) {
      const Sequence before = returned.load();
      if (before == 0) continue;
      EXPECT_FALSE(generations.is_current(key_of("/a"), before - 1));
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    returned.store(generations.invalidate(key_of("/a")));
    for (const char* host : {"b", "c", "d", "e"}) {
      generations.invalidate(make_cache_key("http", host, "/"));
    }
  }
  stop.store(true);
  reader.join();
}

}  // namespace
}  // namespace freshet::storage
