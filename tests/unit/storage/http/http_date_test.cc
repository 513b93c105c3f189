// RFC 9110, section 5.6.7; RFC 9111, section 4.2.
#include "storage/http/http_date.h"

#include <gtest/gtest.h>

namespace freshet::storage {
namespace {

constexpr long long kExample = 784111777;             // Sun, 06 Nov 1994 08:49:37 GMT
const WallTime kNow = wall_from_seconds(1764000000);  // November 2025

TEST(HttpDate, ReadsAllThreeForms) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", kNow), wall_from_seconds(kExample));
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", kNow), wall_from_seconds(kExample));
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994", kNow), wall_from_seconds(kExample));
  EXPECT_EQ(parse_http_date("Thu Nov 16 08:49:37 1994", kNow), wall_from_seconds(kExample + 864000));
}

TEST(HttpDate, TwoDigitYearsLieWithinFiftyYearsAhead) {
  const auto year = [](const char* text, WallTime now) {
    const auto time = parse_http_date(text, now);
    return time ? format_http_date(*time).substr(12, 4) : std::string("none");
  };
  EXPECT_EQ(year("Thursday, 18-Aug-50 02:01:18 GMT", kNow), "2050");
  EXPECT_EQ(year("Thursday, 18-Aug-75 02:01:18 GMT", kNow), "2075");
  EXPECT_EQ(year("Thursday, 18-Aug-76 02:01:18 GMT", kNow), "1976");
  // Fifty years to the second, not to the year: it is 24 November 2025, 16:00.
  EXPECT_EQ(year("Sunday, 24-Nov-75 16:00:00 GMT", kNow), "2075");
  EXPECT_EQ(year("Monday, 24-Nov-75 16:00:01 GMT", kNow), "1975");
  EXPECT_EQ(year("Thursday, 18-Dec-75 02:01:18 GMT", kNow), "1975");
  const WallTime in_2080 = wall_from_seconds(3471292800);
  EXPECT_EQ(year("Thursday, 18-Aug-10 02:01:18 GMT", in_2080), "2110");
}

TEST(HttpDate, RefusesEverythingElse) {
  for (const char* bad : {
           "",
           "0",
           "-1",
           "Sun, 6 Nov 1994 08:49:37 GMT",
           "Sun, 06 Nov 1994 08:49:37 UTC",
           "Sun, 06 Nov 1994 08:49:37 gmt",
           "SUN, 06 Nov 1994 08:49:37 GMT",
           "Sun, 06 NOV 1994 08:49:37 GMT",
           "Sun, 06 Nov 94 08:49:37 GMT",
           "Sun 06 Nov 1994 08:49:37 GMT",
           "Sun, 06  Nov 1994 08:49:37 GMT",
           "Sun, 06-Nov-1994 08:49:37 GMT",
           "Sun, 06 Nov 1994 08.49.37 GMT",
           "Sun, 06 Nov 1994 8:49:37 GMT",
           "Sun, 06 Nov 1994 08:49:37 GMT ",
           "Sun, 31 Feb 1994 08:49:37 GMT",
           "Sun, 06 Nov 1994 24:49:37 GMT",
           "Sun, 06 Nov 1994 08:60:37 GMT",
           "Sun, 06 Nov 1994 08:49:61 GMT",
           "Sun, 00 Nov 1994 08:49:37 GMT",
           "Wed, 29 Feb 1995 08:49:37 GMT",
           "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
       }) {
    EXPECT_FALSE(parse_http_date(bad, kNow)) << bad;
  }
}

TEST(HttpDate, ACacheReadsItInAnyCaseAndWithEitherNameOfTheZone) {
  for (const char* text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt", "SUN, 06 NOV 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 utc", "SUNDAY, 06-nov-94 08:49:37 Gmt",
        "Sunday, 06-Nov-94 08:49:37 UTC", "sun nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_cache_date(text, kNow), wall_from_seconds(kExample)) << text;
  }
  for (const char* bad :
       {"Sun, 06 Nov 1994 08:49:37 EST", "Sun, 06 Nov 1994 08:49:37 Z00", "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UT", "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994 UTC"}) {
    EXPECT_FALSE(parse_cache_date(bad, kNow)) << bad;
  }
}

TEST(HttpDate, ALeapSecondStaysInItsYear) {
  EXPECT_EQ(format_http_date(*parse_http_date("Fri, 31 Dec 9999 23:59:60 GMT", kNow)),
            "Fri, 31 Dec 9999 23:59:59 GMT");
}

TEST(HttpDate, WritesTheFixedForm) {
  EXPECT_EQ(format_http_date(wall_from_seconds(kExample)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_http_date(wall_from_seconds(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_http_date(WallTime{Milliseconds{-1}}), "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST(HttpDate, WhatIsWrittenIsReadBack) {
  for (long long seconds = -3000000000; seconds < 9000000000; seconds += 86399 * 331) {
    const WallTime time = wall_from_seconds(seconds);
    ASSERT_EQ(parse_http_date(format_http_date(time), kNow), time) << seconds;
  }
}

}  // namespace
}  // namespace freshet::storage
