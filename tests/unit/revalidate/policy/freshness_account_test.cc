// RFC 9111, section 4.2, as it is told to an operator.
#include "revalidate/policy/freshness_account.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

FreshnessAccount account_of(const StoredHead& head, long long now, const PolicyOptions& options = {}) {
  const StoredResponsePtr stored = keep(head, options);
  return account_of_freshness(stored->head(), facts_of(*stored), options, at(now));
}

void expect_source(const Lines& lines, LifetimeSource source, std::string_view field,
                   std::string_view argument) {
  const FreshnessAccount account = account_of(stored_head(lines), 0);
  EXPECT_EQ(account.source, source);
  EXPECT_EQ(account.field, field);
  EXPECT_EQ(account.argument, argument);
}

TEST(FreshnessAccount, S421NamesTheFieldThatGaveTheLifetime) {
  const std::pair<std::string, std::string> control = {"Cache-Control", "max-age=1, s-maxage=9"};
  expect_source({control}, LifetimeSource::kSharedMaxAge, "Cache-Control", "s-maxage");
  expect_source({{"Cache-Control", "max-age=1"}}, LifetimeSource::kMaxAge, "Cache-Control", "max-age");
  expect_source({{"Expires", date_at(9)}}, LifetimeSource::kExpires, "Expires", "");
  expect_source({{"Last-Modified", date_at(-1000)}}, LifetimeSource::kHeuristic, "Last-Modified", "");
  expect_source({}, LifetimeSource::kNone, "", "");
  expect_source({control, {"Surrogate-Control", "max-age=5"}}, LifetimeSource::kMaxAge, "Surrogate-Control",
                "max-age");
}

TEST(FreshnessAccount, Rfc9213NamesTheTargetedFieldThatCounted) {
  PolicyOptions options;
  options.targeted_fields = {"Edge-Cache-Control", "CDN-Cache-Control"};
  const StoredHead head = stored_head({{"Edge-Cache-Control", "not, (valid"},
                                       {"CDN-Cache-Control", "max-age=7"},
                                       {"Cache-Control", "no-store"}});
  EXPECT_EQ(account_of(head, 0, options).field, "CDN-Cache-Control");
}

// The values of 4.2.3, and that they add up to what reuse decides by.
TEST(FreshnessAccount, S423KeepsTheValuesOfTheAgeApart) {
  StoredHead head = stored_head({{"Cache-Control", "max-age=60"}, {"Date", date_at(-5)}});
  head.request_time = at(0);
  head.response_time = at(2);
  head.age_received = decltype(head.age_received){30};
  const FreshnessAccount account = account_of(head, 12);
  EXPECT_EQ(account.initial.apparent, Seconds{7});
  EXPECT_EQ(account.initial.response_delay, Seconds{2});
  EXPECT_EQ(account.initial.corrected_value, Seconds{32});
  EXPECT_EQ(account.initial.value(), Seconds{32});
  EXPECT_EQ(account.resident, Seconds{10});
  EXPECT_EQ(account.age, Seconds{42});
  EXPECT_EQ(account.left, Seconds{18});
  EXPECT_EQ(account.age, account.initial.value() + account.resident);
}

}  // namespace
}  // namespace freshet::revalidate
