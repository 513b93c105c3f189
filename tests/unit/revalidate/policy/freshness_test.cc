// RFC 9111, section 4.2.
#include "revalidate/policy/freshness.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

Lifetime lifetime(const Lines& lines, int status = 200, const PolicyOptions& options = {}) {
  const ResponseHead head = response(status, lines);
  return freshness_lifetime(head, parse_response_directives(head.fields, options), at(0), options);
}

void expect_lifetime(const Lifetime& got, LifetimeSource source, long long seconds) {
  EXPECT_EQ(got.source, source);
  EXPECT_EQ(got.value, Seconds{seconds});
}

TEST(Freshness, S421TheOrderIsSharedMaxAgeThenMaxAgeThenExpires) {
  expect_lifetime(lifetime({{"Cache-Control", "max-age=1, s-maxage=9"}, {"Expires", date_at(5)}}),
                  LifetimeSource::kSharedMaxAge, 9);
  expect_lifetime(lifetime({{"Cache-Control", "max-age=1"}, {"Expires", date_at(5)}, {"Date", date_at(0)}}),
                  LifetimeSource::kMaxAge, 1);
  expect_lifetime(lifetime({{"Cache-Control", "public"}, {"Expires", date_at(5)}, {"Date", date_at(-2)}}),
                  LifetimeSource::kExpires, 7);
  expect_lifetime(lifetime({}), LifetimeSource::kNone, 0);
}

TEST(Freshness, S421MaxAgeZeroBeatsExpires) {
  expect_lifetime(lifetime({{"Cache-Control", "max-age=0"}, {"Expires", date_at(3600)}}),
                  LifetimeSource::kMaxAge, 0);
  expect_lifetime(lifetime({{"Cache-Control", "max-age=3600"}, {"Expires", "0"}}), LifetimeSource::kMaxAge,
                  3600);
}

TEST(Freshness, S53InvalidOrDifferingExpiresIsInThePast) {
  for (const std::string value :
       {"0", "-1", "", "tomorrow", "Thu, 18 Aug 2050 02:01:18 EST", "Thu, 18 Aug 2050 02:01:18 +0000"}) {
    expect_lifetime(lifetime({{"Expires", value}}), LifetimeSource::kExpires, 0);
  }
  expect_lifetime(lifetime({{"Expires", date_at(9)}, {"Expires", date_at(8)}}), LifetimeSource::kExpires, 0);
  expect_lifetime(lifetime({{"Expires", date_at(9)}, {"Expires", date_at(9)}}), LifetimeSource::kExpires, 9);
  expect_lifetime(lifetime({{"Expires", date_at(-9)}}), LifetimeSource::kExpires, 0);
}

TEST(Freshness, S42DatesAreReadInAnyCaseAndInUtcToo) {
  for (const std::string value : {"wed, 15 nov 2023 00:00:00 gmt", "Wed, 15 NOV 2023 00:00:00 UTC"}) {
    expect_lifetime(lifetime({{"Expires", value}, {"Date", "TUE, 14 Nov 2023 23:00:00 utc"}}),
                    LifetimeSource::kExpires, 3600);
  }
}

TEST(Freshness, S53WithoutDateTheTimeOfReceiptCounts) {
  expect_lifetime(lifetime({{"Expires", date_at(30)}}), LifetimeSource::kExpires, 30);
  expect_lifetime(lifetime({{"Expires", date_at(30)}, {"Date", "foo"}}), LifetimeSource::kExpires, 30);
}

TEST(Freshness, Rfc9213ExpiresDoesNotCountBesideATargetedField) {
  expect_lifetime(lifetime({{"CDN-Cache-Control", "must-revalidate"}, {"Expires", date_at(30)}}),
                  LifetimeSource::kNone, 0);
}

TEST(Freshness, S422HeuristicIsATenthOfTheTimeSinceTheChange) {
  expect_lifetime(lifetime({{"Last-Modified", date_at(-1000)}, {"Date", date_at(0)}}),
                  LifetimeSource::kHeuristic, 100);
  expect_lifetime(lifetime({{"Last-Modified", date_at(-1000)}}), LifetimeSource::kHeuristic, 100);
  expect_lifetime(lifetime({{"Last-Modified", date_at(-100000000)}}), LifetimeSource::kHeuristic, 86400);
  expect_lifetime(lifetime({{"Last-Modified", date_at(-5)}}), LifetimeSource::kNone, 0);
  expect_lifetime(lifetime({{"Last-Modified", date_at(5)}}), LifetimeSource::kNone, 0);
}

TEST(Freshness, S422HeuristicOnlyForStatusesThatAllowItOrWithPublic) {
  for (const int status : {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}) {
    EXPECT_EQ(lifetime({{"Last-Modified", date_at(-1000)}}, status).source, LifetimeSource::kHeuristic)
        << status;
  }
  for (const int status : {201, 202, 302, 307, 403, 500, 502, 503, 504, 599}) {
    EXPECT_EQ(lifetime({{"Last-Modified", date_at(-1000)}}, status).source, LifetimeSource::kNone) << status;
    EXPECT_EQ(lifetime({{"Last-Modified", date_at(-1000)}, {"Cache-Control", "public"}}, status).source,
              LifetimeSource::kHeuristic)
        << status;
  }
}

TEST(Freshness, S422HeuristicCanBeTurnedOff) {
  PolicyOptions options;
  options.heuristic_fraction = 0;
  expect_lifetime(lifetime({{"Last-Modified", date_at(-1000)}}, 200, options), LifetimeSource::kNone, 0);
}

TEST(Freshness, S423AgeIsTheLargerOfApparentAndCorrected) {
  EXPECT_EQ(initial_age(at(-50), Seconds{30}, at(0), at(0)), Seconds{50});
  EXPECT_EQ(initial_age(at(-10), Seconds{30}, at(0), at(4)), Seconds{34});
  EXPECT_EQ(initial_age(std::nullopt, Seconds{0}, at(0), at(3)), Seconds{3});
  // The origin's clock is ahead.
  EXPECT_EQ(initial_age(at(100), Seconds{0}, at(0), at(0)), Seconds{0});
}

TEST(Freshness, S423ThePartOfASecondThatDateLosesIsNoAge) {
  const WallTime received = at(0) + Milliseconds{900};
  EXPECT_EQ(initial_age(at(0), Seconds{0}, received, received), Milliseconds{0});
}

TEST(Freshness, S423ResidentTimeIsAddedAndClocksThatGoBackAreNot) {
  StoredHead head = stored_head({{"Cache-Control", "max-age=100"}});
  head.age_received = Seconds{30};
  const ResponseFacts f(head, PolicyOptions{});
  EXPECT_EQ(current_age(f, at(20)), Seconds{50});
  EXPECT_EQ(current_age(f, at(-500)), Seconds{30});
  EXPECT_EQ(remaining_freshness(f, at(20)), Seconds{50});
}

TEST(Freshness, S42FreshWhileTheLifetimeIsGreaterThanTheAge) {
  const ResponseFacts f = facts({{"Cache-Control", "max-age=10"}});
  EXPECT_TRUE(is_fresh(f, at(10) - Milliseconds{1}));
  EXPECT_FALSE(is_fresh(f, at(10)));
}

TEST(Freshness, S51TheFirstMemberOfAgeCountsAndAnInvalidOneIsIgnored) {
  EXPECT_EQ(parse_age(fields({{"Age", "30"}})), Seconds{30});
  EXPECT_EQ(parse_age(fields({{"Age", "7200, 0"}})), Seconds{7200});
  EXPECT_EQ(parse_age(fields({{"Age", "0"}, {"Age", "7200"}})), Seconds{0});
  EXPECT_EQ(parse_age(fields({{"Age", "99999999999999999999"}})), kForever);
  for (const char* bad : {"abc", "-7200", "7200.0", "7200;a=b", ""}) {
    EXPECT_EQ(parse_age(fields({{"Age", bad}})), Seconds{0}) << bad;
  }
  EXPECT_EQ(parse_age(fields({})), Seconds{0});
}

// There is one for each response in memory.
TEST(ResponseFacts, TheyAreSmall) {
  const ResponseFacts full =
      facts({{"Cache-Control", "max-age=5, stale-if-error=6, stale-while-revalidate=7, private=\"a, b\""},
             {"ETag", "\"0123456789012345678901234567890123456789\""},
             {"Date", date_at(0)},
             {"Last-Modified", date_at(-5)}});
  EXPECT_LE(full.memory_size(), 80U);
  EXPECT_EQ(full.entity_tag()->opaque, "0123456789012345678901234567890123456789");
  EXPECT_EQ(full.stale_if_error(), Seconds{6});
  EXPECT_EQ(full.stale_while_revalidate_for(), Seconds{7});
  EXPECT_EQ(full.date(), at(0));
  EXPECT_EQ(full.last_modified(), at(-5));
  const ResponseFacts empty = facts({});
  EXPECT_FALSE(empty.entity_tag() || empty.date() || empty.last_modified() || empty.stale_if_error());
}

TEST(ResponseFacts, S4TellWhatReuseAsks) {
  const ResponseFacts plain = facts({{"Cache-Control", "max-age=5"}, {"ETag", "W/\"x\""}});
  EXPECT_TRUE(plain.has_validator && plain.origin_stated_freshness && plain.shareable_with_credentials);
  EXPECT_FALSE(plain.never_stale || plain.validate_each_use || plain.shareable_with_authorization);
  EXPECT_TRUE(plain.entity_tag()->weak);
  EXPECT_EQ(plain.entity_tag()->opaque, "x");
  EXPECT_FALSE(facts({{"ETag", "x"}}).has_validator);
  EXPECT_TRUE(facts({{"ETag", "\"x\""}}).validate_each_use);
  EXPECT_TRUE(facts({{"Last-Modified", date_at(-5)}}).has_validator);
  EXPECT_FALSE(facts({{"Last-Modified", date_at(-5000)}}).origin_stated_freshness);
  EXPECT_TRUE(facts({{"Cache-Control", "public"}}).shareable_with_credentials);
}

TEST(ResponseFacts, S424DirectivesThatForbidStaleUse) {
  for (const char* value :
       {"max-age=5, must-revalidate", "max-age=5, proxy-revalidate", "s-maxage=5", "no-cache"}) {
    EXPECT_TRUE(facts({{"Cache-Control", value}}).never_stale) << value;
  }
  EXPECT_TRUE(facts({{"Cache-Control", "s-maxage=5, stale-while-revalidate=5"}}).stale_while_revalidate);
  EXPECT_FALSE(facts({{"Cache-Control", "max-age=5, must-revalidate, stale-while-revalidate=5"}})
                   .stale_while_revalidate);
}

}  // namespace
}  // namespace freshet::revalidate
