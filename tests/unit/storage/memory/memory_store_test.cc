#include "storage/memory/memory_store.h"

#include <gtest/gtest.h>

#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using Found = ResponseStore::Found;
using tests::freshened;
using tests::key_in_shard;
using tests::key_of;
using tests::response_of;

constexpr std::size_t kMiB = std::size_t{1} << 20U;

class MemoryStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<MemoryStore> make(std::size_t budget = 16 * kMiB, std::size_t max_response = 0,
                                    std::size_t max_variants = 64) {
    return std::make_unique<MemoryStore>(MemoryStoreOptions{budget, max_response, max_variants}, Describe{},
                                         counters_);
  }
  static bool has(MemoryStore& store, const CacheKey& key) {
    return store.try_lookup(key).found == Found::kYes;
  }
  // What the gauges say agrees with the store.
  void expect_accounted(const MemoryStore& store, std::int64_t responses) {
    EXPECT_EQ(counters_.get(Counter::kMemoryResponses), responses);
    EXPECT_EQ(counters_.get(Counter::kMemoryBytes), static_cast<std::int64_t>(store.size()));
  }

  Counters counters_;
};

TEST_F(MemoryStoreTest, FindsWhatWasPut) {
  const auto store = make();
  const auto response = response_of({key_of("/a")});
  EXPECT_FALSE(has(*store, key_of("/a")));
  EXPECT_TRUE(store->put(response, true));
  const auto found = store->try_lookup(key_of("/a"));
  ASSERT_EQ(found.found, Found::kYes);
  ASSERT_EQ(found.variants->size(), 1U);
  EXPECT_EQ(found.variants->front(), response);
  EXPECT_FALSE(has(*store, key_of("/b")));
  EXPECT_GE(store->size(), response->memory_size());
  expect_accounted(*store, 1);
}

TEST_F(MemoryStoreTest, ABodyThatVariantsShareCountsOnce) {
  const auto store = make();
  const auto english = response_of({key_of("/a"), 100, "en"}, std::string(100'000, 'x'));
  store->put(english, true);
  const std::size_t one = store->size();
  StoredHead head = english->head();
  head.selecting.front().value = "de";
  store->add_variant(english, std::make_shared<const StoredResponse>(head, english->body(), Describe{}));
  EXPECT_GT(store->size(), one);
  EXPECT_LT(store->size(), one + 10'000);
  expect_accounted(*store, 2);
  // The one that is left counts it.
  store->put(response_of({key_of("/a"), 200, "en"}, "short"), true);
  EXPECT_GT(store->size(), 100'000U);
  store->remove(key_of("/a"));
  EXPECT_EQ(store->size(), 0U);
}

TEST_F(MemoryStoreTest, ALookupIsAnsweredByAPostedTask) {
  const auto store = make();
  tests::ManualExecutor executor;
  store->put(response_of({key_of("/a")}), true);
  VariantSetPtr found;
  store->lookup(key_of("/a"), executor, [&](VariantSetPtr variants) { found = std::move(variants); });
  EXPECT_EQ(found, nullptr);
  executor.run();
  EXPECT_NE(found, nullptr);
}

TEST_F(MemoryStoreTest, TheSameSelectingFieldsReplaceOthersStayNewestFirst) {
  const auto store = make();
  const auto english = response_of({key_of("/a"), 100, "en"});
  const auto german = response_of({key_of("/a"), 300, "de"});
  const auto french = response_of({key_of("/a"), 200, "fr"});
  for (const auto& each : {english, german, french}) store->put(each, true);
  EXPECT_EQ(*store->try_lookup(key_of("/a")).variants, (VariantSet{german, french, english}));
  const auto newer = response_of({key_of("/a"), 400, "en"});
  store->put(newer, true);
  EXPECT_EQ(*store->try_lookup(key_of("/a")).variants, (VariantSet{newer, german, french}));
  expect_accounted(*store, 3);
}

TEST_F(MemoryStoreTest, TheOldestVariantsGoFirst) {
  const auto store = make(16 * kMiB, 0, 3);
  for (int i = 1; i <= 5; ++i) store->put(response_of({key_of("/a"), i, std::to_string(i)}), true);
  const auto variants = store->try_lookup(key_of("/a")).variants;
  ASSERT_EQ(variants->size(), 3U);
  EXPECT_EQ(variants->front()->head().response_time, wall_from_seconds(5));
  EXPECT_EQ(variants->back()->head().response_time, wall_from_seconds(3));
  expect_accounted(*store, 3);
}

TEST_F(MemoryStoreTest, FresheningPutsANewHeadBeforeTheSameBody) {
  const auto store = make();
  const auto old = response_of({key_of("/a"), 100, "en"});
  const auto other = response_of({key_of("/a"), 200, "de"});
  store->put(old, true);
  store->put(other, true);
  const auto fresh = freshened(old, 300);
  store->freshen(old, fresh);
  const auto variants = store->try_lookup(key_of("/a")).variants;
  EXPECT_EQ(*variants, (VariantSet{fresh, other}));
  EXPECT_EQ(variants->front()->body().get(), old->body().get());
  expect_accounted(*store, 2);
}

TEST_F(MemoryStoreTest, FresheningWhatIsNoLongerThereDoesNothing) {
  const auto store = make();
  const auto old = response_of({key_of("/a"), 100});
  const auto fresh = freshened(old, 300);
  store->freshen(old, fresh);
  EXPECT_FALSE(has(*store, key_of("/a")));
  const auto replaced = response_of({key_of("/a"), 200});
  store->put(old, true);
  store->put(replaced, true);
  store->freshen(old, fresh);
  EXPECT_EQ(*store->try_lookup(key_of("/a")).variants, VariantSet{replaced});
}

TEST_F(MemoryStoreTest, RemovesByKeyAndByResponse) {
  const auto store = make();
  const auto english = response_of({key_of("/a"), 100, "en"});
  const auto german = response_of({key_of("/a"), 200, "de"});
  store->put(english, true);
  store->put(german, true);
  store->put(response_of({key_of("/b")}), true);
  store->remove(*english);
  EXPECT_EQ(*store->try_lookup(key_of("/a")).variants, VariantSet{german});
  store->remove(*english);
  EXPECT_TRUE(has(*store, key_of("/a")));
  store->remove(*german);
  EXPECT_FALSE(has(*store, key_of("/a")));
  store->remove(key_of("/b"));
  store->remove(key_of("/b"));
  EXPECT_EQ(store->size(), 0U);
  expect_accounted(*store, 0);
}

// A damaged body is the same body whatever head stands before it.
TEST_F(MemoryStoreTest, RemovingAResponseFindsItFreshenedToo) {
  const auto store = make();
  const auto old = response_of({key_of("/a"), 100});
  store->put(old, true);
  store->freshen(old, freshened(old, 200));
  store->remove(*old);
  EXPECT_FALSE(has(*store, key_of("/a")));
  const auto replaced = response_of({key_of("/a"), 300});
  store->put(replaced, true);
  store->remove(*old);
  EXPECT_TRUE(has(*store, key_of("/a")));
}

TEST_F(MemoryStoreTest, ADigestCollisionIsAMiss) {
  const auto store = make();
  CacheKey twin = key_of("/b");
  twin.digest = key_of("/a").digest;
  const auto old = response_of({key_of("/a")});
  store->put(old, true);
  EXPECT_FALSE(has(*store, twin));
  store->remove(twin);
  EXPECT_TRUE(has(*store, key_of("/a")));
  store->put(response_of({twin, 200, "en"}), true);
  EXPECT_FALSE(has(*store, key_of("/a")));
  ASSERT_TRUE(has(*store, twin));
  EXPECT_EQ(store->try_lookup(twin).variants->size(), 1U) << "no variant of the other key";
  store->freshen(old, freshened(old, 300));
  EXPECT_EQ(store->try_lookup(twin).variants->size(), 1U);
  store->remove(twin);
  EXPECT_EQ(store->size(), 0U);
  expect_accounted(*store, 0);
}

TEST_F(MemoryStoreTest, ATooLargeBodyIsNotKept) {
  const auto store = make(kMiB);
  EXPECT_EQ(store->max_response(), kMiB / 8);
  EXPECT_FALSE(store->put(response_of({key_of("/a")}, std::string(kMiB / 8 + 1, 'x')), true));
  EXPECT_FALSE(has(*store, key_of("/a")));
  EXPECT_EQ(store->begin(key_of("/a"), kMiB / 8 + 1), nullptr);
}

TEST_F(MemoryStoreTest, AWriterMakesTheResponseVisibleAtCommitOnly) {
  const auto store = make();
  tests::ManualExecutor executor;
  const auto writer = store->begin(key_of("/a"), std::nullopt);
  ASSERT_NE(writer, nullptr);
  EXPECT_TRUE(writer->append(Chunk::adopt("ab")));
  EXPECT_FALSE(has(*store, key_of("/a")));
  std::optional<bool> stored;
  writer->commit(tests::head_of({key_of("/a")}), ChunkList{Chunk::adopt("ab")}, executor,
                 [&](bool is_stored) { stored = is_stored; });
  executor.run();
  EXPECT_EQ(stored, true);
  EXPECT_TRUE(has(*store, key_of("/a")));
}

TEST_F(MemoryStoreTest, AWriterThatIsDroppedOrHasNoWholeBodyStoresNothing) {
  const auto store = make();
  tests::ManualExecutor executor;
  (void)store->begin(key_of("/a"), 2)->append(Chunk::adopt("ab"));
  EXPECT_FALSE(has(*store, key_of("/a")));
  std::optional<bool> stored;
  store->begin(key_of("/a"), 2)
      ->commit(tests::head_of({key_of("/a")}), std::nullopt, executor,
               [&](bool is_stored) { stored = is_stored; });
  executor.run();
  EXPECT_EQ(stored, false);
  EXPECT_EQ(store->size(), 0U);
}

TEST_F(MemoryStoreTest, TheBudgetIsNeverExceededAfterAPut) {
  const auto store = make(kMiB, 200 * 1024);
  std::uint64_t lowest = kMiB;
  for (std::uint64_t i = 0; i < 500; ++i) {
    store->put(response_of({key_of("/" + std::to_string(i)), 100, i % 3 == 0 ? "en" : ""},
                           std::string((i * 7919) % (180 * 1024), 'x')),
               true);
    EXPECT_LE(store->size(), kMiB);
    if (i > 100) lowest = std::min<std::uint64_t>(lowest, store->size());
  }
  EXPECT_GE(lowest, kMiB / 2) << "no more goes than must";
  EXPECT_GT(counters_.get(Counter::kMemoryEvictions), 0);
  for (std::uint64_t i = 0; i < 500; ++i) store->remove(key_of("/" + std::to_string(i)));
  EXPECT_EQ(store->size(), 0U);
  expect_accounted(*store, 0);
}

TEST_F(MemoryStoreTest, LargerHeadsFromFresheningStayWithinTheBudget) {
  const auto store = make(kMiB);
  std::vector<StoredResponsePtr> stored;
  for (int i = 0; i < 100; ++i) {
    stored.push_back(response_of({key_of("/" + std::to_string(i))}, std::string(8 * 1024, 'x')));
    store->put(stored.back(), true);
  }
  for (const auto& old : stored) store->freshen(old, freshened(old, 200, std::string(8 * 1024, 'h')));
  EXPECT_LE(store->size(), kMiB);
}

TEST_F(MemoryStoreTest, SieveSparesWhatWasUsed) {
  const auto store = make(kMiB);
  const std::string body(kMiB / 12, 'x');
  const CacheKey used = key_in_shard(5, 0);
  store->put(response_of({used}, body), true);
  for (std::uint64_t i = 1; i <= 60; ++i) {
    EXPECT_TRUE(has(*store, used)) << i;
    store->put(response_of({key_in_shard(5, i)}, body), true);
  }
}

// Large responses: fewer than there are shards.
TEST_F(MemoryStoreTest, SieveSparesWhatWasUsedWhereEachShardHasOne) {
  const auto store = make(kMiB);
  const std::string body(kMiB / 12, 'x');
  const CacheKey used = key_in_shard(63, 0);
  store->put(response_of({used}, body), true);
  for (std::uint64_t i = 1; i <= 300; ++i) {
    EXPECT_TRUE(has(*store, used)) << i;
    const CacheKey newest = key_in_shard((i * 11) % 63, i);
    store->put(response_of({newest}, body), true);
    bool complete = false;
    EXPECT_NE(store->find(newest, complete), nullptr) << "what was just stored is the last to go";
  }
}

TEST_F(MemoryStoreTest, WhatWasUsedOnceAndNoMoreGoesInTheEnd) {
  const auto store = make(kMiB);
  const std::string body(kMiB / 12, 'x');
  const CacheKey once = key_in_shard(5, 0);
  store->put(response_of({once}, body), true);
  EXPECT_TRUE(has(*store, once));
  for (std::uint64_t i = 1; i <= 200; ++i) store->put(response_of({key_in_shard(i % 64, i)}, body), true);
  EXPECT_FALSE(has(*store, once));
}

// The hand stands before what comes next: removing that makes it stand before the one after.
TEST_F(MemoryStoreTest, RemovingUnderTheHandDoesNotSendItBack) {
  const auto store = make(kMiB);
  const std::string body(kMiB / 9, 'x');  // eight fit
  for (std::uint64_t i = 0; i < 8; ++i) store->put(response_of({key_in_shard(1, i)}, body), true);
  for (const std::uint64_t used : {0U, 1U}) EXPECT_TRUE(has(*store, key_in_shard(1, used)));
  // Passes 0 and 1, which were used, takes 2; the hand stands at 3.
  store->put(response_of({key_in_shard(1, 8)}, body), true);
  bool complete = false;
  EXPECT_EQ(store->find(key_in_shard(1, 2), complete), nullptr);
  store->remove(key_in_shard(1, 3));
  store->put(response_of({key_in_shard(1, 9)}, body), true);
  store->put(response_of({key_in_shard(1, 10)}, body), true);
  EXPECT_EQ(store->find(key_in_shard(1, 4), complete), nullptr);
  EXPECT_NE(store->find(key_in_shard(1, 1), complete), nullptr);
}

TEST_F(MemoryStoreTest, OneResponseOverTheWholeBudgetLeavesTheStoreEmpty) {
  const auto store = make(10000, 20000);
  store->put(response_of({key_of("/a")}, std::string(15000, 'x')), true);
  EXPECT_EQ(store->size(), 0U);
  EXPECT_FALSE(has(*store, key_of("/a")));
}

TEST_F(MemoryStoreTest, WhoHoldsAResponseKeepsItWhenItIsEvicted) {
  const auto store = make(20000, 15000);
  store->put(response_of({key_of("/a")}, std::string(12000, 'x')), true);
  const auto held = store->try_lookup(key_of("/a")).variants->front();
  for (int i = 0; i < 4; ++i) {
    store->put(response_of({key_of("/" + std::to_string(i))}, std::string(12000, 'y')), true);
  }
  EXPECT_FALSE(has(*store, key_of("/a")));
  EXPECT_EQ(tests::bytes_of(*held->body(), 12000), std::string(12000, 'x'));
}

TEST_F(MemoryStoreTest, MergeKeepsTheNewerOfEachVariantAndCompletesTheKey) {
  const auto store = make();
  const auto mine = response_of({key_of("/a"), 300, "en"});
  store->put(mine, false);
  bool complete = true;
  EXPECT_NE(store->find(key_of("/a"), complete), nullptr);
  EXPECT_FALSE(complete);
  const auto older = response_of({key_of("/a"), 200, "en"});
  const auto german = response_of({key_of("/a"), 100, "de"});
  const auto others = std::make_shared<VariantSet>(VariantSet{older, german});
  const auto merged = store->merge(key_of("/a"), others, store->removals(key_of("/a")));
  EXPECT_EQ(*merged, (VariantSet{mine, german}));
  EXPECT_EQ(*store->find(key_of("/a"), complete), (VariantSet{mine, german}));
  EXPECT_TRUE(complete);
  expect_accounted(*store, 2);
}

TEST_F(MemoryStoreTest, ARemovalBeatsAMergeThatBeganBefore) {
  const auto store = make();
  const auto others = std::make_shared<VariantSet>(VariantSet{response_of({key_of("/a")})});
  const std::uint64_t removals = store->removals(key_of("/a"));
  store->remove(key_of("/a"));
  EXPECT_EQ(*store->merge(key_of("/a"), others, removals), *others);
  EXPECT_FALSE(has(*store, key_of("/a")));
}

}  // namespace
}  // namespace freshet::storage
