#include "storage/invalidation/invalidation_queue.h"

#include <atomic>
#include <gtest/gtest.h>
#include <optional>

#include "tests/support/fake_log.h"
#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using tests::head_of;
using tests::key_of;

class InvalidationQueueTest : public ::testing::Test {
 protected:
  InvalidationQueueTest() { restart(); }
  void TearDown() override { log_.let_go(); }

  void restart() {
    queue_.reset();
    generations_ = std::make_unique<Generations>(Sequence{1}, budget_, &counters_);
    generations_->begin_at(log_.reserved());
    generations_->restore(log_.records());
    // Retries come when the test asks for a settle(), not by the clock.
    queue_ = std::make_unique<InvalidationQueue>(
        *generations_, &log_, counters_,
        InvalidationQueueOptions{Milliseconds{3'600'000}, Milliseconds{3'600'000}},
        [this](const Invalidation&) { ++applied_; });
  }
  std::shared_ptr<std::optional<Acknowledgement>> begin(std::vector<Scope> scopes,
                                                        Strength strength = Strength::kHard) {
    auto answer = std::make_shared<std::optional<Acknowledgement>>();
    queue_->purge({std::move(scopes), strength}, executor_,
                  [answer](const Acknowledgement& given) { *answer = given; });
    return answer;
  }
  Acknowledgement purge(std::vector<Scope> scopes, Strength strength = Strength::kHard) {
    const auto answer = begin(std::move(scopes), strength);
    queue_->settle();
    executor_.run();
    return answer->value();
  }
  [[nodiscard]] Standing standing(std::string_view path, Sequence filled_at) const {
    return generations_->standing(head_of({key_of(path), 100, "", filled_at}));
  }
  static Scope url(std::string_view path) { return {ScopeKind::kUrl, key_of(path).text}; }

  std::size_t budget_ = std::size_t{1} << 20U;
  Counters counters_;
  tests::FakeLog log_;
  tests::ManualExecutor executor_;
  std::atomic<int> applied_ = 0;
  std::unique_ptr<Generations> generations_;
  std::unique_ptr<InvalidationQueue> queue_;
};

TEST_F(InvalidationQueueTest, APurgeIsWrittenThenInEffectThenAcknowledged) {
  const Sequence before = generations_->current();
  log_.hold();
  const auto answer = begin({url("/a"), url("/b")});
  log_.wait_until_begun(1);
  // Neither in effect nor to be seen by a fill before the synced write.
  EXPECT_EQ(generations_->current(), before);
  EXPECT_EQ(standing("/a", before), Standing::kCurrent);
  EXPECT_EQ(executor_.queued(), 0U);
  log_.let_go();
  queue_->settle();
  executor_.run();
  ASSERT_TRUE(answer->has_value());
  EXPECT_TRUE((*answer)->durable);
  EXPECT_TRUE((*answer)->error.empty());
  EXPECT_EQ((*answer)->sequence, generations_->current());
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text), (*answer)->sequence);
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/b").text), (*answer)->sequence);
  EXPECT_EQ(applied_, 1);
  // What began while it was written may have what was there before.
  EXPECT_EQ(standing("/a", before), Standing::kDead);
  EXPECT_EQ(standing("/a", generations_->current()), Standing::kCurrent);
}

// An invalidation by use in between has a smaller number: what it lets be filled is older than the purge.
TEST_F(InvalidationQueueTest, AFillThatBeganDuringTheWriteIsDeadWhateverElseWasInvalidated) {
  log_.hold();
  const auto answer = begin({url("/a")});
  log_.wait_until_begun(1);
  generations_->invalidate(key_of("/other"));
  const Sequence filled_at = generations_->current();
  log_.let_go();
  queue_->settle();
  EXPECT_EQ(standing("/a", filled_at), Standing::kDead);
  restart();
  EXPECT_EQ(standing("/a", filled_at), Standing::kDead) << "as the log has it, too";
}

TEST_F(InvalidationQueueTest, OneThatIsOvertakenIsNumberedAnew) {
  log_.hold();
  const auto answer = begin({url("/a")});
  log_.wait_until_begun(1);
  for (int i = 0; i < 5000; ++i) generations_->invalidate(key_of("/other"));
  const Sequence filled_at = generations_->current();
  log_.let_go();
  queue_->settle();
  executor_.run();
  EXPECT_GT((*answer)->sequence, filled_at);
  EXPECT_TRUE((*answer)->durable);
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text), (*answer)->sequence);
  EXPECT_EQ(standing("/a", filled_at), Standing::kDead);
}

TEST_F(InvalidationQueueTest, WhatComesDuringAWriteIsWrittenTogetherByTheNext) {
  log_.hold();
  std::vector<std::shared_ptr<std::optional<Acknowledgement>>> answers{begin({url("/0")})};
  log_.wait_until_begun(1);
  for (int i = 1; i <= 100; ++i) answers.push_back(begin({url("/" + std::to_string(i))}));
  log_.let_go();
  queue_->settle();
  executor_.run();
  EXPECT_EQ(log_.synced_writes(), 2);
  Sequence last = 0;
  for (const auto& each : answers) {
    EXPECT_TRUE((*each)->durable);
    EXPECT_GT((*each)->sequence, last) << "each has its own number";
    last = (*each)->sequence;
  }
}

TEST_F(InvalidationQueueTest, WhatCannotBeWrittenIsInEffectAndNotDurable) {
  const Sequence before = generations_->current();
  log_.set_failing(true);
  const Acknowledgement answer = purge({url("/a")});
  EXPECT_FALSE(answer.durable);
  EXPECT_EQ(answer.error, "no space");
  EXPECT_EQ(standing("/a", before), Standing::kDead);
  EXPECT_TRUE(queue_->failing());
  EXPECT_EQ(counters_.get(Counter::kPurgesNotDurable), 1);
  // Tried again until it is written, together with what has come meanwhile.
  const Acknowledgement second = purge({url("/b")});
  EXPECT_FALSE(second.durable);
  EXPECT_GT(second.sequence, answer.sequence);
  log_.set_failing(false);
  queue_->settle();
  EXPECT_FALSE(queue_->failing());
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text), answer.sequence);
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/b").text), second.sequence);
  EXPECT_TRUE(purge({url("/c")}).durable);
}

TEST_F(InvalidationQueueTest, APurgeThatIsWrittenTakesThePendingOnesAlong) {
  log_.set_failing(true);
  const Acknowledgement first = purge({url("/a")});
  log_.set_failing(false);
  EXPECT_TRUE(purge({url("/b")}).durable);
  EXPECT_FALSE(queue_->failing());
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text), first.sequence);
}

TEST_F(InvalidationQueueTest, AfterARestartWhatWasPurgedStaysSo) {
  const Sequence before = generations_->current();
  const Sequence hard = purge({url("/a"), {ScopeKind::kHost, "other.test"}}).sequence;
  const Sequence soft =
      purge({url("/b"), {ScopeKind::kPrefix, key_of("/p/").text}}, Strength::kSoft).sequence;
  const Sequence newest = generations_->current();
  restart();
  EXPECT_GT(generations_->current(), newest) << "no number is issued twice";
  EXPECT_EQ(standing("/a", hard - 1), Standing::kDead);
  EXPECT_EQ(standing("/a", hard), Standing::kCurrent);
  EXPECT_EQ(standing("/b", soft - 1), Standing::kStale);
  EXPECT_EQ(standing("/p/q", before), Standing::kStale);
  EXPECT_EQ(standing("/c", before), Standing::kCurrent);
}

TEST_F(InvalidationQueueTest, AHardPurgeTakesTheSoftOneOfItsScopeAway) {
  purge({url("/a")}, Strength::kSoft);
  const Sequence hard = purge({url("/a")}).sequence;
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text, Strength::kSoft), 0U);
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text), hard);
  const Sequence soft = purge({url("/a")}, Strength::kSoft).sequence;
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text), hard);
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text, Strength::kSoft), soft);
}

TEST_F(InvalidationQueueTest, PurgingAllForgetsWhatWasPurgedBefore) {
  const Sequence before = generations_->current();
  purge({url("/a"), {ScopeKind::kTag, "t"}});
  purge({url("/b")}, Strength::kSoft);
  const Sequence all = purge({{ScopeKind::kAll, ""}}).sequence;
  EXPECT_EQ(generations_->scopes(), 1U);
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text), 0U);
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/b").text, Strength::kSoft), 0U);
  restart();
  EXPECT_EQ(standing("/a", before), Standing::kDead);
  EXPECT_EQ(standing("/x", all - 1), Standing::kDead);
  EXPECT_EQ(standing("/x", all), Standing::kCurrent);
}

TEST_F(InvalidationQueueTest, ATagInvalidatedByUseIsKept) {
  const Sequence sequence = generations_->invalidate_tag("group:a");
  queue_->keep(tag_record("group:a", sequence));
  queue_->settle();
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "group:a"), sequence);
}

// Two threads: numbered in one order, here in the other.
TEST_F(InvalidationQueueTest, ALateRecordDoesNotLowerTheNumber) {
  const Sequence first = generations_->invalidate_tag("t");
  const Sequence second = generations_->invalidate_tag("t");
  queue_->keep(tag_record("t", second));
  queue_->settle();
  const Sequence soft = purge({{ScopeKind::kTag, "t"}}, Strength::kSoft).sequence;
  queue_->keep(tag_record("t", first));
  queue_->settle();
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "t"), second);
  EXPECT_EQ(log_.number_of(ScopeKind::kTag, "t", Strength::kSoft), soft);
}

TEST_F(InvalidationQueueTest, TheLogIsBoundedAsMemoryIs) {
  budget_ = 10 * Generations::kScopeCost;
  restart();
  std::vector<std::pair<std::string, Sequence>> purged;
  for (int i = 0; i < 100; ++i) {
    const std::string path = "/" + std::to_string(i % 30);
    purged.emplace_back(path, purge({url(path)}).sequence);
  }
  queue_->settle();
  EXPECT_LE(log_.records().size(), 12U);
  restart();
  for (const auto& [path, sequence] : purged)
    EXPECT_EQ(standing(path, sequence - 1), Standing::kDead) << path;
}

TEST_F(InvalidationQueueTest, WhatIsDroppedIsGoneFromTheLogAndStaysInEffect) {
  const Sequence before = generations_->current();
  const Sequence sequence = purge({url("/a")}).sequence;
  queue_->drop_older_than(sequence, sequence);
  queue_->settle();
  EXPECT_EQ(log_.number_of(ScopeKind::kUrl, key_of("/a").text), 0U);
  EXPECT_EQ(log_.hard_floor(), sequence);
  restart();
  EXPECT_EQ(standing("/a", before), Standing::kDead);
  EXPECT_EQ(standing("/b", before), Standing::kDead) << "nothing alive is so old";
  EXPECT_EQ(standing("/a", sequence), Standing::kCurrent);
}

TEST_F(InvalidationQueueTest, WhatWaitsAtTheEndIsDone) {
  log_.hold();
  const auto first = begin({url("/a")});
  log_.wait_until_begun(1);
  const auto second = begin({url("/b")});
  log_.let_go();
  queue_.reset();
  executor_.run();
  EXPECT_TRUE((*first)->durable);
  EXPECT_TRUE((*second)->durable);
}

}  // namespace
}  // namespace freshet::storage
