#include "proxy/admin/freshness_text.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

using revalidate::FreshnessAccount;
using revalidate::LifetimeSource;
using storage::Milliseconds;
using storage::Seconds;

// 2023-11-14T22:13:20Z
storage::WallTime at(std::int64_t ms) {
  return storage::wall_from_seconds(1700000000) + Milliseconds{ms};
}

FreshnessAccount account(Seconds lifetime) {
  FreshnessAccount it;
  it.source = LifetimeSource::kMaxAge;
  it.field = "Cache-Control";
  it.argument = "max-age";
  it.lifetime = lifetime;
  it.date = at(-3000);
  it.age_value = Seconds{30};
  it.request_time = at(0);
  it.response_time = at(250);
  it.now = at(7454);
  it.initial = revalidate::initial_age_parts(it.date, it.age_value, it.request_time, it.response_time);
  it.resident = it.now - it.response_time;
  it.age = it.initial.value() + it.resident;
  it.left = Milliseconds(lifetime) - it.age;
  return it;
}

std::string text_of(const std::vector<NamedLine>& lines) {
  std::string text;
  for (const NamedLine& line : lines) text += line.name + " = " + line.value + ": " + line.from + "\n";
  return text;
}

TEST(FreshnessText, EachValueIsThereWithWhatItIsMadeOf) {
  EXPECT_EQ(text_of(freshness_lines(account(Seconds{60}), 0.1)),
            "freshness_lifetime = 60 s: max-age in Cache-Control\n"
            "apparent_age = 3 s: response_time 2023-11-14T22:13:20.250Z less Date 2023-11-14T22:13:17.000Z\n"
            "response_delay = 0.25 s: response_time 2023-11-14T22:13:20.250Z less request_time "
            "2023-11-14T22:13:20.000Z\n"
            "corrected_age_value = 30.25 s: age_value 30 s + response_delay 0.25 s\n"
            "corrected_initial_age = 30.25 s: the larger of apparent_age and corrected_age_value\n"
            "resident_time = 7.204 s: now 2023-11-14T22:13:27.454Z less response_time "
            "2023-11-14T22:13:20.250Z\n"
            "current_age = 37.454 s: corrected_initial_age 30.25 s + resident_time 7.204 s\n"
            "fresh for = 22.546 s: freshness_lifetime 60 s less current_age 37.454 s\n");
}

TEST(FreshnessText, StaleIsSaidAsATimeToo) {
  const NamedLine last = freshness_lines(account(Seconds{30}), 0.1).back();
  EXPECT_EQ(last.name, "stale for");
  EXPECT_EQ(last.value, "7.454 s");
}

TEST(FreshnessText, WhereTheLifetimeComesFrom) {
  FreshnessAccount it = account(Seconds{60});
  const auto from = [&] { return freshness_lines(it, 0.1).front().from; };
  it.source = LifetimeSource::kExpires;
  EXPECT_EQ(from(), "Expires less Date 2023-11-14T22:13:17.000Z");
  it.date.reset();
  EXPECT_EQ(from(), "Expires less response_time 2023-11-14T22:13:20.250Z");
  it.source = LifetimeSource::kHeuristic;
  it.last_modified = at(-1'000'000);
  EXPECT_TRUE(from().starts_with("10 % of response_time 2023-11-14T22:13:20.250Z less Last-Modified 2023-"));
  it.source = LifetimeSource::kNone;
  EXPECT_TRUE(from().starts_with("no field states one"));
}

TEST(FreshnessText, WithoutDateThereIsNoApparentAge) {
  FreshnessAccount it = account(Seconds{60});
  it.date.reset();
  EXPECT_EQ(freshness_lines(it, 0.1)[1].from, "the response has no Date");
}

}  // namespace
}  // namespace freshet::proxy
