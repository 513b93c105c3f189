// RFC 9111, section 4 and 5.2.1; RFC 5861; guarantee G12.
#include "revalidate/policy/reuse.h"

#include <gtest/gtest.h>

#include "revalidate/policy/freshness.h"
#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;
using Kind = ReuseDecision::Kind;

ReuseDecision decide(const Lines& asked, const StoredResponsePtr& selected, long long now,
                     storage::Standing standing = storage::Standing::kCurrent) {
  return decide_reuse(request_facts(request(asked)), selected.get(), true, at(now), PolicyOptions{},
                      standing);
}

void expect(const ReuseDecision& got, Kind kind, Reason reason) {
  EXPECT_EQ(got.kind, kind) << reason_token(got.reason);
  EXPECT_EQ(reason_token(got.reason), reason_token(reason));
}

TEST(Reuse, S4FreshIsServedWithItsAge) {
  const auto stored_response = stored({{"Cache-Control", "max-age=10"}});
  const ReuseDecision got = decide({}, stored_response, 4);
  expect(got, Kind::kServe, Reason::kFresh);
  EXPECT_EQ(got.age, Seconds{4});
  EXPECT_EQ(got.ttl, Seconds{6});
  expect(decide({}, stored({{"Last-Modified", date_at(-1000)}}), 1), Kind::kServe,
         Reason::kHeuristicallyFresh);
}

TEST(Reuse, S4AMissSaysWhich) {
  expect(decide({}, nullptr, 0), Kind::kFetch, Reason::kVaryMiss);
  expect(decide_reuse(request_facts(request()), nullptr, false, at(0), {}), Kind::kFetch, Reason::kUriMiss);
}

TEST(Reuse, S4StaleIsValidatedOrFetched) {
  expect(decide({}, stored({{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}}), 10), Kind::kValidate,
         Reason::kStale);
  expect(decide({}, stored({{"Cache-Control", "max-age=10"}}), 10), Kind::kFetch, Reason::kStale);
  expect(decide({}, stored({{"ETag", "\"a\""}}), 0), Kind::kValidate, Reason::kNoFreshness);
  expect(decide({}, stored({{"Cache-Control", "max-age=2, must-revalidate"}, {"ETag", "\"a\""}}), 3),
         Kind::kValidate, Reason::kMustRevalidate);
  EXPECT_EQ(decide({}, stored({{"Cache-Control", "max-age=10"}}), 15).ttl, Seconds{-5});
}

TEST(Reuse, S5224NoCacheIsValidatedEvenIfFresh) {
  expect(decide({}, stored({{"Cache-Control", "no-cache, max-age=10"}, {"ETag", "\"a\""}}), 1),
         Kind::kValidate, Reason::kNoCache);
}

TEST(Reuse, S435WhatIsOutdatedIsNeverUsedWithoutAsking) {
  StoredHead head =
      stored_head({{"Cache-Control", "max-age=10, stale-while-revalidate=60"}, {"ETag", "\"a\""}});
  head.outdated = true;
  const auto outdated = keep(head);
  EXPECT_FALSE(is_fresh(facts_of(*outdated), at(1)));
  EXPECT_TRUE(facts_of(*outdated).validate_each_use);
  expect(decide({}, outdated, 1), Kind::kValidate, Reason::kOutdated);
  expect(decide({}, outdated, 11), Kind::kValidate, Reason::kOutdated);
  expect(decide({{"Cache-Control", "max-stale"}}, outdated, 11), Kind::kValidate, Reason::kOutdated);
  expect(decide({{"Cache-Control", "only-if-cached"}}, outdated, 1), Kind::kGatewayTimeout,
         Reason::kOnlyIfCached);
  EXPECT_FALSE(may_share_flight_answer(request_facts(request()), facts_of(*outdated), false, at(1)));
}

TEST(Reuse, S5222MustRevalidateIsServedWhileFresh) {
  expect(decide({}, stored({{"Cache-Control", "max-age=10, must-revalidate"}}), 1), Kind::kServe,
         Reason::kFresh);
}

TEST(Reuse, S5214ClientNoCacheAndPragma) {
  const auto fresh = stored({{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}});
  const ReuseDecision forced = decide({{"Cache-Control", "no-cache"}}, fresh, 1);
  expect(forced, Kind::kValidate, Reason::kClientNoCache);
  EXPECT_TRUE(forced.forced_by_client);
  expect(decide({{"Pragma", "no-cache"}}, fresh, 1), Kind::kValidate, Reason::kClientPragma);
  expect(decide({{"Pragma", "no-cache"}, {"Cache-Control", "max-age=60"}}, fresh, 1), Kind::kServe,
         Reason::kFresh);
  EXPECT_FALSE(decide({{"Cache-Control", "no-cache"}}, fresh, 11).forced_by_client);
}

TEST(Reuse, S5211ClientMaxAge) {
  const auto fresh = stored({{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}});
  expect(decide({{"Cache-Control", "max-age=5"}}, fresh, 5), Kind::kServe, Reason::kFresh);
  expect(decide({{"Cache-Control", "max-age=5"}}, fresh, 6), Kind::kValidate, Reason::kClientMaxAge);
  expect(decide({{"Cache-Control", "max-age=0"}}, fresh, 0), Kind::kValidate, Reason::kClientMaxAge);
  expect(decide({{"Cache-Control", "max-age=x"}}, fresh, 1), Kind::kValidate, Reason::kClientMaxAge);
}

TEST(Reuse, S5213ClientMinFresh) {
  const auto fresh = stored({{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}});
  expect(decide({{"Cache-Control", "min-fresh=5"}}, fresh, 5), Kind::kServe, Reason::kFresh);
  expect(decide({{"Cache-Control", "min-fresh=5"}}, fresh, 6), Kind::kValidate, Reason::kClientMinFresh);
}

TEST(Reuse, S5212ClientMaxStale) {
  const auto stale = stored({{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}});
  expect(decide({{"Cache-Control", "max-stale=5"}}, stale, 15), Kind::kServe, Reason::kClientMaxStale);
  expect(decide({{"Cache-Control", "max-stale=5"}}, stale, 16), Kind::kValidate, Reason::kStale);
  expect(decide({{"Cache-Control", "max-stale"}}, stale, 99999), Kind::kServe, Reason::kClientMaxStale);
  expect(decide({{"Cache-Control", "max-stale=50, max-age=12"}}, stale, 13), Kind::kValidate,
         Reason::kClientMaxAge);
}

TEST(Reuse, S424DirectivesOfTheOriginForbidMaxStale) {
  for (const char* value :
       {"max-age=1, must-revalidate", "max-age=1, proxy-revalidate", "s-maxage=1", "no-cache"}) {
    const ReuseDecision got = decide({{"Cache-Control", "max-stale"}}, stored({{"Cache-Control", value}}), 5);
    EXPECT_EQ(got.kind, Kind::kFetch) << value;
  }
}

TEST(Reuse, S5217OnlyIfCachedNeverAsks) {
  const Lines asked = {{"Cache-Control", "only-if-cached"}};
  expect(decide(asked, stored({{"Cache-Control", "max-age=10"}}), 1), Kind::kServe, Reason::kFresh);
  expect(decide(asked, stored({{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}}), 11),
         Kind::kGatewayTimeout, Reason::kOnlyIfCached);
  expect(decide(asked, nullptr, 1), Kind::kGatewayTimeout, Reason::kOnlyIfCached);
}

TEST(Reuse, Rfc5861StaleWhileRevalidateOnlyIfAskedFor) {
  const auto swr = stored({{"Cache-Control", "max-age=10, stale-while-revalidate=5"}, {"ETag", "\"a\""}});
  expect(decide({}, swr, 15), Kind::kServeStaleAndRevalidate, Reason::kStaleWhileRevalidate);
  expect(decide({}, swr, 16), Kind::kValidate, Reason::kStale);
  expect(decide({{"Cache-Control", "no-cache"}}, swr, 11), Kind::kValidate, Reason::kClientNoCache);
  expect(decide({{"Cache-Control", "min-fresh=1"}}, swr, 11), Kind::kValidate, Reason::kStale);
  const auto forbidden = stored({{"Cache-Control", "max-age=10, stale-while-revalidate=5, must-revalidate"}});
  expect(decide({}, forbidden, 11), Kind::kFetch, Reason::kMustRevalidate);
}

TEST(Reuse, G4ASoftPurgeMakesStale) {
  constexpr auto kStale = storage::Standing::kStale;
  const auto fresh = stored({{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}});
  const ReuseDecision got = decide({}, fresh, 1, kStale);
  expect(got, Kind::kValidate, Reason::kInvalidated);
  EXPECT_TRUE(got.invalidated);
  EXPECT_EQ(got.age, Seconds{1});
  EXPECT_EQ(got.ttl, Seconds{0});
  expect(decide({{"Cache-Control", "max-stale"}}, fresh, 1, kStale), Kind::kValidate, Reason::kInvalidated);
  expect(decide({{"Cache-Control", "only-if-cached"}}, fresh, 1, kStale), Kind::kGatewayTimeout,
         Reason::kOnlyIfCached);
  expect(decide({{"Cache-Control", "no-cache"}}, fresh, 1, kStale), Kind::kValidate, Reason::kClientNoCache);
  EXPECT_FALSE(decide({{"Cache-Control", "no-cache"}}, fresh, 1, kStale).forced_by_client);
  expect(decide({}, stored({{"Cache-Control", "max-age=10"}}), 1, kStale), Kind::kFetch,
         Reason::kInvalidated);
  // By then time would have made it stale too.
  const ReuseDecision later = decide({}, fresh, 12, kStale);
  expect(later, Kind::kValidate, Reason::kStale);
  EXPECT_FALSE(later.invalidated);
  EXPECT_EQ(later.ttl, Seconds{-2});
}

TEST(Reuse, G4WhatASoftPurgeHasHitIsServedStaleWhereTheOriginAllowsThat) {
  constexpr auto kStale = storage::Standing::kStale;
  const auto swr = stored({{"Cache-Control", "max-age=10, stale-while-revalidate=5"}});
  const ReuseDecision got = decide({}, swr, 1, kStale);
  expect(got, Kind::kServeStaleAndRevalidate, Reason::kStaleWhileRevalidate);
  EXPECT_TRUE(got.invalidated);
  EXPECT_EQ(got.ttl, Seconds{0});
  // Its staleness counts from the end of its lifetime, as far as that lies ahead.
  expect(decide({}, swr, 15, kStale), Kind::kServeStaleAndRevalidate, Reason::kStaleWhileRevalidate);
  expect(decide({}, swr, 16, kStale), Kind::kFetch, Reason::kStale);
  for (const char* forbids : {"must-revalidate", "proxy-revalidate", "stale-while-revalidate=0"}) {
    const auto never =
        stored({{"Cache-Control", std::string("max-age=10, stale-while-revalidate=5, ") + forbids},
                {"ETag", "\"a\""}});
    expect(decide({}, never, 1, kStale), Kind::kValidate, Reason::kInvalidated);
  }
}

TEST(Reuse, S432WhatOnlyTheOriginMayAnswerGoesThere) {
  const auto fresh = stored({{"Cache-Control", "max-age=10"}});
  const auto decide_facts = [&](const RequestFacts& f) {
    return decide_reuse(f, fresh.get(), true, at(0), PolicyOptions{});
  };
  expect(decide_facts(request_facts(request({}, Method::kPost, "POST"))), Kind::kFetch, Reason::kMethod);
  expect(decide_facts(request_facts(request(), true)), Kind::kFetch, Reason::kRequestBody);
  expect(decide({{"If-Match", "\"a\""}}, fresh, 0), Kind::kFetch, Reason::kUnsafeCondition);
  expect(decide({{"If-Unmodified-Since", date_at(0)}}, fresh, 0), Kind::kFetch, Reason::kUnsafeCondition);
  expect(decide_facts(request_facts(request({}, Method::kHead, "HEAD"))), Kind::kServe, Reason::kFresh);
}

TEST(Reuse, G12CookiesNeedFreshnessThatTheOriginStated) {
  const Lines cookie = {{"Cookie", "a=b"}};
  expect(decide(cookie, stored({{"Cache-Control", "max-age=10"}}), 1), Kind::kServe, Reason::kFresh);
  expect(decide(cookie, stored({{"Last-Modified", date_at(-1000)}}), 1), Kind::kValidate,
         Reason::kCredentials);
  expect(decide(cookie, stored({{"Last-Modified", date_at(-1000)}, {"Cache-Control", "public"}}), 1),
         Kind::kServe, Reason::kHeuristicallyFresh);
  expect(decide({}, stored({{"Last-Modified", date_at(-1000)}}, 200, true), 1), Kind::kValidate,
         Reason::kCredentials);
}

TEST(Reuse, G12AuthorizationNeedsWhatSection35Asks) {
  const Lines authorization = {{"Authorization", "Basic x"}};
  expect(decide(authorization, stored({{"Cache-Control", "max-age=10"}, {"ETag", "\"a\""}}), 1),
         Kind::kValidate, Reason::kCredentials);
  for (const char* value : {"max-age=10, public", "max-age=10, must-revalidate", "s-maxage=10"}) {
    expect(decide(authorization, stored({{"Cache-Control", value}}), 1), Kind::kServe, Reason::kFresh);
  }
}

TEST(Reuse, S521ClientDirectivesCanBeIgnored) {
  PolicyOptions options;
  options.ignore_client_directives = true;
  const auto fresh = stored({{"Cache-Control", "max-age=10"}});
  const RequestFacts f = make_request_facts(
      request({{"Cache-Control", "no-cache, only-if-cached"}, {"Pragma", "no-cache"}}), false, options);
  expect(decide_reuse(f, fresh.get(), true, at(1), options), Kind::kServe, Reason::kFresh);
  expect(decide_reuse(f, nullptr, true, at(1), options), Kind::kGatewayTimeout, Reason::kOnlyIfCached);
}

TEST(Collapse, G12AnAnswerToBeValidatedGoesOnlyToWhoWasThere) {
  const RequestFacts plain = request_facts(request());
  const ResponseFacts validator_only = facts({{"ETag", "\"a\""}});
  EXPECT_TRUE(may_share_flight_answer(plain, validator_only, true, at(0)));
  EXPECT_FALSE(may_share_flight_answer(plain, validator_only, false, at(0)));
  EXPECT_FALSE(
      may_share_flight_answer(plain, facts({{"Cache-Control", "no-cache, max-age=9"}}), false, at(0)));
  EXPECT_TRUE(may_share_flight_answer(plain, facts({{"Cache-Control", "max-age=9"}}), false, at(0)));
}

TEST(Collapse, G12CredentialsNeedStatedFreshness) {
  const RequestFacts cookie = request_facts(request({{"Cookie", "a=b"}}));
  EXPECT_FALSE(may_share_flight_answer(cookie, facts({{"ETag", "\"a\""}}), true, at(0)));
  EXPECT_TRUE(may_share_flight_answer(cookie, facts({{"Cache-Control", "max-age=9"}}), true, at(0)));
  EXPECT_FALSE(
      may_share_flight_answer(request_facts(request()), facts({{"ETag", "\"a\""}}, 200, true), true, at(0)));
}

TEST(Collapse, S5214ALateReloadGetsItsOwnAnswer) {
  const RequestFacts reload = request_facts(request({{"Cache-Control", "no-cache"}}));
  const ResponseFacts fresh = facts({{"Cache-Control", "max-age=9"}});
  EXPECT_TRUE(may_share_flight_answer(reload, fresh, true, at(0)));
  EXPECT_FALSE(may_share_flight_answer(reload, fresh, false, at(0)));
}

TEST(Collapse, G12SomeRequestsNeverJoin) {
  EXPECT_TRUE(may_collapse(request_facts(request())));
  EXPECT_TRUE(may_collapse(request_facts(request({{"Cookie", "a"}}))));
  EXPECT_FALSE(may_collapse(request_facts(request({{"Authorization", "a"}}))));
  EXPECT_FALSE(may_collapse(request_facts(request({{"If-Match", "*"}}))));
  EXPECT_FALSE(may_collapse(request_facts(request({{"Cache-Control", "no-store"}}))));
  EXPECT_FALSE(may_collapse(request_facts(request(), true)));
  EXPECT_FALSE(may_collapse(request_facts(request({}, Method::kPost, "POST"))));
}

}  // namespace
}  // namespace freshet::revalidate
