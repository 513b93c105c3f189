// Purges of every scope, hard and soft, against look-ups, disk reads, fills and freshenings that began before
// or in between, in every order that can be forced; and against many threads.
#include <algorithm>
#include <atomic>
#include <gtest/gtest.h>
#include <thread>

#include "storage/tiered_store.h"
#include "tests/support/fake_disk.h"
#include "tests/support/fake_log.h"
#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using Found = ResponseStore::Found;
using tests::key_of;

constexpr InvalidationQueueOptions kNoClock{Milliseconds{3'600'000}, Milliseconds{3'600'000}};

struct PurgeCase {
  std::string name;
  Scope scope;
  Strength strength;
};

std::vector<PurgeCase> cases() {
  std::vector<PurgeCase> all;
  for (const Strength strength : {Strength::kHard, Strength::kSoft}) {
    const std::string end = strength == Strength::kHard ? "Hard" : "Soft";
    all.push_back({"All" + end, {ScopeKind::kAll, ""}, strength});
    all.push_back({"Host" + end, {ScopeKind::kHost, "example.test"}, strength});
    all.push_back({"Prefix" + end, {ScopeKind::kPrefix, key_of("/p/").text}, strength});
    all.push_back({"Tag" + end, {ScopeKind::kTag, "t"}, strength});
    all.push_back({"Url" + end, {ScopeKind::kUrl, key_of("/p/a").text}, strength});
  }
  return all;
}

class TieredPurge : public ::testing::TestWithParam<PurgeCase> {
 protected:
  TieredPurge() {
    disk_.is_current = [this](const StoredHead& head) { return generations_.is_current(head); };
    generations_.restore({});
  }
  ~TieredPurge() override { log_.let_go(); }

  std::shared_ptr<std::optional<Acknowledgement>> begin_purge() {
    auto answer = std::make_shared<std::optional<Acknowledgement>>();
    store_.purge({{GetParam().scope}, GetParam().strength}, executor_,
                 [answer](const Acknowledgement& given) { *answer = given; });
    return answer;
  }
  Acknowledgement purge() {
    const auto answer = begin_purge();
    store_.settle();
    executor_.run();
    return answer->value();
  }
  [[nodiscard]] bool hard() const { return GetParam().strength == Strength::kHard; }
  [[nodiscard]] Standing after() const { return hard() ? Standing::kDead : Standing::kStale; }

  StoredHead head(Sequence filled_at) const {
    StoredHead made = tests::head_of({key_, 100, "", filled_at});
    made.tags = {"s", "t"};
    return made;
  }
  StoredHead head() const { return head(generations_.current()); }
  bool commit(StoreWriter& writer, StoredHead head, bool whole) {
    std::optional<bool> stored;
    head.body_size = 4;
    std::optional<ChunkList> chunks;
    if (whole) chunks = ChunkList{Chunk::adopt("body")};
    writer.commit(std::move(head), std::move(chunks), executor_, [&](bool is_stored) { stored = is_stored; });
    executor_.run();
    return stored.value();
  }
  std::unique_ptr<StoreWriter> begin() {
    auto writer = store_.begin(key_, 4);
    (void)writer->append(Chunk::adopt("body"));
    return writer;
  }
  bool put(bool whole = true) { return commit(*begin(), head(), whole); }

  std::shared_ptr<VariantSetPtr> begin_lookup() {
    auto answer = std::make_shared<VariantSetPtr>();
    store_.lookup(key_, executor_, [answer](VariantSetPtr variants) { *answer = std::move(variants); });
    return answer;
  }
  VariantSetPtr finish(const std::shared_ptr<VariantSetPtr>& answer) {
    disk_.answer_lookups();
    executor_.run();
    return *answer;
  }
  // What a look-up gives: dead where there is nothing.
  Standing found() {
    auto result = store_.try_lookup(key_);
    return standing_of(result.found == Found::kNeedsIo ? finish(begin_lookup()) : result.variants);
  }
  Standing standing_of(const VariantSetPtr& variants) const {
    return variants ? generations_.standing(*variants->front()) : Standing::kDead;
  }

  const CacheKey key_ = key_of("/p/a");
  Counters counters_;
  MemoryStore memory_{MemoryStoreOptions{std::size_t{1} << 20U, 0, 64}, Describe{}, counters_};
  tests::FakeDisk disk_;
  tests::FakeLog log_;
  Generations generations_{1};
  tests::ManualExecutor executor_;
  TieredStore store_{memory_, &disk_, generations_, counters_, &log_, kNoClock};
};

TEST_P(TieredPurge, WhatIsInMemoryOrOnDisk) {
  for (const bool whole : {true, false}) {
    ASSERT_TRUE(put(whole));
    EXPECT_EQ(found(), Standing::kCurrent);
    const Acknowledgement answer = purge();
    EXPECT_TRUE(answer.durable);
    EXPECT_EQ(answer.sequence, generations_.current());
    EXPECT_EQ(found(), after());
    ASSERT_TRUE(put(whole));
    EXPECT_EQ(found(), Standing::kCurrent) << "filled afterwards";
  }
  EXPECT_EQ(counters_.get(Counter::kPurges), 2);
  EXPECT_EQ(counters_.get(Counter::kPurgeScopes), 2);
}

TEST_P(TieredPurge, WhatADiskReadBringsThatBeganBefore) {
  ASSERT_TRUE(put(false));
  const auto slow = begin_lookup();
  purge();
  EXPECT_EQ(standing_of(finish(slow)), after());
  EXPECT_EQ(found(), after());
}

TEST_P(TieredPurge, WhatADiskReadBringsThatEndsWhileThePurgeIsWritten) {
  ASSERT_TRUE(put(false));
  const auto slow = begin_lookup();
  const int begun = log_.begun();
  log_.hold();
  const auto answer = begin_purge();
  log_.wait_until_begun(begun + 1);
  EXPECT_EQ(standing_of(finish(slow)), Standing::kCurrent) << "not acknowledged yet";
  log_.let_go();
  store_.settle();
  EXPECT_EQ(found(), after());
}

TEST_P(TieredPurge, AFillThatBeganBefore) {
  for (const bool whole : {true, false}) {
    const StoredHead before = head();
    const auto writer = begin();
    purge();
    EXPECT_EQ(commit(*writer, before, whole), !hard());
    EXPECT_EQ(found(), after());
  }
}

// Its number is that from before: the purge's is not to be seen until it is written.
TEST_P(TieredPurge, AFillThatBeganWhileThePurgeWasWritten) {
  for (const bool ends_before : {true, false}) {
    const int begun = log_.begun();
    log_.hold();
    const auto answer = begin_purge();
    log_.wait_until_begun(begun + 1);
    const StoredHead during = head();
    const auto writer = begin();
    if (ends_before) {
      EXPECT_TRUE(commit(*writer, during, true));
    }
    log_.let_go();
    store_.settle();
    if (!ends_before) {
      EXPECT_EQ(commit(*writer, during, true), !hard());
    }
    EXPECT_EQ(found(), after());
    executor_.run();
  }
}

TEST_P(TieredPurge, ACommitThatRacesWithIt) {
  for (const bool whole : {true, false}) {
    disk_.before_commit = [this] {
      disk_.before_commit = nullptr;
      begin_purge();
      store_.settle();
    };
    const bool stored = put(whole);
    EXPECT_TRUE(whole || stored == !hard());
    EXPECT_EQ(found(), after());
    EXPECT_EQ(disk_.variants_of(key_) == nullptr, hard());
  }
}

// A 304 to a request from before says nothing of what was asked for since.
TEST_P(TieredPurge, AFresheningThatBeganBefore) {
  for (const bool whole : {true, false}) {
    ASSERT_TRUE(put(whole));
    auto result = store_.try_lookup(key_);
    const StoredResponsePtr old =
        (result.found == Found::kNeedsIo ? finish(begin_lookup()) : result.variants)->front();
    purge();
    const StoredResponsePtr late = tests::freshened(old, 200);
    store_.freshen(old, late);
    EXPECT_EQ(found(), after());
    StoredHead validated = late->head();
    validated.validated_at = generations_.current();
    store_.freshen(late, std::make_shared<const StoredResponse>(validated, late->body(), Describe{}));
    EXPECT_EQ(found(), hard() ? Standing::kDead : Standing::kCurrent);
  }
}

TEST_P(TieredPurge, ARestartInBetween) {
  const StoredHead before = head();
  purge();
  Generations restarted(log_.reserved());
  restarted.restore(log_.records());
  EXPECT_EQ(restarted.standing(before), after());
  EXPECT_EQ(restarted.standing(head()), Standing::kCurrent);
}

TEST_P(TieredPurge, WhereItCannotBeWrittenTheDiskTierTakesNothing) {
  ASSERT_TRUE(put());
  const auto open = begin();
  const StoredHead during = head();
  log_.set_failing(true);
  const Acknowledgement answer = purge();
  EXPECT_FALSE(answer.durable);
  EXPECT_FALSE(answer.error.empty());
  EXPECT_FALSE(store_.log_works());
  EXPECT_EQ(found(), after());
  const std::size_t written = disk_.written.size();
  // Memory goes on alone.
  EXPECT_EQ(commit(*open, during, true), !hard());
  ASSERT_TRUE(put());
  EXPECT_EQ(found(), Standing::kCurrent);
  EXPECT_EQ(disk_.written.size(), written);
  const int freshens = disk_.freshens;
  const auto now = store_.try_lookup(key_).variants->front();
  store_.freshen(now, tests::freshened(now, 200));
  EXPECT_EQ(disk_.freshens, freshens);
  log_.set_failing(false);
  store_.settle();
  EXPECT_TRUE(store_.log_works());
  ASSERT_TRUE(put(false));
  EXPECT_EQ(disk_.written.size(), written + 1);
}

INSTANTIATE_TEST_SUITE_P(Scopes, TieredPurge, ::testing::ValuesIn(cases()),
                         [](const auto& each) { return each.param.name; });

class TieredPurges : public TieredPurge {};
INSTANTIATE_TEST_SUITE_P(One, TieredPurges, ::testing::Values(cases().front()),
                         [](const auto& each) { return each.param.name; });

TEST_P(TieredPurges, SeveralScopesHaveOneNumber) {
  std::optional<Acknowledgement> answer;
  store_.purge(
      {{{ScopeKind::kUrl, key_.text}, {ScopeKind::kTag, "x"}, {ScopeKind::kHost, "h"}}, Strength::kSoft},
      executor_, [&](const Acknowledgement& given) { answer = given; });
  store_.settle();
  executor_.run();
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_.text, Strength::kSoft), answer->sequence);
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "x", Strength::kSoft), answer->sequence);
  EXPECT_EQ(log_.number_of(ScopeKind::kHost, "h", Strength::kSoft), answer->sequence);
  EXPECT_EQ(counters_.get(Counter::kPurgeScopes), 3);
}

TEST_P(TieredPurges, ATagInvalidatedByUseIsInTheLog) {
  store_.invalidate_tag("group:a");
  const Sequence sequence = generations_.current();
  store_.settle();
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "group:a"), sequence);
  store_.invalidate(key_);
  store_.settle();
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_.text), 0U) << "of a URL the deletes speak";
}

// What a walk has seen counts from the walk after it: by then what was open has had its time.
TEST_P(TieredPurges, WhatIsIdleIsDroppedByTheNextWalk) {
  store_.invalidate_tag("group:a");
  const Sequence first = generations_.current();
  store_.drop_older_than(first, first);
  store_.settle();
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "group:a"), first);
  const StoredHead open = head(first - 1);
  EXPECT_TRUE(generations_.is_current(open));
  store_.drop_older_than(first, first);
  store_.settle();
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "group:a"), 0U);
  EXPECT_FALSE(generations_.is_current(open)) << "older than all that lives";
}

TEST_P(TieredPurges, WithoutADiskNothingOutlivesTheProcess) {
  TieredStore memory_only(memory_, nullptr, generations_, counters_);
  std::optional<Acknowledgement> answer;
  memory_only.purge({{{ScopeKind::kAll, ""}}, Strength::kHard}, executor_,
                    [&](const Acknowledgement& given) { answer = given; });
  executor_.run();
  EXPECT_TRUE(answer->durable);
  TieredStore no_log(memory_, &disk_, generations_, counters_);
  no_log.purge({{{ScopeKind::kAll, ""}}, Strength::kHard}, executor_,
               [&](const Acknowledgement& given) { answer = given; });
  executor_.run();
  EXPECT_FALSE(answer->durable);
  EXPECT_EQ(counters_.get(Counter::kPurgesNotDurable), 1);
}

// The origin's content is a number that only grows; whoever asks after a purge was acknowledged must not get
// one that was replaced before the purge was asked for.
TEST(TieredPurgeThreads, NoThreadFindsWhatWasPurged) {
  Counters counters;
  // Room for a few responses: they evict each other.
  MemoryStore memory{MemoryStoreOptions{std::size_t{16} << 10U, 0, 64}, Describe{}, counters};
  tests::FakeLog log;
  Generations generations(1, 8 * Generations::kScopeCost);
  generations.restore({});
  TieredStore store(memory, nullptr, generations, counters, &log, kNoClock);
  const CacheKey key = key_of("/p/a");
  std::atomic<int> origin = 1;
  std::atomic<int> purged = 0;  // what was acknowledged: everything below is gone
  std::atomic<bool> stop = false;

  const auto fill = [&](int seconds_more) {
    const Sequence filled_at = generations.current();
    const int content = origin.load();
    StoredHead head = tests::head_of({key, content + seconds_more, "", filled_at});
    head.response_time = wall_from_seconds(content);
    head.tags = {"t"};
    head.body_size = 4;
    tests::ManualExecutor executor;
    const auto writer = store.begin(key, 4);
    if (!writer) return;
    writer->commit(std::move(head), ChunkList{Chunk::copy_of("body")}, executor, [](bool) {});
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop.load()) {
        const int at_least = purged.load();
        const auto found = store.try_lookup(key).variants;
        if (!found) {
          fill(0);
          continue;
        }
        const StoredResponsePtr old = found->front();
        EXPECT_GE(old->head().response_time, wall_from_seconds(at_least));
        StoredHead head = old->head();
        head.validated_at = generations.current();
        store.freshen(old, std::make_shared<const StoredResponse>(std::move(head), old->body(), Describe{}));
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; !stop.load(); ++i) {
      const CacheKey other = key_of("/other/" + std::to_string(i % 50));
      memory.put(tests::response_of({other, 100, "", generations.current()}, std::string(1000, 'x')), true);
      if (i % 8 == 0) store.invalidate(other);
    }
  });
  tests::ManualExecutor executor;
  for (int round = 0; round < 500; ++round) {
    const int content = ++origin;
    const PurgeCase each = cases()[static_cast<std::size_t>(round) % 5];
    bool done = false;
    store.purge({{each.scope}, Strength::kHard}, executor, [&](const Acknowledgement&) { done = true; });
    store.settle();
    executor.run();
    ASSERT_TRUE(done);
    purged.store(content);
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace freshet::storage
