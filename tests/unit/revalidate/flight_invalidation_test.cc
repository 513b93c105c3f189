// What an invalidation means to flights: who was there before it, who came after, and what is stored (G4,
// G5).
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "revalidate/policy/tags.h"
#include "tests/unit/revalidate/flight_fixture.h"

namespace freshet::revalidate {
namespace {

using storage::Standing;

class FlightInvalidationTest : public FlightTest {
 protected:
  // Of a tag that an operator names.
  void purge(std::string_view tag) {
    for (const storage::Scope& scope : scopes_of_tag(tag)) store_.invalidate_tag(scope.text);
  }
  // A soft purge of the URL, or of a tag.
  void soften(bool by_tag) {
    storage::Invalidation soft{scopes_of_tag("t"), storage::Strength::kSoft};
    if (!by_tag) soft.scopes = {{storage::ScopeKind::kUrl, key_.text}};
    tests::ManualExecutor executor;
    store_.purge(std::move(soft), executor, [](const storage::Acknowledgement&) {});
    executor.run();
  }
  void turn() { loop_.turn(storage::Milliseconds{0}); }
  // The flight that this client starts or joins, with what is stored.
  void get(Client& client) { start(client, request_of(storage::Method::kGet)); }

  const Lines tagged_{{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"Surrogate-Key", "t u"}};
};

// Of its tags nothing is known before the head: who joined after the purge is told to ask again, who was
// there before is served, and nothing is stored.
TEST_F(FlightInvalidationTest, ATagPurgedBeforeTheHeadConcernsWhoHasJoinedSince) {
  Client starter;
  Client before;
  Client after;
  get(starter);
  get(before);
  purge("t");
  get(after);
  EXPECT_EQ(origin_.started, 1);
  answer_whole(200, tagged_, "old");
  turn();
  EXPECT_EQ(told(starter)->outcome, FlightOutcome::kStored);
  EXPECT_EQ(told(before)->outcome, FlightOutcome::kStored);
  EXPECT_EQ(told(after)->outcome, FlightOutcome::kAskAgain);
  EXPECT_FALSE(told(after)->must_ask_alone);
  EXPECT_EQ(variants(), nullptr);
}

TEST_F(FlightInvalidationTest, ThePurgeOfATagThatTheAnswerHasNotSendsNobodyOff) {
  Client starter;
  Client after;
  get(starter);
  purge("other");
  get(after);
  answer_whole(200, tagged_, "content");
  turn();
  EXPECT_EQ(told(after)->outcome, FlightOutcome::kStored);
  EXPECT_NE(variants(), nullptr);
}

TEST_F(FlightInvalidationTest, WithMoreTagsThanAreKeptThePurgeOfAnyTagConcernsIt) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxTags; ++i) many += std::to_string(i) + " ";
  fill({{"Cache-Control", "max-age=60"}, {"Surrogate-Key", many}}, "content");
  ASSERT_NE(only(), nullptr);
  purge("other");
  EXPECT_EQ(variants(), nullptr);
}

// While it grows it belongs to those who have it; who comes starts another.
TEST_F(FlightInvalidationTest, AFillThatGrowsIsNotJoinedAfterThePurgeOfItsTag) {
  Client starter;
  Client joined;
  get(starter);
  answer(200, tagged_);
  get(joined);
  EXPECT_EQ(told(joined)->outcome, FlightOutcome::kStored);
  purge("u");
  OriginHandler* const old = origin_.handler;
  Client after;
  get(after);
  EXPECT_EQ(origin_.started, 2);
  answer_whole(200, tagged_, "new");
  turn();
  ASSERT_NE(only(), nullptr);
  const storage::StoredResponsePtr stored = only();
  // The older one ends last, and changes nothing.
  ASSERT_EQ(old->on_body("old"), OriginHandler::Body::kTaken);
  old->on_complete({});
  turn();
  EXPECT_EQ(only(), stored);
  EXPECT_EQ(told(after)->outcome, FlightOutcome::kStored);
}

TEST_F(FlightInvalidationTest, A304ForWhatATagHasPurgedMeanwhileIsNotApplied) {
  fill(tagged_, "old");
  Client client;
  get(client);
  EXPECT_TRUE(origin_.requests.back().fields.has(storage::FieldName::kIfNoneMatch));
  purge("t");
  answer(304, {{"ETag", "\"1\""}});
  EXPECT_EQ(origin_.started, 3);
  EXPECT_FALSE(origin_.requests.back().fields.has(storage::FieldName::kIfNoneMatch));
  answer_whole(200, tagged_, "new");
  turn();
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kStored);
  ASSERT_NE(only(), nullptr);
  EXPECT_EQ(only()->head().body_size, 3U);
}

// What the 304 says the response belongs to was purged since its content was filled.
TEST_F(FlightInvalidationTest, A304ThatNamesATagPurgedMeanwhileIsNotApplied) {
  fill(tagged_, "old");
  purge("v");
  ASSERT_NE(only(), nullptr);
  Client client;
  get(client);
  answer(304, {{"ETag", "\"1\""}, {"Surrogate-Key", "v"}});
  EXPECT_EQ(origin_.started, 3);
  EXPECT_FALSE(origin_.requests.back().fields.has(storage::FieldName::kIfNoneMatch));
}

TEST_F(FlightInvalidationTest, ARefreshInTheBackgroundBringsNothingBack) {
  fill(tagged_, "old");
  table_.start_background(request_of(storage::Method::kGet), *context_);
  purge("t");
  answer(304, {{"ETag", "\"1\""}});
  EXPECT_EQ(variants(), nullptr);
  EXPECT_EQ(origin_.started, 3);
  // It has asked again, for what is there after the purge; and once more it is overtaken.
  purge("u");
  answer_whole(200, tagged_, "older");
  turn();
  EXPECT_EQ(variants(), nullptr);
}

// Not dead: stored, but stale, and who comes after the purge starts a flight of his own.
TEST_F(FlightInvalidationTest, ASoftPurgeWhileItIsAskedForMakesItStaleForWhoComesLater) {
  for (const bool by_tag : {false, true}) {
    Client starter;
    Client before;
    Client after;
    const int started = origin_.started;
    FlightRequest fetch = request();
    start(starter, fetch);
    start(before, fetch);
    soften(by_tag);
    start(after, fetch);
    EXPECT_EQ(origin_.started, started + 1);
    answer_whole(200, tagged_, "old");
    turn();
    EXPECT_EQ(told(starter)->outcome, FlightOutcome::kStored);
    EXPECT_EQ(told(before)->outcome, FlightOutcome::kStored);
    EXPECT_EQ(told(after)->outcome, FlightOutcome::kAskAgain);
    ASSERT_NE(only(), nullptr);
    EXPECT_EQ(generations_.standing(*only()), Standing::kStale);
  }
}

TEST_F(FlightInvalidationTest, AFillThatGrowsIsNotJoinedAfterASoftPurgeAndDoesNotReplaceWhatIsNewer) {
  Client starter;
  Client after;
  get(starter);
  answer(200, tagged_);
  soften(true);
  OriginHandler* const old = origin_.handler;
  get(after);
  EXPECT_EQ(origin_.started, 2);
  answer_whole(200, tagged_, "newer");
  turn();
  ASSERT_EQ(old->on_body("old"), OriginHandler::Body::kTaken);
  old->on_complete({});
  turn();
  ASSERT_NE(only(), nullptr);
  EXPECT_EQ(only()->head().body_size, 5U);
  EXPECT_EQ(generations_.standing(*only()), Standing::kCurrent);
  // The older one's reader has all of it.
  EXPECT_EQ(told(starter)->outcome, FlightOutcome::kStored);
}

TEST_F(FlightInvalidationTest, A304MakesCurrentAgainWhatASoftPurgeBeforeItHasHit) {
  fill(tagged_, "content");
  soften(false);
  ASSERT_NE(only(), nullptr);
  EXPECT_EQ(generations_.standing(*only()), Standing::kStale);
  Client client;
  get(client);
  EXPECT_TRUE(origin_.requests.back().fields.has(storage::FieldName::kIfNoneMatch));
  answer(304, {{"ETag", "\"1\""}});
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kFreshened);
  EXPECT_EQ(generations_.standing(*only()), Standing::kCurrent);
}

// The origin may have said 304 before what the purge is about.
TEST_F(FlightInvalidationTest, A304ThatWasAskedForBeforeASoftPurgeLeavesItStale) {
  for (const bool by_tag : {false, true}) {
    fill(tagged_, "content");
    Client before;
    Client after;
    get(before);
    soften(by_tag);
    get(after);
    answer(304, {{"ETag", "\"1\""}});
    EXPECT_EQ(told(before)->outcome, FlightOutcome::kFreshened);
    EXPECT_EQ(told(after)->outcome, FlightOutcome::kAskAgain);
    EXPECT_EQ(generations_.standing(*only()), Standing::kStale);
  }
}

TEST_F(FlightInvalidationTest, A200ToHeadLeavesStaleWhatASoftPurgeHasHit) {
  fill(tagged_, "content");
  soften(true);
  Client client;
  start(client, request_of(storage::Method::kHead));
  answer(200, {{"Cache-Control", "max-age=90"}, {"ETag", "\"1\""}});
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kFreshened);
  EXPECT_EQ(generations_.standing(*only()), Standing::kStale);
}

// G8 protects a good stored response; one that is forgotten is none.
TEST_F(FlightInvalidationTest, AnErrorReplacesWhatWasPurged) {
  fill(tagged_, "old");
  Client client;
  get(client);
  purge("t");
  answer_whole(503, {{"Cache-Control", "max-age=5"}}, "busy");
  turn();
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kStored);
}

TEST_F(FlightInvalidationTest, AHeadConfirmsFieldsAndValidatesNothing) {
  fill(tagged_, "content");
  const storage::Sequence validated_at = only()->head().validated_at;
  purge("other");
  ASSERT_GT(generations_.current(), validated_at);
  Client client;
  start(client, request_of(storage::Method::kHead));
  answer(200, {{"Cache-Control", "max-age=90"}, {"ETag", "\"1\""}});
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kFreshened);
  EXPECT_EQ(only()->head().validated_at, validated_at);
  // A 304 does.
  Client again;
  get(again);
  answer(304, {{"ETag", "\"1\""}});
  EXPECT_EQ(told(again)->outcome, FlightOutcome::kFreshened);
  EXPECT_EQ(only()->head().validated_at, generations_.current());
  EXPECT_EQ(only()->head().filled_at, validated_at);
}

}  // namespace
}  // namespace freshet::revalidate
