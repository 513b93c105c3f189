// A store whose disk tier and log come late, and one that has to let go of them: what is stored, found and
// invalidated in between, and that nothing of it is lost or comes back.
#include <gtest/gtest.h>

#include "storage/tiered_store.h"
#include "tests/support/fake_disk.h"
#include "tests/support/fake_log.h"
#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using Found = ResponseStore::Found;
using tests::head_of;
using tests::key_of;

constexpr InvalidationQueueOptions kNoClock{Milliseconds{3'600'000}, Milliseconds{3'600'000}};
// Above all that the log has reserved: as a process is told that takes over.
constexpr Sequence kFirst = 1'000'000;

class Elsewhere final : public InvalidatedElsewhere {
 public:
  void invalidate(const CacheKey& key) override { keys.push_back(key.text); }
  void invalidate_tag(std::string_view tag) override { tags.emplace_back(tag); }

  std::vector<std::string> keys;
  std::vector<std::string> tags;
};

class TieredHandover : public ::testing::Test {
 protected:
  TieredHandover() {
    disk_.is_current = [this](const StoredHead& head) { return generations_.is_current(head); };
  }

  std::unique_ptr<StoreWriter> begin(const CacheKey& key, TieredStore& store) {
    auto writer = store.begin(key, 4);
    if (writer) (void)writer->append(Chunk::adopt("body"));
    return writer;
  }
  bool commit(StoreWriter& writer, const CacheKey& key, Sequence filled_at) {
    bool stored = false;
    StoredHead head = head_of({key, 100, "", filled_at});
    head.tags = {"t"};
    head.body_size = 4;
    writer.commit(std::move(head), ChunkList{Chunk::adopt("body")}, executor_,
                  [&](bool is_stored) { stored = is_stored; });
    executor_.run();
    return stored;
  }
  bool put(const CacheKey& key, TieredStore& store) {
    const auto writer = begin(key, store);
    return writer && commit(*writer, key, generations_.current());
  }
  // As an earlier process has left it.
  void put_on_disk(const CacheKey& key, Sequence filled_at) {
    const auto writer = disk_.begin(key, 4);
    (void)writer->append(Chunk::adopt("old!"));
    StoredHead head = head_of({key, 50, "", filled_at});
    head.body_size = 4;
    head.tags = {"t"};
    writer->commit(std::move(head), std::nullopt, executor_, [](bool /*stored*/) {});
    executor_.run();
  }
  std::shared_ptr<std::optional<Acknowledgement>> purge(TieredStore& store, Scope scope) {
    auto answer = std::make_shared<std::optional<Acknowledgement>>();
    store.purge({{std::move(scope)}, Strength::kHard}, executor_,
                [answer](const Acknowledgement& given) { *answer = given; });
    return answer;
  }
  VariantSetPtr find(TieredStore& store, const CacheKey& key) {
    auto result = store.try_lookup(key);
    if (result.found != Found::kNeedsIo) return result.variants;
    auto answer = std::make_shared<VariantSetPtr>();
    store.lookup(key, executor_, [answer](VariantSetPtr variants) { *answer = std::move(variants); });
    disk_.answer_lookups();
    executor_.run();
    return *answer;
  }

  const CacheKey key_ = key_of("/a");
  Counters counters_;
  MemoryStore memory_{MemoryStoreOptions{std::size_t{1} << 20U, 0, 64}, Describe{}, counters_};
  tests::FakeDisk disk_;
  tests::FakeLog log_;
  Generations generations_{kFirst};
  tests::ManualExecutor executor_;
};

TEST_F(TieredHandover, WithoutItsDiskTierItServesFromMemoryAndThenFromBoth) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  const CacheKey other = key_of("/on/disk");
  put_on_disk(other, 5);
  EXPECT_FALSE(store.has_disk());
  ASSERT_TRUE(put(key_, store));
  EXPECT_NE(find(store, key_), nullptr);
  EXPECT_EQ(find(store, other), nullptr);
  store.attach(disk_, log_);
  EXPECT_TRUE(store.has_disk());
  EXPECT_NE(find(store, key_), nullptr);
  EXPECT_NE(find(store, other), nullptr);
}

// What is in memory is newer than what the disk has of it.
TEST_F(TieredHandover, WhatWasStoredMeanwhileIsStoredInThePlaceOfWhatTheDiskHad) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  std::vector<CacheKey> keys;
  keys.reserve(200);
  for (int i = 0; i < 200; ++i) keys.push_back(key_of("/" + std::to_string(i)));
  for (const CacheKey& key : keys) {
    put_on_disk(key, 5);
    ASSERT_TRUE(put(key, store));
  }
  store.attach(disk_, log_);
  executor_.run();
  memory_.clear();
  for (const CacheKey& key : keys) {
    const VariantSetPtr found = find(store, key);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(tests::bytes_of(*found->front()->body(), 4), "body");
    EXPECT_EQ(found->front()->head().filled_at, kFirst);
  }
}

TEST_F(TieredHandover, WhatWasStoredAndRemovedMeanwhileIsNotThere) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  put_on_disk(key_, 5);
  ASSERT_TRUE(put(key_, store));
  store.remove(key_);
  store.attach(disk_, log_);
  EXPECT_EQ(find(store, key_), nullptr);
}

TEST_F(TieredHandover, AFillThatIsOpenMeanwhileIsNotFollowedByWhatTheDiskHad) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  put_on_disk(key_, 5);
  const auto writer = begin(key_, store);
  store.attach(disk_, log_);
  ASSERT_TRUE(commit(*writer, key_, generations_.current()));
  memory_.clear();
  EXPECT_EQ(find(store, key_), nullptr);
}

TEST_F(TieredHandover, AnUnsafeMethodMeanwhileReachesTheDisk) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  const CacheKey tagged = key_of("/tagged");
  put_on_disk(key_, 5);
  put_on_disk(tagged, 5);
  store.invalidate(key_);
  store.attach(disk_, log_);
  EXPECT_NE(find(store, tagged), nullptr);
  disk_.is_current = nullptr;  // as after a restart, which has forgotten
  EXPECT_EQ(disk_.try_lookup(key_).variants, nullptr);
}

TEST_F(TieredHandover, ATagThatIsInvalidatedMeanwhileGoesIntoTheLog) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  store.invalidate_tag("t");
  store.attach(disk_, log_);
  store.settle();
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "t"), generations_.current());
}

TEST_F(TieredHandover, APurgeIsInEffectAtOnceAndAcknowledgedWhenTheLogHasIt) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  put_on_disk(key_, 5);
  ASSERT_TRUE(put(key_, store));
  const Sequence before = generations_.current();
  const auto answer = purge(store, {ScopeKind::kTag, "t"});
  store.settle();
  executor_.run();
  EXPECT_FALSE(answer->has_value());
  EXPECT_EQ(find(store, key_), nullptr);
  EXPECT_GT(generations_.current(), before);
  log_.hold();
  store.attach(disk_, log_);
  log_.wait_until_begun(1);
  EXPECT_EQ(executor_.queued(), 0U);
  EXPECT_EQ(find(store, key_), nullptr);
  log_.let_go();
  store.settle();
  executor_.run();
  ASSERT_TRUE(answer->has_value());
  EXPECT_TRUE((*answer)->durable);
  EXPECT_GT((*answer)->sequence, before);
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "t"), (*answer)->sequence);
  EXPECT_GE(log_.synced_writes(), 1);
}

TEST_F(TieredHandover, WhereTheLogCannotBeHadAPurgeIsAcknowledgedAsNotDurable) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  const auto first = purge(store, {ScopeKind::kTag, "t"});
  store.attach_failed("another format");
  const auto second = purge(store, {ScopeKind::kTag, "u"});
  store.settle();
  executor_.run();
  for (const auto& answer : {first, second}) {
    ASSERT_TRUE(answer->has_value());
    EXPECT_FALSE((*answer)->durable);
    EXPECT_EQ((*answer)->error, "another format");
  }
  store.attach(disk_, log_);
  store.settle();
  EXPECT_NE(log_.number_of(ScopeKind::kTag, "t"), 0U);
  EXPECT_NE(log_.number_of(ScopeKind::kTag, "u"), 0U);
}

TEST_F(TieredHandover, AFailingLogIsToldOfAtTheAttach) {
  TieredStore store(memory_, generations_, counters_, TieredStore::Later{}, kNoClock);
  const auto answer = purge(store, {ScopeKind::kTag, "t"});
  log_.set_failing(true);
  store.attach(disk_, log_);
  store.settle();
  executor_.run();
  ASSERT_TRUE(answer->has_value());
  EXPECT_FALSE((*answer)->durable);
  EXPECT_FALSE(store.log_works());
}

TEST_F(TieredHandover, ADetachedStoreReusesNothingAndStoresNothing) {
  Elsewhere elsewhere;
  TieredStore store(memory_, &disk_, generations_, counters_, &log_, kNoClock);
  ASSERT_TRUE(put(key_, store));
  const auto open = begin(key_, store);
  const Sequence filled_at = generations_.current();
  store.detach(elsewhere);
  EXPECT_EQ(find(store, key_), nullptr);
  EXPECT_FALSE(commit(*open, key_, filled_at));
  EXPECT_FALSE(put(key_, store));
  EXPECT_EQ(find(store, key_), nullptr);
  EXPECT_EQ(memory_.size(), 0U);
}

// The next owner may have purged it.
TEST_F(TieredHandover, WhoAsksADetachedStoreDoesNotJoinWhatIsInFlight) {
  Elsewhere elsewhere;
  TieredStore store(memory_, &disk_, generations_, counters_, &log_, kNoClock);
  store.detach(elsewhere);
  (void)store.try_lookup(key_);
  const Sequence filled_at = generations_.current();
  EXPECT_TRUE(generations_.is_current(key_, filled_at));
  (void)store.try_lookup(key_);
  EXPECT_FALSE(generations_.is_current(key_, filled_at));
}

TEST_F(TieredHandover, ADetachedStoreHasInvalidationsDoneElsewhereAndTakesNoPurge) {
  Elsewhere elsewhere;
  TieredStore store(memory_, &disk_, generations_, counters_, &log_, kNoClock);
  const auto before = purge(store, {ScopeKind::kTag, "t"});
  store.detach(elsewhere);
  store.close_log();
  const int writes = log_.begun();
  store.invalidate(key_);
  store.invalidate_tag("u");
  const auto after = purge(store, {ScopeKind::kTag, "v"});
  store.settle();
  executor_.run();
  EXPECT_TRUE(before->value().durable);
  ASSERT_TRUE(after->has_value());
  EXPECT_FALSE((*after)->durable);
  EXPECT_EQ(elsewhere.keys, std::vector<std::string>{key_.text});
  EXPECT_EQ(elsewhere.tags, std::vector<std::string>{"u"});
  EXPECT_EQ(log_.begun(), writes);
}

}  // namespace
}  // namespace freshet::storage
