// RFC 9111, sections 4.2.4 and 4.3.3; RFC 5861, section 4.
#include "revalidate/policy/error_reuse.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

ErrorReuse decide(const std::string& cache_control, long long now, const Lines& asked = {}) {
  return decide_error_reuse(request_facts(request(asked)), facts({{"Cache-Control", cache_control}}), at(now),
                            PolicyOptions{});
}

TEST(ErrorReuse, Rfc5861OnlyTheseFourStatusesAreReplaced) {
  for (const int status : {500, 502, 503, 504}) EXPECT_TRUE(is_replaceable_error(status)) << status;
  for (const int status : {200, 304, 404, 410, 501, 505, 599})
    EXPECT_FALSE(is_replaceable_error(status)) << status;
}

TEST(ErrorReuse, S424AGraceWhereNobodySpeaks) {
  EXPECT_EQ(decide("max-age=10", 20).reason, Reason::kStaleOnError);
  EXPECT_TRUE(decide("max-age=10", 86410).serve_stale);
  EXPECT_FALSE(decide("max-age=10", 86411).serve_stale);
  EXPECT_EQ(decide("max-age=10", 20).ttl, Seconds{-10});
  PolicyOptions none;
  none.stale_if_error = Seconds{0};
  EXPECT_FALSE(
      decide_error_reuse(request_facts(request()), facts({{"Cache-Control", "max-age=10"}}), at(20), none)
          .serve_stale);
}

TEST(ErrorReuse, Rfc5861TheDirectiveCountsBeforeTheGrace) {
  EXPECT_EQ(decide("max-age=10, stale-if-error=5", 15).reason, Reason::kStaleIfError);
  EXPECT_FALSE(decide("max-age=10, stale-if-error=5", 16).serve_stale);
  EXPECT_FALSE(decide("max-age=10, stale-if-error=0", 11).serve_stale);
  EXPECT_TRUE(decide("max-age=10, stale-if-error=999999", 900000).serve_stale);
}

TEST(ErrorReuse, Rfc5861TheClientCanShortenIt) {
  EXPECT_TRUE(decide("max-age=10", 15, {{"Cache-Control", "stale-if-error=5"}}).serve_stale);
  EXPECT_FALSE(decide("max-age=10", 16, {{"Cache-Control", "stale-if-error=5"}}).serve_stale);
}

TEST(ErrorReuse, S424NeverAgainstADirectiveThatForbidsIt) {
  for (const char* value :
       {"max-age=2, must-revalidate", "max-age=2, proxy-revalidate", "max-age=2, no-cache",
        "max-age=2, s-maxage=2", "s-maxage=2, stale-if-error=60", "no-cache"}) {
    EXPECT_FALSE(decide(value, 3).serve_stale) << value;
  }
}

TEST(ErrorReuse, S435WhatIsOutdatedCountsAsStale) {
  StoredHead head = stored_head({{"Cache-Control", "max-age=10"}});
  head.outdated = true;
  const ResponseFacts within(head, PolicyOptions{});
  PolicyOptions none;
  none.stale_if_error = Seconds{0};
  EXPECT_EQ(decide_error_reuse(request_facts(request()), within, at(1), {}).reason, Reason::kStaleOnError);
  EXPECT_FALSE(decide_error_reuse(request_facts(request()), within, at(1), none).serve_stale);
  head.response = response(200, {{"Cache-Control", "max-age=10, must-revalidate"}});
  const ResponseFacts forbidden(head, PolicyOptions{});
  EXPECT_FALSE(decide_error_reuse(request_facts(request()), forbidden, at(1), {}).serve_stale);
}

TEST(ErrorReuse, G4ASoftPurgeMakesStaleAndAHardOneLeavesNothing) {
  using storage::Standing;
  const auto with = [](const std::string& cache_control, long long now, Standing standing,
                       const PolicyOptions& options = {}) {
    return decide_error_reuse(request_facts(request()), facts({{"Cache-Control", cache_control}}), at(now),
                              options, standing);
  };
  const ErrorReuse stale = with("max-age=10", 5, Standing::kStale);
  EXPECT_EQ(stale.reason, Reason::kStaleOnError);
  EXPECT_EQ(stale.ttl, Seconds{0});
  EXPECT_FALSE(with("max-age=10, must-revalidate", 5, Standing::kStale).serve_stale);
  EXPECT_FALSE(with("s-maxage=10", 5, Standing::kStale).serve_stale);
  EXPECT_FALSE(with("max-age=10, stale-if-error=0", 5, Standing::kStale).serve_stale);
  PolicyOptions none;
  none.stale_if_error = Seconds{0};
  EXPECT_FALSE(with("max-age=10", 5, Standing::kStale, none).serve_stale);
  EXPECT_TRUE(with("max-age=10, stale-if-error=5", 15, Standing::kStale).serve_stale);
  EXPECT_FALSE(with("max-age=10, stale-if-error=5", 16, Standing::kStale).serve_stale);
  for (const long long now : {5LL, 15LL}) {
    EXPECT_FALSE(with("max-age=10", now, Standing::kDead).serve_stale);
  }
}

TEST(ErrorReuse, S433WhatIsFreshMayAlwaysStandIn) {
  EXPECT_TRUE(decide("max-age=10, must-revalidate", 5, {{"Cache-Control", "no-cache"}}).serve_stale);
  EXPECT_FALSE(decide("max-age=10, no-cache", 5).serve_stale);
}

TEST(ErrorReuse, G12HoldsHereToo) {
  const ResponseFacts heuristic = facts({{"Last-Modified", date_at(-1000)}});
  EXPECT_FALSE(
      decide_error_reuse(request_facts(request({{"Cookie", "a"}})), heuristic, at(500), {}).serve_stale);
  EXPECT_TRUE(decide_error_reuse(request_facts(request()), heuristic, at(500), {}).serve_stale);
}

TEST(ErrorReuse, S433AStoredErrorStandsInForNoOther) {
  const RequestFacts get = request_facts(request());
  const ResponseFacts good = facts({{"Cache-Control", "max-age=5"}});
  const ResponseFacts bad = facts({{"Cache-Control", "max-age=5"}}, 503);
  EXPECT_TRUE(decide_error_reuse(get, good, at(9), PolicyOptions{}).serve_stale);
  EXPECT_FALSE(decide_error_reuse(get, bad, at(9), PolicyOptions{}).serve_stale);
  EXPECT_TRUE(decide_error_reuse(get, bad, at(3), PolicyOptions{}).serve_stale);
}

TEST(ErrorReuse, S5222WhatMustNotBeUsedStaleIs504WhereTheOriginCannotBeAsked) {
  const ResponseFacts must = facts({{"Cache-Control", "max-age=1, must-revalidate"}});
  const ResponseFacts may = facts({{"Cache-Control", "max-age=1"}});
  for (const Reason reason : {Reason::kOriginUnreachable, Reason::kOriginCut}) {
    EXPECT_EQ(failure_status(reason, &must), 504);
    EXPECT_EQ(failure_status(reason, &may), 502);
    EXPECT_EQ(failure_status(reason, nullptr), 502);
  }
  EXPECT_EQ(failure_status(Reason::kOriginMalformed, &must), 502);
  EXPECT_EQ(failure_status(Reason::kOriginTimeout, nullptr), 504);
  EXPECT_EQ(failure_status(Reason::kOriginBusy, &must), 503);
  EXPECT_EQ(failure_status(Reason::kOverloaded, &must), 503);
}

}  // namespace
}  // namespace freshet::revalidate
