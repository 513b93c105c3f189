#include "storage/tiered_store.h"

#include <gtest/gtest.h>

#include "tests/support/fake_disk.h"
#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using Found = ResponseStore::Found;
using tests::freshened;
using tests::head_of;
using tests::key_of;
using tests::response_of;

constexpr std::size_t kBudget = std::size_t{1} << 20U;

class TieredStoreTest : public ::testing::Test {
 protected:
  TieredStoreTest() {
    disk_.is_current = [this](const StoredHead& head) { return generations_.is_current(head); };
  }

  // What a look-up gives that may do I/O; the disk answers at once.
  VariantSetPtr look_up(TieredStore& store, const CacheKey& key) {
    auto result = store.try_lookup(key);
    if (result.found != Found::kNeedsIo) return result.variants;
    return finish(begin_lookup(store, key));
  }
  // The disk has read; its answer waits for finish().
  std::shared_ptr<VariantSetPtr> begin_lookup(TieredStore& store, const CacheKey& key) {
    auto answer = std::make_shared<VariantSetPtr>();
    store.lookup(key, executor_, [answer](VariantSetPtr variants) { *answer = std::move(variants); });
    return answer;
  }
  VariantSetPtr finish(const std::shared_ptr<VariantSetPtr>& answer) {
    disk_.answer_lookups();
    executor_.run();
    return *answer;
  }
  bool in_memory(const CacheKey& key) {
    bool complete = false;
    return memory_.find(key, complete) != nullptr;
  }
  // Begins, writes and commits; whether it was stored. `whole`: memory gets it too.
  std::optional<bool> store_body(TieredStore& store, StoredHead head, const std::string& body,
                                 bool whole = true) {
    const auto writer = store.begin(head.key, body.size());
    if (!writer) return std::nullopt;
    (void)writer->append(Chunk::copy_of(body));
    return commit(*writer, std::move(head), body, whole);
  }
  std::optional<bool> commit(StoreWriter& writer, StoredHead head, const std::string& body,
                             bool whole = true) {
    std::optional<bool> stored;
    head.body_size = body.size();
    std::optional<ChunkList> chunks;
    if (whole) chunks = ChunkList{Chunk::copy_of(body)};
    writer.commit(std::move(head), std::move(chunks), executor_, [&](bool is_stored) {
      EXPECT_FALSE(stored) << "once";
      stored = is_stored;
    });
    executor_.run();
    return stored;
  }

  Counters counters_;
  MemoryStore memory_{MemoryStoreOptions{kBudget, 0, 64}, Describe{}, counters_};
  tests::FakeDisk disk_;
  Generations generations_{1};
  tests::ManualExecutor executor_;
  TieredStore store_{memory_, &disk_, generations_, counters_};
  TieredStore memory_only_{memory_, nullptr, generations_, counters_};
  // Fills that memory does not see.
  MemoryStore no_memory_{MemoryStoreOptions{0, 1, 64}, Describe{}, counters_};
  TieredStore disk_only_{no_memory_, &disk_, generations_, counters_};
};

TEST_F(TieredStoreTest, PromotesWhatTheDiskFinds) {
  const auto english = response_of({key_of("/a"), 100, "en", 1, 7});
  const auto german = response_of({key_of("/a"), 200, "de", 1, 8});
  disk_.put(english);
  disk_.put(german);
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kNeedsIo);
  EXPECT_EQ(*look_up(store_, key_of("/a")), (VariantSet{german, english}));
  const auto again = store_.try_lookup(key_of("/a"));
  ASSERT_EQ(again.found, Found::kYes);
  EXPECT_EQ(*again.variants, (VariantSet{german, english}));
  EXPECT_EQ(disk_.lookups, 1);
  EXPECT_EQ(counters_.get(Counter::kDiskHits), 1);
  EXPECT_TRUE(again.memory_hit);
}

TEST_F(TieredStoreTest, ABodyOfSomeSizeIsKeptInMemoryWhenItComesBack) {
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a")}), "body"), true);
  disk_.written.back()->pins = true;
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kYes);
  EXPECT_FALSE(in_memory(key_of("/a"))) << "read once";
  const auto second = store_.try_lookup(key_of("/a"));
  EXPECT_TRUE(in_memory(key_of("/a")));
  ASSERT_EQ(second.found, Found::kYes);
  EXPECT_FALSE(second.variants->front()->body()->pins_memory()) << "a copy";
  EXPECT_EQ(tests::bytes_of(*second.variants->front()->body(), 4), "body");
  EXPECT_EQ(counters_.get(Counter::kDiskHits), 2);
  EXPECT_FALSE(second.memory_hit);
  EXPECT_TRUE(store_.try_lookup(key_of("/a")).memory_hit);
}

// As the disk tier reads a body of some size: with its head, and so that it can be kept without.
std::shared_ptr<tests::WrittenBody> pin(tests::WrittenBody& body) {
  auto unpinned = std::make_shared<tests::WrittenBody>(body);
  unpinned->kept = true;
  body.pins = true;
  body.unpinned = unpinned;
  return unpinned;
}

TEST_F(TieredStoreTest, TheHeadOfABodyOnDiskStaysInMemory) {
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a")}), "body"), true);
  const auto on_disk = pin(*disk_.written.back());
  const auto first = store_.try_lookup(key_of("/a"));
  ASSERT_EQ(first.found, Found::kYes);
  EXPECT_TRUE(first.variants->front()->body()->pins_memory()) << "what was read is for who asked";
  EXPECT_TRUE(memory_.holds(key_of("/a").digest));
  EXPECT_FALSE(memory_.holds_body(key_of("/a").digest));
  disk_.needs_io = true;  // not asked any more
  on_disk->readable = 0;  // nor can the body be read without waiting
  const auto second = store_.try_lookup(key_of("/a"));
  ASSERT_EQ(second.found, Found::kYes);
  EXPECT_EQ(second.variants->front()->body(), on_disk);
  EXPECT_EQ(counters_.get(Counter::kDiskHits), 2) << "the body is the disk's";
  EXPECT_EQ(counters_.get(Counter::kMemoryHits), 0);
}

TEST_F(TieredStoreTest, ABodyThatComesBackJoinsItsHeadInMemory) {
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a")}), "body"), true);
  (void)pin(*disk_.written.back());
  (void)store_.try_lookup(key_of("/a"));
  const auto second = store_.try_lookup(key_of("/a"));
  ASSERT_EQ(second.found, Found::kYes);
  EXPECT_FALSE(second.variants->front()->body()->on_disk());
  EXPECT_EQ(tests::bytes_of(*second.variants->front()->body(), 4), "body");
  EXPECT_TRUE(memory_.holds_body(key_of("/a").digest));
  EXPECT_FALSE(second.memory_hit);
  const auto third = store_.try_lookup(key_of("/a"));
  EXPECT_EQ(third.variants->front(), second.variants->front());
  EXPECT_TRUE(third.memory_hit);
}

TEST_F(TieredStoreTest, ABodyThatComesBackLateStaysOnDisk) {
  disk_.needs_io = false;
  const std::string body(kBudget / 8, 'b');
  for (const char* path : {"/a", "/b", "/c"}) {
    ASSERT_EQ(store_body(disk_only_, head_of({key_of(path)}), body), true);
    (void)pin(*disk_.written.back());
  }
  for (int i = 0; i < 3; ++i) {
    for (const char* path : {"/a", "/b", "/c"}) (void)store_.try_lookup(key_of(path));
  }
  for (const char* path : {"/a", "/b", "/c"}) {
    EXPECT_TRUE(memory_.holds(key_of(path).digest));
    EXPECT_FALSE(memory_.holds_body(key_of(path).digest)) << "two others since are more than is remembered";
  }
}

TEST_F(TieredStoreTest, WhereTheBodyIsGoneTheDiskIsAskedAgain) {
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a")}), "body"), true);
  const auto on_disk = pin(*disk_.written.back());
  (void)store_.try_lookup(key_of("/a"));
  on_disk->gone = true;
  disk_.remove(key_of("/a"));
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kNo);
  EXPECT_FALSE(in_memory(key_of("/a")));
}

TEST_F(TieredStoreTest, WhatIsPurgedIsNotAnsweredFromItsHeadInMemory) {
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a")}), "body"), true);
  (void)pin(*disk_.written.back());
  (void)store_.try_lookup(key_of("/a"));
  store_.invalidate(key_of("/a"));
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kNo);
}

TEST_F(TieredStoreTest, WhatWasReadBeforeItWasKeptCanBeFreshened) {
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a")}), "body"), true);
  disk_.written.back()->pins = true;
  const auto first = store_.try_lookup(key_of("/a"));
  ASSERT_EQ(first.found, Found::kYes);
  const StoredResponsePtr old = first.variants->front();
  (void)store_.try_lookup(key_of("/a"));
  ASSERT_TRUE(in_memory(key_of("/a")));
  StoredHead head = old->head();
  head.outdated = true;
  store_.freshen(old, std::make_shared<const StoredResponse>(head, old->body(), Describe{}));
  const auto found = store_.try_lookup(key_of("/a"));
  ASSERT_EQ(found.found, Found::kYes);
  EXPECT_TRUE(found.variants->front()->head().outdated);
  EXPECT_FALSE(found.variants->front()->body()->pins_memory());
}

TEST_F(TieredStoreTest, APieceOfABodyIsNotKept) {
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a")}), "body"), true);
  disk_.written.back()->pins = true;
  disk_.written.back()->readable = 2;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kYes);
  EXPECT_FALSE(in_memory(key_of("/a")));
}

TEST_F(TieredStoreTest, WhatIsNotKeptIsJoinedWithWhatIsInMemory) {
  const auto newer = response_of({key_of("/a"), 200, "de"});
  memory_.put(newer, false);
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a"), 100, "en"}), "body"), true);
  disk_.written.back()->pins = true;
  disk_.written.back()->readable = 2;
  const auto found = store_.try_lookup(key_of("/a"));
  ASSERT_EQ(found.found, Found::kYes);
  ASSERT_EQ(found.variants->size(), 2U);
  EXPECT_EQ(found.variants->front(), newer);
}

TEST_F(TieredStoreTest, AVariantDoesNotPinMemoryOfTheDiskTier) {
  disk_.needs_io = false;
  ASSERT_EQ(store_body(disk_only_, head_of({key_of("/a"), 100, "en"}), "body"), true);
  const auto on_disk = disk_.variants_of(key_of("/a"))->front();
  disk_.written.back()->pins = true;
  (void)store_.try_lookup(key_of("/a"));
  (void)store_.try_lookup(key_of("/a"));
  ASSERT_TRUE(in_memory(key_of("/a")));
  StoredHead head = head_of({key_of("/a"), 200, "de"});
  head.body_id = on_disk->head().body_id;
  head.body_size = on_disk->head().body_size;
  store_.add_variant(on_disk, std::make_shared<const StoredResponse>(head, on_disk->body(), Describe{}));
  const auto found = store_.try_lookup(key_of("/a")).variants;
  ASSERT_EQ(found->size(), 2U);
  for (const auto& each : *found) EXPECT_FALSE(each->body()->pins_memory());
}

TEST_F(TieredStoreTest, ADiskThatCanTellWithoutIoIsBelieved) {
  disk_.needs_io = false;
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kNo);
  disk_.put(response_of({key_of("/a")}));
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kYes);
  EXPECT_TRUE(in_memory(key_of("/a")));
  EXPECT_EQ(disk_.lookups, 0);
}

TEST_F(TieredStoreTest, IncompleteVariantsAskTheDisk) {
  disk_.put(response_of({key_of("/a"), 100, "en", 1, 99}));
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 200, "de"}), "deutsch"), true);
  EXPECT_TRUE(in_memory(key_of("/a")));
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kNeedsIo);
  EXPECT_EQ(look_up(store_, key_of("/a"))->size(), 2U);
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kYes) << "complete from now on";
}

TEST_F(TieredStoreTest, IncompleteVariantsServeWhereTheDiskHasNothing) {
  const auto response = response_of({key_of("/a"), 100, "en"});
  memory_.put(response, false);
  EXPECT_EQ(*look_up(store_, key_of("/a")), VariantSet{response});
  disk_.needs_io = false;
  EXPECT_EQ(*store_.try_lookup(key_of("/a")).variants, VariantSet{response});
}

TEST_F(TieredStoreTest, WithoutVaryTheDiskIsNotAsked) {
  EXPECT_EQ(store_body(store_, head_of({key_of("/a")}), "body"), true);
  EXPECT_EQ(store_.try_lookup(key_of("/a")).found, Found::kYes);
}

TEST_F(TieredStoreTest, AWriteGoesToBothTiersUnderOneBodyId) {
  EXPECT_EQ(store_body(store_, head_of({key_of("/a")}), "body"), true);
  const auto on_disk = disk_.variants_of(key_of("/a"));
  const auto found = store_.try_lookup(key_of("/a")).variants;
  ASSERT_TRUE(on_disk && found);
  EXPECT_EQ(on_disk->front()->head().body_id, 1U);
  EXPECT_EQ(found->front()->head().body_id, 1U);
  EXPECT_EQ(tests::bytes_of(*on_disk->front()->body(), 4), "body");
  EXPECT_EQ(tests::bytes_of(*found->front()->body(), 4), "body");
}

TEST_F(TieredStoreTest, ALargeBodyIsOnDiskOnly) {
  const std::string body(memory_.max_response() + 1, 'x');
  EXPECT_EQ(store_body(store_, head_of({key_of("/a")}), body, false), true);
  EXPECT_FALSE(in_memory(key_of("/a")));
  const auto found = look_up(store_, key_of("/a"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(tests::bytes_of(*found->front()->body(), body.size()), body);
}

TEST_F(TieredStoreTest, ALargeBodyIsNotHiddenByASmallOlderOneInMemory) {
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 100}), "small"), true);
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 200}), std::string(kBudget, 'x'), false), true);
  const auto found = look_up(store_, key_of("/a"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->front()->head().response_time, wall_from_seconds(200));
}

TEST_F(TieredStoreTest, ALargeBodyIsNotHiddenByADiskReadThatBeganBefore) {
  disk_.put(response_of({key_of("/a"), 100, "", 1, 99}, "small"));
  const auto slow = begin_lookup(store_, key_of("/a"));
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 200}), std::string(kBudget, 'x'), false), true);
  EXPECT_NE(finish(slow), nullptr) << "it began before: it may still be answered";
  EXPECT_EQ(look_up(store_, key_of("/a"))->front()->head().response_time, wall_from_seconds(200));
}

TEST_F(TieredStoreTest, ARefusingDiskLeavesTheResponseInMemory) {
  disk_.limit = 2;
  EXPECT_EQ(store_body(store_, head_of({key_of("/a")}), "body"), true);
  const auto found = store_.try_lookup(key_of("/a")).variants;
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->front()->head().body_id, 0U);
  EXPECT_EQ(disk_.variants_of(key_of("/a")), nullptr);
  EXPECT_EQ(store_body(store_, head_of({key_of("/b")}), "body", false), false);
}

TEST_F(TieredStoreTest, WhereNoTierTakesItThereIsNoWriter) {
  disk_.takes_writes = false;
  EXPECT_EQ(store_.begin(key_of("/a"), memory_.max_response() + 1), nullptr);
  EXPECT_EQ(memory_only_.begin(key_of("/a"), memory_.max_response() + 1), nullptr);
  EXPECT_NE(store_.begin(key_of("/a"), 10), nullptr);
  EXPECT_EQ(store_body(store_, head_of({key_of("/a")}), "body"), true);
  EXPECT_TRUE(in_memory(key_of("/a")));
}

TEST_F(TieredStoreTest, ADroppedWriterStoresNothing) {
  (void)store_.begin(key_of("/a"), 4)->append(Chunk::adopt("body"));
  EXPECT_EQ(look_up(store_, key_of("/a")), nullptr);
}

TEST_F(TieredStoreTest, InvalidationForgetsBothTiersAndOneKeyOnly) {
  EXPECT_EQ(store_body(store_, head_of({key_of("/a")}), "body"), true);
  EXPECT_EQ(store_body(store_, head_of({key_of("/b")}), "body"), true);
  store_.invalidate(key_of("/a"));
  EXPECT_EQ(look_up(store_, key_of("/a")), nullptr);
  EXPECT_EQ(disk_.variants_of(key_of("/a")), nullptr);
  EXPECT_NE(look_up(store_, key_of("/b")), nullptr);
  EXPECT_EQ(counters_.get(Counter::kInvalidated), 1);
}

TEST_F(TieredStoreTest, AnInvalidationBeatsADiskReadThatBeganBefore) {
  disk_.put(response_of({key_of("/a"), 100, "", generations_.current()}));
  const auto slow = begin_lookup(store_, key_of("/a"));
  store_.invalidate(key_of("/a"));
  EXPECT_EQ(finish(slow), nullptr);
  EXPECT_FALSE(in_memory(key_of("/a")));
}

TEST_F(TieredStoreTest, ADeadDiskReadTakesNothingNewerOutOfMemory) {
  disk_.put(response_of({key_of("/a"), 100, "", generations_.current()}));
  const auto slow = begin_lookup(store_, key_of("/a"));
  store_.invalidate(key_of("/a"));
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 200, "", generations_.current()}), "new"), true);
  const auto found = finish(slow);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->front()->head().response_time, wall_from_seconds(200));
  EXPECT_TRUE(in_memory(key_of("/a")));
}

TEST_F(TieredStoreTest, ARemovalBeatsADiskReadThatBeganBefore) {
  disk_.put(response_of({key_of("/a")}));
  const auto slow = begin_lookup(store_, key_of("/a"));
  store_.remove(key_of("/a"));
  (void)finish(slow);
  EXPECT_EQ(look_up(store_, key_of("/a")), nullptr);
}

TEST_F(TieredStoreTest, ACommitAfterAnInvalidationStoresNothing) {
  const Sequence began = generations_.current();
  const auto writer = store_.begin(key_of("/a"), 4);
  (void)writer->append(Chunk::adopt("body"));
  store_.invalidate(key_of("/a"));
  EXPECT_EQ(commit(*writer, head_of({key_of("/a"), 100, "", began}), "body"), false);
  EXPECT_FALSE(in_memory(key_of("/a")));
  EXPECT_EQ(disk_.variants_of(key_of("/a")), nullptr);
}

// The invalidation has removed the key from the disk; then the response comes there.
TEST_F(TieredStoreTest, ACommitThatRacesWithAnInvalidationLeavesNothingOnDisk) {
  for (const bool whole : {true, false}) {
    disk_.before_commit = [this] { store_.invalidate(key_of("/a")); };
    const auto stored =
        store_body(store_, head_of({key_of("/a"), 100, "", generations_.current()}), "body", whole);
    EXPECT_TRUE(whole || stored == false);
    EXPECT_EQ(look_up(store_, key_of("/a")), nullptr);
    EXPECT_FALSE(in_memory(key_of("/a")));
    EXPECT_EQ(disk_.variants_of(key_of("/a")), nullptr);
  }
}

// RFC 9875: all responses of a group, whatever their keys.
TEST_F(TieredStoreTest, ATagInvalidatesInBothTiersWhatCarriesIt) {
  const auto tagged = [this](std::string_view path, std::string language) {
    StoredHead head = head_of({key_of(path), 100, std::move(language), generations_.current()});
    head.tags = {"group:a"};
    return head;
  };
  StoredHead other = tagged("/a", "de");
  other.tags = {"group:b"};
  EXPECT_EQ(store_body(store_, tagged("/a", "en"), "english"), true);
  EXPECT_EQ(store_body(store_, other, "deutsch"), true);
  EXPECT_EQ(store_body(store_, tagged("/large", ""), std::string(kBudget, 'x'), false), true);
  ASSERT_EQ(look_up(store_, key_of("/a"))->size(), 2U);
  const Sequence before = generations_.current();
  const auto writer = store_.begin(key_of("/open"), 4);
  const auto slow = begin_lookup(store_, key_of("/large"));
  store_.invalidate_tag("group:a");
  EXPECT_EQ(finish(slow), nullptr);
  EXPECT_EQ(look_up(store_, key_of("/large")), nullptr);
  ASSERT_NE(look_up(store_, key_of("/a")), nullptr);
  EXPECT_EQ(look_up(store_, key_of("/a"))->size(), 1U) << "a variant of another group stays";
  EXPECT_EQ(look_up(store_, key_of("/a"))->front()->head().tags, other.tags);
  StoredHead open = tagged("/open", "");
  open.filled_at = before;
  (void)writer->append(Chunk::adopt("body"));
  EXPECT_EQ(commit(*writer, open, "body"), false);
  EXPECT_EQ(store_body(store_, tagged("/a", "en"), "english"), true) << "filled afterwards";
  EXPECT_EQ(look_up(store_, key_of("/a"))->size(), 2U);
  EXPECT_EQ(counters_.get(Counter::kTagsInvalidated), 1);
}

TEST_F(TieredStoreTest, WithoutADiskATagLeavesTheOtherVariants) {
  StoredHead tagged = head_of({key_of("/a"), 100, "en", 1});
  tagged.tags = {"group:a"};
  EXPECT_EQ(store_body(memory_only_, tagged, "english"), true);
  EXPECT_EQ(store_body(memory_only_, head_of({key_of("/a"), 100, "de", 1}), "deutsch"), true);
  memory_only_.invalidate_tag("group:a");
  const auto found = memory_only_.try_lookup(key_of("/a")).variants;
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->size(), 1U);
}

// Memory has it, so the caller is told from inside commit() and may be gone when the disk is done.
TEST_F(TieredStoreTest, WhereMemoryTakesItTheExecutorIsNotNeededAfterwards) {
  EXPECT_EQ(store_body(store_, head_of({key_of("/a")}), "body"), true);
  const auto writer = store_.begin(key_of("/b"), 4);
  (void)writer->append(Chunk::adopt("body"));
  bool told = false;
  writer->commit(head_of({key_of("/b")}), ChunkList{Chunk::adopt("body")}, executor_,
                 [&](bool stored) { told = stored; });
  EXPECT_TRUE(told);
  EXPECT_EQ(executor_.queued(), 0U);
  EXPECT_NE(disk_.variants_of(key_of("/b")), nullptr);
}

TEST_F(TieredStoreTest, AWholeResponseIsKeptAsItIsAndReachesTheDisk) {
  const auto response = response_of({key_of("/a")});
  bool told = false;
  store_.begin(key_of("/a"), 4)->commit_whole(response, executor_, [&](bool stored) { told = stored; });
  EXPECT_TRUE(told);
  EXPECT_EQ(store_.try_lookup(key_of("/a")).variants->front(), response);
  EXPECT_NE(disk_.variants_of(key_of("/a")), nullptr);
}

TEST_F(TieredStoreTest, FresheningReachesTheDiskWhereTheBodyIsThere) {
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 100}), "body"), true);
  const auto old = store_.try_lookup(key_of("/a")).variants->front();
  store_.freshen(old, freshened(old, 200));
  EXPECT_EQ(disk_.freshens, 1);
  EXPECT_EQ(disk_.variants_of(key_of("/a"))->front()->head().response_time, wall_from_seconds(200));
  EXPECT_EQ(store_.try_lookup(key_of("/a")).variants->front()->body(), old->body());
  const auto memory_only = response_of({key_of("/b")});
  memory_.put(memory_only, true);
  store_.freshen(memory_only, freshened(memory_only, 200));
  EXPECT_EQ(disk_.freshens, 1);
  EXPECT_EQ(counters_.get(Counter::kFreshened), 2);
}

TEST_F(TieredStoreTest, FresheningAfterAnInvalidationBringsNothingBack) {
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 100, "", generations_.current()}), "body"), true);
  const auto old = store_.try_lookup(key_of("/a")).variants->front();
  store_.invalidate(key_of("/a"));
  store_.freshen(old, freshened(old, 200));
  EXPECT_EQ(look_up(store_, key_of("/a")), nullptr);
}

TEST_F(TieredStoreTest, RemovingADamagedResponseLeavesTheOtherVariants) {
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 100, "en"}), "english"), true);
  EXPECT_EQ(store_body(store_, head_of({key_of("/a"), 200, "de"}), "deutsch"), true);
  const auto variants = look_up(store_, key_of("/a"));
  ASSERT_EQ(variants->size(), 2U);
  store_.remove(*variants->front());
  EXPECT_EQ(look_up(store_, key_of("/a"))->size(), 1U);
  EXPECT_EQ(disk_.variants_of(key_of("/a"))->size(), 1U);
}

// A commit puts, then looks whether it was invalidated meanwhile; a look-up may come in between.
TEST_F(TieredStoreTest, ADeadResponseInMemoryIsNotFoundByAnyLookup) {
  for (TieredStore* store : {&store_, &memory_only_}) {
    const auto dead = response_of({key_of("/a"), 100, "", generations_.current()});
    generations_.invalidate(key_of("/a"));
    memory_.put(dead, true);
    EXPECT_EQ(finish(begin_lookup(*store, key_of("/a"))), nullptr);
    memory_.put(dead, true);
    EXPECT_EQ(look_up(*store, key_of("/a")), nullptr);
    EXPECT_FALSE(in_memory(key_of("/a")));
  }
}

TEST_F(TieredStoreTest, WithoutADiskItIsTheMemoryTier) {
  EXPECT_FALSE(memory_only_.has_disk());
  EXPECT_EQ(memory_only_.try_lookup(key_of("/a")).found, Found::kNo);
  EXPECT_EQ(store_body(memory_only_, head_of({key_of("/a"), 100, "en"}), "body"), true);
  EXPECT_EQ(memory_only_.try_lookup(key_of("/a")).found, Found::kYes);
  EXPECT_NE(finish(begin_lookup(memory_only_, key_of("/a"))), nullptr);
  memory_only_.settle();
}

// Look-ups that leave no trace.
class LookWithoutTrace : public TieredStoreTest {
 protected:
  TieredStore::Peeked look(const TieredStore& store, const CacheKey& key) {
    TieredStore::Peeked found;
    store.look_without_trace(key, executor_, [&](TieredStore::Peeked each) { found = std::move(each); });
    disk_.answer_lookups();
    executor_.run();
    return found;
  }
};

TEST_F(LookWithoutTrace, WhatIsOnDiskAloneStaysThere) {
  TieredStore store(memory_, &disk_, generations_, counters_);
  const CacheKey key = key_of("/a");
  (void)store_body(store, head_of({key}), "body");
  memory_.remove(key);
  const TieredStore::Peeked found = look(store, key);
  ASSERT_TRUE(found.variants);
  EXPECT_EQ(found.variants->size(), 1U);
  EXPECT_FALSE(found.in_memory);
  EXPECT_TRUE(found.on_disk);
  EXPECT_FALSE(in_memory(key));
  EXPECT_EQ(counters_.get(Counter::kDiskHits), 0);
  EXPECT_FALSE(look(store, key_of("/b")).variants);
  EXPECT_EQ(counters_.get(Counter::kDiskMisses), 0);
}

TEST_F(LookWithoutTrace, FindsWhatALookUpFindsAndForgetsNothing) {
  TieredStore store(memory_, &disk_, generations_, counters_);
  const CacheKey key = key_of("/a");
  (void)store_body(store, head_of({key, 100, "fr"}), "french");
  (void)store_body(store, head_of({key, 101, "de"}), "german");
  EXPECT_EQ(look(store, key).variants->size(), 2U);
  EXPECT_EQ(look_up(store, key)->size(), 2U);
  generations_.invalidate(key);
  const TieredStore::Peeked dead = look(store, key);
  EXPECT_FALSE(dead.variants);
  EXPECT_TRUE(dead.in_memory);
  EXPECT_TRUE(in_memory(key));
}

}  // namespace
}  // namespace freshet::storage
