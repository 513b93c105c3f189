// RFC 9111, sections 1.2.2, 4.2.1 and 5.2; RFC 9213; the W3C's note on Surrogate-Control.
#include "revalidate/policy/cache_control.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;
using Source = ResponseDirectives::Source;
using Names = std::vector<std::string>;

ResponseDirectives of(const Lines& lines) {
  return parse_response_directives(fields(lines), PolicyOptions{});
}

TEST(CacheControl, S52ReadsEveryDirectiveInAnyCase) {
  const auto d = parse_cache_control(
      "No-Store, no-cache, PRIVATE, public, must-revalidate, Proxy-Revalidate, must-understand, "
      "no-transform, "
      "immutable, Max-Age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, unknown=5");
  EXPECT_TRUE(d.no_store && d.no_cache && d.is_private && d.is_public && d.must_revalidate);
  EXPECT_TRUE(d.proxy_revalidate && d.must_understand && d.no_transform && d.immutable);
  EXPECT_EQ(d.max_age, Seconds{1});
  EXPECT_EQ(d.s_maxage, Seconds{2});
  EXPECT_EQ(d.stale_while_revalidate, Seconds{3});
  EXPECT_EQ(d.stale_if_error, Seconds{4});
}

TEST(CacheControl, Rfc9111S122LargeNumbersAreForever) {
  for (const char* value : {"max-age=2147483648", "max-age=2147483649", "max-age=99999999999999999999999"}) {
    EXPECT_EQ(parse_cache_control(value).max_age, kForever) << value;
  }
  EXPECT_EQ(parse_cache_control("max-age=2147483647").max_age, Seconds{2147483647});
}

TEST(CacheControl, S421WhatIsNoNumberOfSecondsIsStale) {
  for (const char* value : {"max-age=-3600", "max-age=3600.0", "max-age=3600.5", "max-age='3600'",
                            "max-age=a3600", "max-age=3600a", "max-age= 3600", "max-age =x",
                            "max-age=", "max-age", "max-age=\"\"", "max-age=+1"}) {
    EXPECT_EQ(parse_cache_control(value).max_age, Seconds{0}) << value;
  }
}

TEST(CacheControl, S52QuotedArgumentsCount) {
  EXPECT_EQ(parse_cache_control("max-age=\"3600\"").max_age, Seconds{3600});
  EXPECT_EQ(parse_cache_control("max-age=003600").max_age, Seconds{3600});
}

TEST(CacheControl, S52DirectivesInsideQuotesAreNone) {
  EXPECT_EQ(parse_cache_control("extension=\"max-age=3600\", max-age=1").max_age, Seconds{1});
  EXPECT_EQ(parse_cache_control("max-age=\"1\", extension=\"max-age=0, no-store\"").max_age, Seconds{1});
  EXPECT_FALSE(parse_cache_control("a=\"no-store\"").no_store);
}

TEST(CacheControl, S52AnOpenQuoteHidesNoRestriction) {
  EXPECT_TRUE(parse_cache_control("max-age=60, a=\"b, no-store").no_store);
  EXPECT_TRUE(parse_cache_control("private=\"a, max-age=60").is_private);
}

TEST(CacheControl, S421OfSeveralValuesTheLeastCounts) {
  EXPECT_EQ(parse_cache_control("max-age=1800, max-age=1").max_age, Seconds{1});
  EXPECT_EQ(of({{"Cache-Control", "max-age=1"}, {"cache-control", "max-age=1800"}}).max_age, Seconds{1});
  EXPECT_EQ(parse_cache_control("s-maxage=x, s-maxage=5").s_maxage, Seconds{0});
}

TEST(CacheControl, S5224FieldListsLimitNoCacheAndPrivate) {
  const auto d = parse_cache_control("no-cache=\"Set-Cookie, B\", private=c");
  EXPECT_FALSE(d.no_cache);
  EXPECT_FALSE(d.is_private);
  EXPECT_EQ(d.no_cache_fields, (Names{"set-cookie", "b"}));
  EXPECT_EQ(d.private_fields, Names{"c"});
}

TEST(CacheControl, S5224AFieldListThatCannotBeReadMeansTheWhole) {
  for (const char* value : {"private=\"\"", "private=", "private=\"a b\"", "private=\"a", "private"}) {
    EXPECT_TRUE(parse_cache_control(value).is_private) << value;
  }
  EXPECT_TRUE(parse_cache_control("no-cache=\"a\", no-cache").no_cache);
}

TEST(CacheControl, Rfc9213ATargetedFieldReplacesCacheControl) {
  const auto d =
      of({{"Cache-Control", "no-store, max-age=1"}, {"CDN-Cache-Control", "max-age=60, private=\"a\""}});
  EXPECT_EQ(d.source, Source::kTargeted);
  EXPECT_FALSE(d.no_store);
  EXPECT_EQ(d.max_age, Seconds{60});
  EXPECT_EQ(d.private_fields, Names{"a"});
  EXPECT_TRUE(d.addresses_shared_caches());
}

TEST(CacheControl, Rfc9213AnInvalidOrEmptyTargetedFieldIsIgnored) {
  for (const char* value : {"", "max-age=60,", "Max-Age=60", "max-age=60 no-store", "max-age='60'"}) {
    const auto d = of({{"Cache-Control", "max-age=1"}, {"CDN-Cache-Control", value}});
    EXPECT_EQ(d.source, Source::kCacheControl) << value;
    EXPECT_EQ(d.max_age, Seconds{1}) << value;
  }
}

TEST(CacheControl, Rfc9213MembersOfAnotherTypeDoNotCount) {
  const auto d = of({{"CDN-Cache-Control", "max-age=60.5, no-store=?0, must-revalidate;x=1, no-cache=3"}});
  EXPECT_EQ(d.max_age, Seconds{0});
  EXPECT_FALSE(d.no_store);
  EXPECT_TRUE(d.must_revalidate);
  EXPECT_FALSE(d.no_cache);
  EXPECT_EQ(of({{"CDN-Cache-Control", "max-age=-1"}}).max_age, Seconds{0});
}

TEST(CacheControl, Rfc9213TheFirstOfTheListThatIsValidCounts) {
  PolicyOptions options;
  options.targeted_fields = {"Example-Cache-Control", "CDN-Cache-Control"};
  const auto d = parse_response_directives(
      fields({{"CDN-Cache-Control", "max-age=2"}, {"Example-Cache-Control", "max-age=1"}}), options);
  EXPECT_EQ(d.max_age, Seconds{1});
  const auto second = parse_response_directives(
      fields({{"CDN-Cache-Control", "max-age=2"}, {"Example-Cache-Control", "?"}}), options);
  EXPECT_EQ(second.max_age, Seconds{2});
}

TEST(CacheControl, EdgeSurrogateControlReplacesCacheControlWhereItIsForUs) {
  EXPECT_EQ(of({{"Cache-Control", "no-store"}, {"Surrogate-Control", "max-age=60;freshet"}}).max_age,
            Seconds{60});
  EXPECT_FALSE(of({{"Cache-Control", "no-store"}, {"Surrogate-Control", "max-age=60"}}).no_store);
  EXPECT_TRUE(of({{"Cache-Control", "max-age=1"}, {"Surrogate-Control", "no-store"}}).no_store);
  const auto extended = of({{"Surrogate-Control", "content=\"ESI/1.0\", Max-Age=30+60"}});
  EXPECT_EQ(extended.max_age, Seconds{30});
  EXPECT_EQ(extended.stale_while_revalidate, Seconds{60});
}

TEST(CacheControl, EdgeSurrogateControlForOthersOrUnknownIsIgnored) {
  for (const char* value : {"max-age=60;other", "foo", "content=\"ESI/1.0\""}) {
    const auto d = of({{"Cache-Control", "max-age=1"}, {"Surrogate-Control", value}});
    EXPECT_EQ(d.max_age, Seconds{1}) << value;
    EXPECT_EQ(d.source, Source::kCacheControl) << value;
  }
}

TEST(CacheControl, EdgeSurrogateControlAimedAtUsCountsBeforeWhatIsForEverybody) {
  const auto ours = of({{"Surrogate-Control", "no-store, max-age=1, max-age=60;Freshet, max-age=9;other"}});
  EXPECT_EQ(ours.max_age, Seconds{60});
  EXPECT_FALSE(ours.no_store);
  const auto lines = of({{"Surrogate-Control", "max-age=60"}, {"Surrogate-Control", "no-store;freshet"}});
  EXPECT_TRUE(lines.no_store);
  EXPECT_FALSE(lines.max_age);
  // What is not known says nothing, aimed at us or not.
  EXPECT_EQ(of({{"Surrogate-Control", "max-age=60, content=\"ESI/1.0\";freshet"}}).max_age, Seconds{60});
}

TEST(CacheControl, EdgeSurrogateControlGoesOnToSurrogatesOnly) {
  EXPECT_FALSE(passes_surrogate_control(fields({})));
  EXPECT_FALSE(passes_surrogate_control(fields({{"Surrogate-Capability", ""}})));
  EXPECT_FALSE(passes_surrogate_control(fields({{"Surrogate-Capability", "abc"}})));
  EXPECT_TRUE(passes_surrogate_control(fields({{"surrogate-capability", "abc=\"Surrogate/1.0\""}})));
  EXPECT_TRUE(passes_surrogate_control(fields({{"Surrogate-Capability", "x=\"ESI/1.0\""},
                                               {"Surrogate-Capability", "abc=\"ESI/1.0 Surrogate/1.0\""}})));
}

TEST(CacheControl, S521RequestDirectives) {
  const auto d = parse_request_directives(
      fields({{"Cache-Control", "No-Cache, no-store, only-if-cached, max-age=5, min-fresh=\"6\""},
              {"Cache-Control", "max-age=3, max-stale, min-fresh=2, stale-if-error=9"}}));
  EXPECT_TRUE(d.no_cache && d.no_store && d.only_if_cached);
  EXPECT_EQ(d.max_age, Seconds{3});
  EXPECT_EQ(d.min_fresh, Seconds{6});
  EXPECT_EQ(d.max_stale, kForever);
  EXPECT_EQ(d.stale_if_error, Seconds{9});
  EXPECT_EQ(parse_request_directives(fields({{"Cache-Control", "max-stale=x"}})).max_stale, Seconds{0});
}

TEST(CacheControl, S54PragmaCountsOnlyWithoutCacheControl) {
  EXPECT_TRUE(parse_request_directives(fields({{"Pragma", "x, No-Cache"}})).pragma_no_cache);
  EXPECT_FALSE(parse_request_directives(fields({{"Pragma", "other"}})).pragma_no_cache);
  EXPECT_FALSE(parse_request_directives(fields({{"Pragma", "no-cache"}, {"Cache-Control", "max-age=9"}}))
                   .pragma_no_cache);
}

TEST(CacheControl, S421ABlankBesideTheEqualsSignIsNoLifetime) {
  for (const std::string text : {"max-age =3600", "max-age= 3600", "max-age = 3600", "max-age\t=3600"}) {
    EXPECT_EQ(parse_cache_control(text).max_age, Seconds{0}) << text;
    EXPECT_EQ(parse_cache_control("s-maxage" + text.substr(7)).s_maxage, Seconds{0}) << text;
    EXPECT_EQ(of({{"Surrogate-Control", text}, {"Cache-Control", "max-age=9"}}).max_age, Seconds{0}) << text;
    EXPECT_EQ(parse_request_directives(fields({{"Cache-Control", text}})).max_age, Seconds{0}) << text;
  }
  EXPECT_EQ(parse_cache_control("max-age =3600, max-age=9").max_age, Seconds{0});
  EXPECT_EQ(parse_cache_control("stale-while-revalidate =9").stale_while_revalidate, Seconds{0});
  EXPECT_EQ(parse_request_directives(fields({{"Cache-Control", "max-stale =9"}})).max_stale, Seconds{0});
  EXPECT_EQ(parse_request_directives(fields({{"Cache-Control", "max-stale= 9"}})).max_stale, Seconds{0});
}

TEST(CacheControl, S5224ABlankBesideTheEqualsSignRestrictsTheWhole) {
  for (const std::string bad : {"= \"a\"", " =\"a\"", " = \"a\"", "= a", " =a"}) {
    EXPECT_TRUE(parse_cache_control("private" + bad).is_private) << bad;
    EXPECT_TRUE(parse_cache_control("no-cache" + bad).no_cache) << bad;
  }
  EXPECT_TRUE(parse_cache_control("no-store =1").no_store);
  EXPECT_TRUE(of({{"Surrogate-Control", "no-store =1"}}).no_store);
}

TEST(CacheControl, Rfc9213S21AFieldThatIsNoDictionaryIsIgnored) {
  for (const std::string text : {"max-age =3600", "max-age= 3600"}) {
    const ResponseDirectives d = of({{"CDN-Cache-Control", text}, {"Cache-Control", "max-age=9"}});
    EXPECT_EQ(d.source, Source::kCacheControl) << text;
    EXPECT_EQ(d.max_age, Seconds{9}) << text;
  }
}

}  // namespace
}  // namespace freshet::revalidate
