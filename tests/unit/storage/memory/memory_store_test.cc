#include "storage/memory/memory_store.h"

#include <gtest/gtest.h>
#include <malloc.h>

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

// What the budget speaks of is what the process takes. (A sanitizer's allocator counts otherwise.)
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(MemoryStoreTest, WhatIsAccountedIsWhatMallocGave) {
  constexpr std::size_t kResponses = 100'000;
  const auto held = [] {
    const auto now = mallinfo2();
    return static_cast<double>(now.uordblks + now.hblkhd);
  };
  const double before = held();
  const auto store = make(1024 * kMiB);
  const std::string body(4096, 'x');
  for (std::size_t i = 0; i < kResponses; ++i) {
    StoredHead head = tests::head_of({key_of("/pictures/of/something/" + std::to_string(i))});
    head.response.fields.add("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
    head.response.fields.add("Cache-Control", "public, max-age=86400");
    head.body_size = body.size();
    store->put(std::make_shared<const StoredResponse>(std::move(head),
                                                      make_memory_body({Chunk::copy_of(body)}), Describe{}),
               true);
  }
  const double accounted = static_cast<double>(store->size() + store->policy_overhead());
  EXPECT_NEAR(accounted, held() - before, 0.05 * accounted);
  EXPECT_EQ(counters_.get(Counter::kMemoryResponses), static_cast<std::int64_t>(kResponses));
}
#endif

// Beside the body, the URL and the field lines themselves; what policy derives comes on top
// (ResponseFacts, TheyAreSmall).
TEST_F(MemoryStoreTest, AResponseTakesLittleBesidesWhatItSays) {
  const auto store = make();
  const std::string body(4096, 'x');
  StoredHead head = tests::head_of({key_of("/" + std::string(40, 'u'))});
  head.response.reason = "OK";
  while (head.response.fields.size() < 10) head.response.fields.add("X-Some-Name", std::string(14, 'v'));
  const std::size_t said = body.size() + head.key.text.size() + head.response.fields.wire().size();
  store->put(std::make_shared<const StoredResponse>(std::move(head), make_memory_body({Chunk::copy_of(body)}),
                                                    Describe{}),
             true);
  EXPECT_LE(store->size() - said, 592U);
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

TEST_F(MemoryStoreTest, WhatIsUsedStays) {
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
TEST_F(MemoryStoreTest, WhatIsUsedStaysWhereFewFit) {
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
  // Others are used too; those that are not would not push it out.
  for (std::uint64_t i = 1; i <= 200; ++i) {
    const CacheKey other = key_in_shard(i % 64, i);
    store->put(response_of({other}, body), true);
    EXPECT_TRUE(has(*store, other)) << i;
  }
  EXPECT_FALSE(has(*store, once));
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

// In use: each is asked for again and again, but never two rounds in a row by the same number of others.
class MemoryStoreAdmission : public MemoryStoreTest {
 protected:
  static constexpr std::uint64_t kSmall = 1000;
  static constexpr std::size_t kBudget = 6 * kMiB;

  MemoryStoreAdmission() : store_(make(kBudget)) {
    const std::string body(4096, 'x');
    // Some more than fit, so that the store is full.
    for (std::uint64_t i = 0; i < 300; ++i) store_->put(response_of({small(kSmall + i)}, body), true);
    for (std::uint64_t i = 0; i < kSmall; ++i) {
      store_->put(response_of({small(i)}, body), true);
      EXPECT_TRUE(has(*store_, small(i)));
    }
  }
  static CacheKey small(std::uint64_t number) { return key_of("/small/" + std::to_string(number)); }
  void put_large(const CacheKey& key) {
    store_->put(response_of({key}, std::string(kBudget / 8 - 1000, 'L')), true);
  }
  // How many of the small ones there are; does not use them.
  [[nodiscard]] std::uint64_t left() const {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < kSmall; ++i) sum += store_->holds(small(i).digest) ? 1 : 0;
    return sum;
  }

  const std::unique_ptr<MemoryStore> store_;
};

TEST_F(MemoryStoreAdmission, ALargeResponseThatCameOnceDoesNotPushOutAThousandSmallOnes) {
  ASSERT_EQ(left(), kSmall);
  // There is room for two, and no more.
  for (int i = 0; i < 50; ++i) put_large(key_of("/large/" + std::to_string(i)));
  EXPECT_EQ(left(), kSmall);
  EXPECT_GT(counters_.get(Counter::kMemoryRefused), 0);
  EXPECT_LE(store_->size() + store_->policy_overhead(), kBudget);
}

TEST_F(MemoryStoreAdmission, ALargeResponseThatIsUsedOftenIsKept) {
  for (int i = 0; i < 10; ++i) put_large(key_of("/large/" + std::to_string(i)));
  const CacheKey large = key_of("/large/often");
  for (int i = 0; i < 3 && !has(*store_, large); ++i) put_large(large);
  for (std::uint64_t i = 0; i < 3000; ++i) {
    EXPECT_TRUE(has(*store_, large)) << i;
    store_->put(response_of({small(10'000 + i)}, std::string(4096, 'x')), true);
  }
}

TEST_F(MemoryStoreTest, ABudgetOfAMegabyteHoldsAResponseOfAnEighthOfIt) {
  for (const std::size_t budget : {kMiB, 2 * kMiB, 32 * kMiB}) {
    const auto store = make(budget);
    for (std::uint64_t i = 0; i < 300; ++i) {
      const CacheKey key = key_in_shard(i % 64, i);
      const bool stored = store->put(response_of({key}, std::string(budget / 8 - 4096, 'x')), true);
      EXPECT_EQ(has(*store, key), stored);
      EXPECT_TRUE(stored || i > 20) << "the policy has learned that none comes back";
      EXPECT_LE(store->size() + store->policy_overhead(), budget);
    }
    EXPECT_GT(store->size(), budget / 2);
  }
}

TEST_F(MemoryStoreTest, AResponseThatALargerOneReplacesMakesRoomForIt) {
  const auto store = make(kMiB);
  for (int i = 0; i < 30; ++i) {
    store->put(response_of({key_of("/" + std::to_string(i))}, std::string(30'000, 'x')), true);
  }
  const auto large = response_of({key_of("/29"), 200}, std::string(120'000, 'y'));
  EXPECT_TRUE(store->put(large, true));
  EXPECT_EQ(*store->try_lookup(key_of("/29")).variants, VariantSet{large});
  EXPECT_LE(store->size() + store->policy_overhead(), kMiB);
}

TEST_F(MemoryStoreTest, TheResponseThatWasJustAddedIsNotTheOneTooMany) {
  const auto store = make(16 * kMiB, 0, 3);
  for (int i = 1; i <= 3; ++i) store->put(response_of({key_of("/a"), 100 + i, std::to_string(i)}), true);
  // Its origin request took longest: by time it is the oldest.
  const auto late = response_of({key_of("/a"), 50, "late"});
  EXPECT_TRUE(store->put(late, true));
  const auto variants = store->try_lookup(key_of("/a")).variants;
  ASSERT_EQ(variants->size(), 3U);
  EXPECT_EQ(variants->back(), late);
  EXPECT_EQ(variants->front()->head().response_time, wall_from_seconds(103));
}

TEST_F(MemoryStoreTest, TellsWhatItHoldsWithoutUsingIt) {
  const auto store = make();
  EXPECT_FALSE(store->holds(key_of("/a").digest));
  store->put(response_of({key_of("/a")}), true);
  EXPECT_TRUE(store->holds(key_of("/a").digest));
  store->remove(key_of("/a"));
  EXPECT_FALSE(store->holds(key_of("/a").digest));
}

TEST_F(MemoryStoreTest, EverybodyReadsTheBytesThatWereStored) {
  const auto store = make();
  tests::ManualExecutor executor;
  const Chunk chunk = Chunk::copy_of("body");
  StoredHead head = tests::head_of({key_of("/a")});
  head.body_size = chunk.size();
  store->begin(key_of("/a"), 4)->commit(head, ChunkList{chunk}, executor, [](bool /*stored*/) {});
  for (int i = 0; i < 2; ++i) {
    Chunk read;
    const auto found = store->try_lookup(key_of("/a")).variants->front();
    ASSERT_EQ(found->body()->try_read(0, read), StoredBody::TryRead::kData);
    EXPECT_EQ(read.data(), chunk.data());
  }
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
  const auto others = make_variants({older, german});
  const auto merged = store->merge(key_of("/a"), others, store->removals(key_of("/a")));
  EXPECT_EQ(*merged, (VariantSet{mine, german}));
  EXPECT_EQ(*store->find(key_of("/a"), complete), (VariantSet{mine, german}));
  EXPECT_TRUE(complete);
  expect_accounted(*store, 2);
}

TEST_F(MemoryStoreTest, ARemovalBeatsAMergeThatBeganBefore) {
  const auto store = make();
  const auto others = make_variants({response_of({key_of("/a")})});
  const std::uint64_t removals = store->removals(key_of("/a"));
  store->remove(key_of("/a"));
  EXPECT_EQ(*store->merge(key_of("/a"), others, removals), *others);
  EXPECT_FALSE(has(*store, key_of("/a")));
}

}  // namespace
}  // namespace freshet::storage
