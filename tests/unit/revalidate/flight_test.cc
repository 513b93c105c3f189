// Flights before an origin under the test's hand: who may outlive what, and who is told.
#include "revalidate/flight.h"

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/revalidate/flight_fixture.h"

namespace freshet::revalidate {
namespace {

// A look-up misses; the flight that fetches it ends and is forgotten; only then does the request ask for one
// (G5).
TEST_F(FlightTest, AFlightThatEndedSinceTheLookUpIsNotStartedOnceMore) {
  FlightRequest late = request_of(storage::Method::kGet);
  late.looked_up_at = table_.ended(key_);
  fill({{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, "content");
  EXPECT_EQ(origin_.started, 1);
  Client client;
  FlightTable::Joined joined = table_.join_or_start(late, *context_, waiter(client));
  EXPECT_TRUE(joined.look_again);
  EXPECT_EQ(joined.ticket, nullptr);
  EXPECT_EQ(origin_.started, 1);
  EXPECT_EQ(table_.waiters(), 0U);
  table_.start_background(late, *context_);
  EXPECT_EQ(origin_.started, 1);
  // It has looked again, and nothing has ended since.
  late.looked_up_at = table_.ended(key_);
  joined = table_.join_or_start(late, *context_, waiter(client));
  EXPECT_FALSE(joined.look_again);
  EXPECT_NE(joined.ticket, nullptr);
  EXPECT_EQ(origin_.started, 2);
}

// The same between a flight's answer and the moment in which the table forgets it.
TEST_F(FlightTest, AFlightThatIsJustEndingIsNotStartedOnceMore) {
  struct WhenAnswered final : public storage::Executor {
    void post(storage::Task /*task*/) override { then(); }
    std::function<void()> then;
  };
  fill({{"Cache-Control", "max-age=0"}, {"ETag", "\"1\""}}, "content");
  FlightRequest late = request_of(storage::Method::kGet);
  late.looked_up_at = table_.ended(key_);
  Client client;
  FlightTable::Joined joined;
  WhenAnswered answered;
  answered.then = [&] { joined = table_.join_or_start(late, *context_, waiter(client)); };
  FlightWaiter first = waiter(client);
  first.executor = &answered;
  const FlightTable::Joined started =
      table_.join_or_start(request_of(storage::Method::kGet), *context_, std::move(first));
  answer(304, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}});
  EXPECT_TRUE(joined.look_again);
  EXPECT_EQ(joined.ticket, nullptr);
  EXPECT_EQ(origin_.started, 2);
}

TEST_F(FlightTest, AFlightOfAnotherKeyThatEndedIsNoReasonToLookAgain) {
  const auto ended_of = [this](const storage::CacheKey& key) { return table_.ended(key); };
  storage::CacheKey near;
  // One of the same shard: it counts together with ours.
  for (int i = 0; near.text.empty() || near.digest.high % 64 != key_.digest.high % 64; ++i) {
    storage::make_cache_key("http", "a", "/" + std::to_string(i), near);
  }
  FlightRequest late = request_of(storage::Method::kGet);
  late.looked_up_at = ended_of(key_);
  std::swap(near, key_);
  fill({{"Cache-Control", "max-age=60"}}, "content");
  std::swap(near, key_);
  EXPECT_EQ(ended_of(key_), *late.looked_up_at + 1);
  Client client;
  EXPECT_FALSE(table_.join_or_start(late, *context_, waiter(client)).look_again);
  // More than is remembered: it may have been ours.
  Client another;
  late.looked_up_at = ended_of(key_);
  client.ticket.reset();
  loop_.turn(storage::Milliseconds{0});
  std::swap(near, key_);
  for (int i = 0; i < 40; ++i) fill({{"Cache-Control", "max-age=60"}}, "content");
  std::swap(near, key_);
  EXPECT_TRUE(table_.join_or_start(late, *context_, waiter(another)).look_again);
}

// Workers end one after the other: another's waiter leaves when the flight's worker is gone already.
TEST_F(FlightTest, ATicketMayOutliveTheWorkerOfItsFlight) {
  Client starter;
  Client other;
  join(starter);
  join(other);
  EXPECT_EQ(origin_.started, 1);
  starter.ticket.reset();
  (*context_->active.begin())->abandon();
  context_.reset();
  other.executor.run();
  ASSERT_EQ(other.answers.size(), 1U);
  EXPECT_EQ(other.answers.front()->outcome, FlightOutcome::kFailed);
  other.ticket.reset();
  EXPECT_EQ(table_.waiters(), 0U);
}

// The store does not take it after all: whoever waited for that would wait for the slowest client (G5).
TEST_F(FlightTest, NobodyWaitsForAResponseThatHasBecomeTooLargeToBeStored) {
  for (const char* cache_control : {"max-age=60", "no-cache"}) {
    Client starter;
    Client before;
    Client after;
    const int started = origin_.started;
    join(starter);
    head(cache_control);
    starter.executor.run();
    ASSERT_EQ(starter.answers.size(), 1U);
    body(512 * 1024, starter);
    const bool open = std::string_view(cache_control) == "max-age=60";
    if (!open) join(before);
    body(2 << 20, starter);
    before.executor.run();
    if (!open) {
      ASSERT_EQ(before.answers.size(), 1U);
      EXPECT_EQ(before.answers.front()->outcome, FlightOutcome::kAskAgain);
    }
    EXPECT_EQ(origin_.started, started + 1);
    join(after);
    EXPECT_EQ(origin_.started, started + 2);
    starter.answers.clear();
    while (!context_->active.empty()) (*context_->active.begin())->abandon();
  }
}

// RFC 9111, 4.3.5.
TEST_F(FlightTest, A200ToHeadFreshensTheStoredResponseThatItConfirms) {
  fill({{"Cache-Control", "max-age=1"}, {"ETag", "\"1\""}, {"A", "1"}}, "content");
  const storage::StoredResponsePtr old = only();
  ASSERT_NE(old, nullptr);
  Client client;
  start(client, request_of(storage::Method::kHead));
  EXPECT_EQ(origin_.requests.back().fields.first("If-None-Match"), "\"1\"");
  answer_whole(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}, {"B", "2"}, {"Content-Length", "7"}},
               "");
  ASSERT_NE(told(client), nullptr);
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kFreshened);
  EXPECT_EQ(told(client)->origin_status, 200);
  const storage::StoredResponsePtr fresh = only();
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(fresh->body(), old->body());
  EXPECT_EQ(fresh->head().response.fields.first("A"), "1");
  EXPECT_EQ(fresh->head().response.fields.first("B"), "2");
  EXPECT_EQ(fresh->head().response.fields.first("Cache-Control"), "max-age=60");
  EXPECT_EQ(told(client)->response, fresh);
}

TEST_F(FlightTest, A200ToHeadThatContradictsMarksTheStoredResponseUntilAGetRefreshesIt) {
  const Lines lines{{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}};
  fill(lines, "content");
  Client head;
  start(head, request_of(storage::Method::kHead));
  answer_whole(200, {{"ETag", "\"2\""}}, "");
  EXPECT_EQ(told(head)->outcome, FlightOutcome::kNotStorable);
  ASSERT_NE(only(), nullptr);
  EXPECT_TRUE(only()->head().outdated);
  Client get;
  start(get, request_of(storage::Method::kGet));
  answer_whole(304, lines, "");
  EXPECT_EQ(told(get)->outcome, FlightOutcome::kFreshened);
  EXPECT_FALSE(only()->head().outdated);
}

TEST_F(FlightTest, AnErrorOrAnAuthorizedAnswerToHeadChangesNothing) {
  fill({{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, "content");
  const storage::StoredResponsePtr old = only();
  Client failed;
  start(failed, request_of(storage::Method::kHead));
  answer_whole(503, {{"ETag", "\"2\""}}, "");
  Client authorized;
  start(authorized, request_of(storage::Method::kHead, {{"Authorization", "x"}}));
  answer_whole(200, {{"ETag", "\"2\""}}, "");
  Client forbidden;
  start(forbidden, request_of(storage::Method::kHead));
  answer_whole(200, {{"ETag", "\"1\""}, {"Cache-Control", "no-store"}}, "");
  EXPECT_EQ(only(), old);
  for (Client* client : {&failed, &authorized, &forbidden}) {
    EXPECT_EQ(told(*client)->outcome, FlightOutcome::kNotStorable);
  }
}

// RFC 9111, 4.3.4: the variant that the 304 selects stays, and the new one shares its content.
TEST_F(FlightTest, A304ThatSelectsAnotherVariantAddsOne) {
  const auto lines = [](std::string tag) {
    return Lines{{"Cache-Control", "max-age=60"}, {"Vary", "V"}, {"ETag", std::move(tag)}};
  };
  fill(lines("\"1\""), "one", {{"V", "1"}});
  fill(lines("\"2\""), "two", {{"V", "2"}});
  Client client;
  start(client, request_of(storage::Method::kGet, {{"V", "3"}}));
  EXPECT_EQ(origin_.requests.back().fields.first("If-None-Match"), "\"2\", \"1\"");
  answer_whole(304, lines("\"1\""), "");
  const auto answered = told(client);
  ASSERT_NE(answered, nullptr);
  EXPECT_EQ(answered->outcome, FlightOutcome::kFreshened);
  ASSERT_EQ(variants()->size(), 3U);
  const auto selected = [&](const std::string& value) {
    return request_of(storage::Method::kGet, {{"V", value}}).selected;
  };
  EXPECT_EQ(selected("3"), answered->response);
  EXPECT_EQ(selected("3")->body(), selected("1")->body());
  EXPECT_NE(selected("3")->body(), selected("2")->body());
}

TEST_F(FlightTest, A304UpdatesAllThatHaveItsStrongTag) {
  const Lines lines{{"Cache-Control", "max-age=60"}, {"Vary", "V"}, {"ETag", "\"1\""}};
  fill(lines, "one", {{"V", "1"}});
  fill(lines, "one", {{"V", "2"}});
  Client client;
  start(client, request_of(storage::Method::kGet, {{"V", "1"}}));
  answer_whole(304, {{"ETag", "\"1\""}, {"A", "new"}}, "");
  ASSERT_EQ(variants()->size(), 2U);
  const storage::VariantSetPtr updated = variants();
  for (const auto& each : *updated) EXPECT_EQ(each->head().response.fields.first("A"), "new");
}

// Nobody but the edge itself has set a condition or, after it, a range.
TEST_F(FlightTest, WhatOnlyTheEdgesOwnConditionsCanMeanIsAskedAgainWithout) {
  for (const int status : {206, 412, 416}) {
    fill({{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, "content");
    Client client;
    const int started = origin_.started;
    start(client, request_of(storage::Method::kGet));
    EXPECT_TRUE(origin_.requests.back().fields.has("If-None-Match"));
    answer(status, {});
    EXPECT_EQ(origin_.started, started + 2);
    EXPECT_FALSE(origin_.requests.back().fields.has("If-None-Match"));
    EXPECT_EQ(told(client), nullptr);
    answer_whole(200, {{"ETag", "\"2\""}}, "other");
    EXPECT_EQ(told(client)->outcome, FlightOutcome::kStored);
  }
}

// RFC 9110, 9.3.3, and RFC 9111, 4.4: first it invalidates, then it is stored, so that it stays.
TEST_F(FlightTest, AStorableAnswerToPostIsStoredAfterItsInvalidation) {
  fill({{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}}, "old");
  Client client;
  int invalidated = 0;
  client.invalidate = [&](const storage::ResponseHead&) {
    ++invalidated;
    EXPECT_EQ(only(), nullptr);
    store_.invalidate(key_);
  };
  start(client, request_of(storage::Method::kPost));
  answer_whole(200, {{"Cache-Control", "max-age=60"}, {"Content-Location", "/"}, {"ETag", "\"2\""}}, "new");
  EXPECT_EQ(invalidated, 1);
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kStored);
  ASSERT_NE(only(), nullptr);
  EXPECT_EQ(only()->head().response.fields.first("ETag"), "\"2\"");
}

// RFC 9110, 8.8.3.
TEST_F(FlightTest, SmallContentOfAStatedLengthIsAwaitedSoThatTheFirstAnswerHasItsTag) {
  Client starter;
  Client joined;
  start(starter, request_of(storage::Method::kGet));
  answer(200, {{"Cache-Control", "max-age=60"}}, 7);
  EXPECT_EQ(told(starter), nullptr);
  start(joined, request_of(storage::Method::kGet));
  EXPECT_EQ(origin_.started, 1);
  ASSERT_EQ(origin_.handler->on_body("content"), OriginHandler::Body::kTaken);
  EXPECT_EQ(told(starter), nullptr);
  origin_.handler->on_complete({});
  ASSERT_NE(only(), nullptr);
  EXPECT_TRUE(only()->head().own_entity_tag);
  const auto tag = only()->head().response.fields.first("ETag");
  ASSERT_TRUE(tag);
  for (Client* client : {&starter, &joined}) {
    const auto answered = told(*client);
    ASSERT_NE(answered, nullptr);
    EXPECT_EQ(answered->outcome, FlightOutcome::kStored);
    EXPECT_EQ(answered->response->head().response.fields.first("ETag"), tag);
    storage::Chunk chunk;
    EXPECT_EQ(answered->reader->read(0, 100, chunk), storage::Fill::Read::kData);
    EXPECT_EQ(chunk.view(), "content");
  }
}

// G5: also while the content is awaited, what a group's invalidation has overtaken is not joined.
TEST_F(FlightTest, AwaitedContentWhoseGroupIsInvalidatedIsNotJoined) {
  const Lines lines{{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"g\""}};
  fill(lines, "content");
  ASSERT_NE(only(), nullptr);
  ASSERT_FALSE(only()->head().tags.empty());
  const std::string tag = only()->head().tags.front();
  store_.invalidate(key_);
  Client before;
  Client after;
  start(before, request_of(storage::Method::kGet));
  answer(200, lines, 7);
  const int started = origin_.started;
  store_.invalidate_tag(tag);
  OriginHandler* const older = origin_.handler;
  start(after, request_of(storage::Method::kGet));
  EXPECT_EQ(origin_.started, started + 1);
  ASSERT_EQ(older->on_body("content"), OriginHandler::Body::kTaken);
  older->on_complete({});
  EXPECT_NE(told(before), nullptr);
  EXPECT_EQ(told(after), nullptr);
  EXPECT_EQ(only(), nullptr);
}

// One response is made: the store keeps the very one that those who wait are given.
TEST_F(FlightTest, ContentThatCameWithItsHeadIsGivenAsItIsStored) {
  for (const Lines& lines : {Lines{{"Cache-Control", "max-age=60"}, {"ETag", "\"1\""}},
                             Lines{{"Cache-Control", "max-age=60"}}, Lines{{"ETag", "\"1\""}}}) {
    store_.remove(key_);
    Client starter;
    Client joined;
    start(starter, request_of(storage::Method::kGet));
    start(joined, request_of(storage::Method::kGet));
    origin_.handler->expect_content(7);
    answer(200, lines, 7);
    EXPECT_EQ(told(starter), nullptr);
    ASSERT_EQ(origin_.handler->on_body("content"), OriginHandler::Body::kTaken);
    origin_.handler->on_complete({});
    ASSERT_NE(only(), nullptr);
    EXPECT_EQ(only()->whole_body(), "content");
    EXPECT_TRUE(only()->head().response.fields.has("ETag"));
    for (Client* client : {&starter, &joined}) {
      const auto answered = told(*client);
      ASSERT_NE(answered, nullptr);
      EXPECT_EQ(answered->outcome, FlightOutcome::kStored);
      EXPECT_EQ(answered->response, only());
      EXPECT_EQ(answered->reader, nullptr);
      EXPECT_EQ(answered->body_size, 7U);
    }
    EXPECT_TRUE(context_->active.empty());
  }
}

// G4: the older request is served, and nothing is stored.
TEST_F(FlightTest, ContentThatCameWithItsHeadIsNotStoredAfterAnInvalidation) {
  Client client;
  start(client, request_of(storage::Method::kGet));
  store_.invalidate(key_);
  origin_.handler->expect_content(7);
  answer(200, {{"Cache-Control", "max-age=60"}}, 7);
  ASSERT_EQ(origin_.handler->on_body("content"), OriginHandler::Body::kTaken);
  origin_.handler->on_complete({});
  ASSERT_NE(told(client), nullptr);
  EXPECT_EQ(told(client)->response->whole_body(), "content");
  EXPECT_EQ(only(), nullptr);
  EXPECT_TRUE(context_->active.empty());
}

// What was announced and breaks off all the same is a failure like any other (G2).
TEST_F(FlightTest, ContentThatWasAnnouncedAndDoesNotComeIsAFailure) {
  Client client;
  start(client, request_of(storage::Method::kGet));
  origin_.handler->expect_content(7);
  answer(200, {{"Cache-Control", "max-age=60"}}, 7);
  origin_.handler->on_failure({OriginFailure::kTruncated, "cut"});
  ASSERT_NE(told(client), nullptr);
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kFailed);
  EXPECT_EQ(only(), nullptr);
}

TEST_F(FlightTest, ContentOfAnUnknownLengthIsStreamedAndStoredWithItsTag) {
  for (const std::optional<std::uint64_t> size : {std::optional<std::uint64_t>{}, {70'000}}) {
    store_.remove(key_);
    Client client;
    start(client, request_of(storage::Method::kGet));
    answer(200, {{"Cache-Control", "max-age=60"}}, size);
    ASSERT_NE(told(client), nullptr);
    EXPECT_FALSE(told(client)->response->head().response.fields.has("ETag"));
    ASSERT_EQ(origin_.handler->on_body(std::string(70'000, 'b')), OriginHandler::Body::kTaken);
    origin_.handler->on_complete({});
    ASSERT_NE(only(), nullptr);
    EXPECT_TRUE(only()->head().own_entity_tag);
    EXPECT_TRUE(only()->head().response.fields.has("ETag"));
  }
}

TEST_F(FlightTest, TheTagIsThatOfTheContentAndOnlyWhereThereIsNone) {
  const auto tag_of = [&](const Lines& lines, std::string_view content) {
    store_.remove(key_);
    fill(lines, content);
    const auto tag = only()->head().response.fields.first("ETag");
    return std::string(tag.value_or("none"));
  };
  const std::string tag = tag_of({{"Cache-Control", "max-age=60"}}, "content");
  EXPECT_EQ(tag_of({{"Cache-Control", "max-age=61"}, {"A", "b"}}, "content"), tag);
  EXPECT_NE(tag_of({{"Cache-Control", "max-age=60"}}, "contenT"), tag);
  EXPECT_NE(tag_of({{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}}, "content"), tag);
  EXPECT_EQ(tag_of({{"Cache-Control", "max-age=60"}, {"ETag", "W/\"1\""}}, "content"), "W/\"1\"");
  EXPECT_FALSE(only()->head().own_entity_tag);
  policy_.content_tags = false;
  EXPECT_EQ(tag_of({{"Cache-Control", "max-age=60"}}, "content"), "none");
}

TEST_F(FlightTest, AnOriginThatWritesSlowlyIsNotAwaited) {
  Client client;
  start(client, request_of(storage::Method::kGet));
  answer(200, {{"Cache-Control", "max-age=60"}}, 7);
  ASSERT_EQ(origin_.handler->on_body("con"), OriginHandler::Body::kTaken);
  ASSERT_TRUE(loop_.run_until([&] { return told(client) != nullptr; }));
  EXPECT_FALSE(told(client)->response->head().response.fields.has("ETag"));
  ASSERT_EQ(origin_.handler->on_body("tent"), OriginHandler::Body::kTaken);
  origin_.handler->on_complete({});
  EXPECT_TRUE(only()->head().own_entity_tag);
}

TEST_F(FlightTest, WhatIsAwaitedAndBreaksOffIsAFailure) {
  Client starter;
  start(starter, request_of(storage::Method::kGet));
  answer(200, {{"Cache-Control", "max-age=60"}}, 7);
  ASSERT_EQ(origin_.handler->on_body("con"), OriginHandler::Body::kTaken);
  origin_.handler->on_failure({OriginFailure::kTruncated, "cut"});
  ASSERT_NE(told(starter), nullptr);
  EXPECT_EQ(told(starter)->outcome, FlightOutcome::kFailed);
  EXPECT_EQ(only(), nullptr);
}

// The same content again: RFC 9110, 8.8.1.
TEST_F(FlightTest, TheContentThatIsStoredAlreadyIsNotStoredAgain) {
  const Lines lines{{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}};
  for (const std::optional<std::uint64_t> size : {std::optional<std::uint64_t>{}, {7}}) {
    store_.remove(key_);
    fill(lines, "content");
    const storage::StoredResponsePtr old = only();
    const auto stored = counters_.get(storage::Counter::kStored);
    Client client;
    FlightRequest made = request_of(storage::Method::kGet);
    start(client, std::move(made));
    EXPECT_FALSE(origin_.requests.back().fields.has("If-None-Match"));
    answer_whole(200, {{"Cache-Control", "max-age=90"}, {"Content-Type", "text/plain"}, {"A", "b"}},
                 "content", size);
    loop_.turn(storage::Milliseconds{0});
    ASSERT_NE(told(client), nullptr);
    const storage::StoredResponsePtr fresh = only();
    ASSERT_NE(fresh, nullptr);
    EXPECT_NE(fresh, old);
    EXPECT_EQ(fresh->body(), old->body());
    EXPECT_EQ(fresh->head().response.fields.first("ETag"), old->head().response.fields.first("ETag"));
    EXPECT_TRUE(fresh->head().own_entity_tag);
    EXPECT_EQ(fresh->head().response.fields.first("A"), "b");
    EXPECT_EQ(counters_.get(storage::Counter::kStored), stored);
    EXPECT_TRUE(context_->active.empty());
  }
  EXPECT_EQ(counters_.get(storage::Counter::kContentEqual), 2);
}

TEST_F(FlightTest, WhoHasTheStoredTagIsAnsweredWhenItIsDecided) {
  const Lines lines{{"Cache-Control", "max-age=60"}};
  for (const bool equal : {true, false}) {
    store_.remove(key_);
    fill(lines, std::string(100'000, 'a'));
    const storage::StoredResponsePtr old = only();
    Client with;
    Client without;
    Client late;
    with.has_condition = late.has_condition = true;
    start(with, request_of(storage::Method::kGet));
    start(without, request_of(storage::Method::kGet));
    answer(200, lines);
    ASSERT_EQ(origin_.handler->on_body(std::string(50'000, 'a')), OriginHandler::Body::kTaken);
    loop_.turn(storage::Milliseconds{0});
    ASSERT_NE(told(without), nullptr);
    EXPECT_EQ(told(without)->outcome, FlightOutcome::kStored);
    start(late, request_of(storage::Method::kGet));
    EXPECT_EQ(told(with), nullptr);
    EXPECT_EQ(told(late), nullptr);
    ASSERT_EQ(origin_.handler->on_body(std::string(50'000, equal ? 'a' : 'b')), OriginHandler::Body::kTaken);
    loop_.turn(storage::Milliseconds{0});
    if (!equal) {
      // At once, not at the end.
      ASSERT_NE(told(with), nullptr);
      storage::Chunk chunk;
      EXPECT_EQ(told(with)->reader->read(0, 10, chunk), storage::Fill::Read::kData);
      EXPECT_EQ(chunk.view(), "aaaaaaaaaa");
    }
    origin_.handler->on_complete({});
    loop_.turn(storage::Milliseconds{0});
    for (Client* client : {&with, &late}) {
      const auto answered = told(*client);
      ASSERT_NE(answered, nullptr);
      EXPECT_EQ(answered->outcome, equal ? FlightOutcome::kFreshened : FlightOutcome::kStored);
      if (equal) {
        EXPECT_EQ(answered->reason, Reason::kContentEqual);
        EXPECT_EQ(answered->origin_status, 200);
        EXPECT_EQ(answered->response, only());
      }
    }
    EXPECT_EQ(only()->body() == old->body(), equal);
    EXPECT_EQ(only()->head().response.fields.first("ETag") == old->head().response.fields.first("ETag"),
              equal);
  }
}

// G4: between the head and the end of the same content.
TEST_F(FlightTest, AnInvalidationWhileContentIsComparedWins) {
  const Lines lines{{"Cache-Control", "max-age=60"}};
  fill(lines, "content");
  Client client;
  client.has_condition = true;
  start(client, request_of(storage::Method::kGet));
  answer(200, lines);
  ASSERT_EQ(origin_.handler->on_body("con"), OriginHandler::Body::kTaken);
  store_.invalidate(key_);
  ASSERT_EQ(origin_.handler->on_body("tent"), OriginHandler::Body::kTaken);
  origin_.handler->on_complete({});
  loop_.turn(storage::Milliseconds{0});
  EXPECT_EQ(only(), nullptr);
  ASSERT_NE(told(client), nullptr);
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kFreshened);
}

TEST_F(FlightTest, TheStarterMayLeaveWhileContentIsCompared) {
  const Lines lines{{"Cache-Control", "max-age=60"}};
  fill(lines, "content");
  const storage::StoredResponsePtr old = only();
  Client starter;
  Client other;
  other.has_condition = true;
  start(starter, request_of(storage::Method::kGet));
  start(other, request_of(storage::Method::kGet));
  answer(200, {{"Cache-Control", "max-age=90"}});
  ASSERT_EQ(origin_.handler->on_body("con"), OriginHandler::Body::kTaken);
  starter.ticket.reset();
  loop_.turn(storage::Milliseconds{0});
  other.ticket.reset();
  loop_.turn(storage::Milliseconds{0});
  ASSERT_EQ(origin_.handler->on_body("tent"), OriginHandler::Body::kTaken);
  origin_.handler->on_complete({});
  loop_.turn(storage::Milliseconds{0});
  EXPECT_EQ(only()->body(), old->body());
  EXPECT_EQ(only()->head().response.fields.first("Cache-Control"), "max-age=90");
  EXPECT_TRUE(context_->active.empty());
}

// Shorter than what is stored: known at the end only.
TEST_F(FlightTest, APrefixOfTheStoredContentIsOtherContent) {
  const Lines lines{{"Cache-Control", "max-age=60"}};
  fill(lines, "content");
  Client client;
  client.has_condition = true;
  start(client, request_of(storage::Method::kGet));
  answer_whole(200, lines, "con");
  loop_.turn(storage::Milliseconds{0});
  ASSERT_NE(told(client), nullptr);
  EXPECT_EQ(told(client)->outcome, FlightOutcome::kStored);
  EXPECT_EQ(only()->head().body_size, 3U);
  EXPECT_TRUE(context_->active.empty());
}

// A stored body on a disk that does not answer.
class SilentBody final : public storage::StoredBody {
 public:
  TryRead try_read(std::uint64_t /*offset*/, storage::Chunk& /*chunk*/) const override {
    return TryRead::kWouldBlock;
  }
  void read(std::uint64_t /*offset*/, storage::Executor& executor,
            std::function<void(storage::Result<storage::Chunk>)> done) const override {
    pending = [&executor, done = std::move(done)] {
      executor.post([done] { done(storage::Error{"evicted"}); });
    };
  }
  [[nodiscard]] std::size_t memory_size() const override { return 0; }

  mutable std::function<void()> pending;
};

// The disk is slower than the origin, or has evicted the stored body: who waits is not left waiting.
TEST_F(FlightTest, WhereTheStoredContentCannotBeReadWhoWaitsGetsTheNewFromItsBeginning) {
  const auto body = std::make_shared<SilentBody>();
  storage::StoredHead head;
  head.key = key_;
  head.response.status = 200;
  head.body_size = 8 << 20;
  head.body_id = 1;
  head.filled_at = generations_.current();
  Client client;
  client.has_condition = true;
  FlightRequest made = request_of(storage::Method::kGet);
  made.selected = std::make_shared<const storage::StoredResponse>(head, body, store_.describe());
  made.stored = storage::make_variants({made.selected});
  start(client, std::move(made));
  answer(200, {{"Cache-Control", "max-age=60"}});
  // Until the stored body says something, the origin is held up after a bounded number of bytes.
  int taken = 0;
  while (origin_.handler->on_body(std::string(64 * 1024, 'b')) == OriginHandler::Body::kTaken) ++taken;
  EXPECT_LE(taken, 66);
  EXPECT_EQ(told(client), nullptr);
  ASSERT_TRUE(body->pending);
  std::exchange(body->pending, nullptr)();
  for (int i = 0; i < 10 && !told(client); ++i) {
    loop_.turn(storage::Milliseconds{0});
    (void)origin_.handler->on_body(std::string(64 * 1024, 'b'));
  }
  ASSERT_NE(told(client), nullptr);
  ASSERT_EQ(told(client)->outcome, FlightOutcome::kStored);
  storage::Chunk chunk;
  ASSERT_EQ(told(client)->reader->read(0, 10, chunk), storage::Fill::Read::kData);
  EXPECT_EQ(chunk.view(), "bbbbbbbbbb");
  client.answers.clear();
  while (!context_->active.empty()) (*context_->active.begin())->abandon();
}

// Whoever compares keeps no more of a large body than whoever stores it: 8 MiB go to neither tier here.
TEST_F(FlightTest, ComparedContentDoesNotPileUp) {
  const Lines lines{{"Cache-Control", "max-age=60"}};
  fill(lines, std::string(1000, 'b'));
  Client client;
  start(client, request_of(storage::Method::kGet));
  answer(200, lines);
  int taken = 0;
  while (taken < 128 &&
         origin_.handler->on_body(std::string(64 * 1024, 'b')) == OriginHandler::Body::kTaken) {
    ++taken;
    loop_.turn(storage::Milliseconds{0});
  }
  EXPECT_LE(budget_.used(), std::size_t{3} << 20);
  EXPECT_LT(taken, 128);
  client.answers.clear();
  client.ticket.reset();
  loop_.turn(storage::Milliseconds{0});
}

}  // namespace
}  // namespace freshet::revalidate
