// RFC 9111, section 4.1.
#include "revalidate/policy/selection.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

// Stored for a request with `asked`, with these response fields; does a request with `now` select it?
bool selects(const Lines& response_lines, const Lines& asked, const Lines& now) {
  StoredHead head = stored_head(response_lines);
  const auto selecting = selecting_fields(head.response, request(asked));
  if (!selecting) return false;
  head.selecting = *selecting;
  return matches(head, request(now));
}

TEST(Selection, S41WithoutVaryEverythingMatches) {
  EXPECT_TRUE(selects({}, {{"Foo", "1"}}, {{"Foo", "2"}}));
  EXPECT_TRUE(selects({{"Vary", " , "}}, {{"Foo", "1"}}, {}));
}

TEST(Selection, S41TheNamedFieldsMustMatch) {
  EXPECT_TRUE(selects({{"Vary", "Foo"}}, {{"Foo", "1"}, {"Other", "2"}}, {{"foo", "1"}, {"Other", "3"}}));
  EXPECT_FALSE(selects({{"Vary", "Foo"}}, {{"Foo", "1"}}, {{"Foo", "2"}}));
  EXPECT_FALSE(selects({{"Vary", "Foo"}}, {{"Foo", "1"}}, {{"Foo", "1 "}, {"Foo", "2"}}));
  EXPECT_FALSE(selects({{"Vary", "Foo"}, {"Vary", "Bar"}}, {{"Foo", "1"}, {"Bar", "a"}},
                       {{"Foo", "1"}, {"Bar", "b"}}));
}

TEST(Selection, S41AbsentMatchesOnlyAbsent) {
  EXPECT_TRUE(selects({{"Vary", "Foo, Bar"}}, {{"Foo", "1"}}, {{"Foo", "1"}}));
  EXPECT_FALSE(selects({{"Vary", "Foo"}}, {}, {{"Foo", "1"}}));
  EXPECT_FALSE(selects({{"Vary", "Foo"}}, {{"Foo", "1"}}, {}));
  EXPECT_FALSE(selects({{"Vary", "Foo"}}, {{"Foo", ""}}, {}));
}

TEST(Selection, S41StarAndWhatCannotBeReadMatchNothing) {
  for (const char* vary : {"*", "Foo, *", "Foo Bar", "\"Foo\"", "X-Forwarded-For", "Forwarded"}) {
    EXPECT_FALSE(selecting_fields(response(200, {{"Vary", vary}}), request())) << vary;
  }
}

TEST(Selection, S41LinesAndListsAndWhitespaceAreAlike) {
  EXPECT_TRUE(selects({{"Vary", "Foo"}}, {{"Foo", "1, 2"}}, {{"Foo", "1"}, {"Foo", "2"}}));
  EXPECT_TRUE(selects({{"Vary", "Foo"}}, {{"Foo", "1,2"}}, {{"Foo", "1 ,, 2"}}));
  EXPECT_FALSE(selects({{"Vary", "Foo"}}, {{"Foo", "1, 2"}}, {{"Foo", "2, 1"}}));
  EXPECT_FALSE(selects({{"Vary", "Foo"}}, {{"Foo", "a"}}, {{"Foo", "A"}}));
}

TEST(Selection, S41EncodingsAndLanguagesCompareByMeaning) {
  EXPECT_TRUE(selects({{"Vary", "Accept-Encoding"}}, {{"Accept-Encoding", "gzip, br;q=0.5"}},
                      {{"accept-encoding", "BR; q=0.5,GZIP;q=1.0"}}));
  EXPECT_FALSE(selects({{"Vary", "Accept-Encoding"}}, {{"Accept-Encoding", "gzip;q=0"}},
                       {{"Accept-Encoding", "gzip"}}));
  EXPECT_TRUE(selects({{"Vary", "Accept-Language"}}, {{"Accept-Language", "en, de"}},
                      {{"Accept-Language", " De ,eN"}}));
}

TEST(Selection, Rfc9110S1242WeightsCompareByValue) {
  const auto same = [](const std::string& name, const std::string& a, const std::string& b) {
    return selects({{"Vary", name}}, {{name, a}}, {{name, b}});
  };
  EXPECT_TRUE(same("Accept-Language", "en;q=1.000, de;q=0.50", "de;q=0.5,en"));
  EXPECT_TRUE(same("Accept-Language", "en;q=1.", "en; Q=1"));
  EXPECT_TRUE(same("Accept-Language", "en, de;q=0.000", "en, de;q=0"));
  EXPECT_FALSE(same("Accept-Language", "en, de;q=0.1", "en, de;q=0.01"));
  // A refusal can keep the origin from falling back to that language.
  EXPECT_FALSE(same("Accept-Language", "en, de;q=0", "en"));
  EXPECT_FALSE(same("Accept-Language", "en, *;q=0.5", "en"));
  EXPECT_FALSE(same("Accept-Language", "en;q=x0", "en;q=x"));
}

TEST(Selection, Rfc9110S1253WildcardIdentityAndRefusedCodings) {
  const auto same = [](const std::string& a, const std::string& b) {
    return selects({{"Vary", "Accept-Encoding"}}, {{"Accept-Encoding", a}}, {{"Accept-Encoding", b}});
  };
  EXPECT_TRUE(same("gzip, br;q=0", "gzip"));
  EXPECT_TRUE(same("br;q=0.0", ""));
  EXPECT_TRUE(same("x-gzip, x-compress;q=0.5", "gzip, compress;q=0.5"));
  // "*" accepts what is not listed: then to refuse one says something.
  EXPECT_FALSE(same("*, br;q=0", "*"));
  EXPECT_FALSE(same("gzip, *;q=0", "gzip"));
  EXPECT_FALSE(same("gzip, identity;q=0", "gzip"));
  EXPECT_FALSE(same("gzip;q=0.5, identity", "gzip;q=0.5"));
  EXPECT_FALSE(same("gzip;q=0", "gzip"));
  EXPECT_FALSE(selects({{"Vary", "Accept-Encoding"}}, {{"Accept-Encoding", "*"}}, {}));
  EXPECT_FALSE(selects({{"Vary", "Accept-Encoding"}}, {{"Accept-Encoding", ""}}, {}));
}

TEST(Selection, Rfc9110S1253LongListsAreComparedAsTheyStand) {
  std::string list;
  for (int i = 0; i < 5000; ++i) list += "c" + std::to_string(i) + ", ";
  const Lines vary = {{"Vary", "Accept-Encoding"}};
  EXPECT_TRUE(selects(vary, {{"Accept-Encoding", list + "a, b"}}, {{"Accept-Encoding", list + "a,b"}}));
  EXPECT_FALSE(selects(vary, {{"Accept-Encoding", list + "a, b"}}, {{"Accept-Encoding", list + "b, a"}}));
}

TEST(Selection, S41TheOneLanguageThatIsPreferredSelects) {
  const Lines german = {{"Vary", "Accept-Language"}, {"Content-Language", "de"}};
  EXPECT_TRUE(selects(german, {{"Accept-Language", "en, de"}}, {{"Accept-Language", "fr;q=0.5, de;q=1.0"}}));
  EXPECT_FALSE(selects(german, {{"Accept-Language", "en, de"}}, {{"Accept-Language", "fr, de;q=0.9"}}));
  EXPECT_FALSE(selects(german, {{"Accept-Language", "en, de"}}, {{"Accept-Language", "fr, de"}}));
  EXPECT_FALSE(selects(german, {{"Accept-Language", "en, de"}}, {{"Accept-Language", "de;q=0"}}));
  EXPECT_FALSE(selects({{"Vary", "Accept-Language"}, {"Content-Language", "de, en"}},
                       {{"Accept-Language", "en, de"}}, {{"Accept-Language", "de"}}));
}

TEST(Selection, S41SelectingFieldsAreSortedAndUnique) {
  const auto selecting = selecting_fields(response(200, {{"Vary", "B, a, b"}}), request({{"A", "1"}}));
  ASSERT_TRUE(selecting);
  ASSERT_EQ(selecting->size(), 2U);
  EXPECT_EQ((*selecting)[0], (storage::SelectingField{"a", "1"}));
  EXPECT_EQ((*selecting)[1], (storage::SelectingField{"b", std::nullopt}));
  EXPECT_EQ(selecting_fields_like(*selecting, request({{"A", "1"}})), *selecting);
}

TEST(Selection, S4OfSeveralThatMatchTheMostRecentByDateIsSelected) {
  StoredHead by_foo = stored_head({{"Date", date_at(-60)}});
  by_foo.selecting = {{"foo", "1"}};
  const storage::VariantSet set{keep(by_foo), stored({{"Date", date_at(-5)}}),
                                stored({{"Date", date_at(-5)}}), stored({})};
  EXPECT_EQ(select(set, request({{"Foo", "1"}})), set[1]);
  EXPECT_EQ(select({set[3], set[1]}, request()), set[3]);
}

TEST(Selection, S41TheNewestThatMatchesIsSelected) {
  const auto variant = [](std::string_view value) {
    StoredHead head = stored_head({{"Vary", "Foo"}});
    head.selecting = {{"foo", std::string(value)}};
    return keep(std::move(head));
  };
  const storage::VariantSet variants{variant("2"), variant("1"), variant("1")};
  EXPECT_EQ(select(variants, request({{"Foo", "1"}})), variants[1]);
  EXPECT_EQ(select(variants, request({{"Foo", "2"}})), variants[0]);
  EXPECT_EQ(select(variants, request({{"Foo", "3"}})), nullptr);
}

}  // namespace
}  // namespace freshet::revalidate
