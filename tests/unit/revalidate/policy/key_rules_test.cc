// Cache keys by rule; draft-ietf-httpbis-no-vary-search.
#include "revalidate/policy/key_rules.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

KeyRules ignoring(std::vector<std::string> names, bool sort = false) {
  KeyRules rules;
  rules.ignore_query = std::move(names);
  rules.sort_query = sort;
  return rules;
}

std::string key_fields(const Lines& asked, const KeyRules& rules) {
  std::string text;
  append_key_fields(text, request(asked), rules);
  return text;
}

std::optional<NoVarySearch> parsed(const std::string& value) {
  return parse_no_vary_search(fields({{"No-Vary-Search", value}}));
}

// Whether the rule calls the two targets one.
bool same(const std::string& value, std::string_view a, std::string_view b) {
  const auto rule = parsed(value);
  return rule ? normalised_target(a, *rule) == normalised_target(b, *rule) : a == b;
}

TEST(KeyRules, S2IgnoredParametersLeaveTheTarget) {
  const KeyRules rules = ignoring({"utm_*", "fbclid"});
  EXPECT_EQ(normalised_target("/a?x=1&utm_source=b&y=%41&fbclid", rules), "/a?x=1&y=%41");
  EXPECT_EQ(normalised_target("/a?utm_source=b&fbclid=1", rules), "/a");
  EXPECT_EQ(normalised_target("/a?fbclid2=1&Fbclid=1&utm=1", rules), "/a?fbclid2=1&Fbclid=1&utm=1");
  EXPECT_EQ(normalised_target("/a?x=1&utm_a=1?b=2&y", rules), "/a?x=1&y");
  EXPECT_EQ(normalised_target("/a?x=1&x=1", ignoring({"*"})), "/a");
}

TEST(KeyRules, S2WhatNoRuleTouchesStaysByteForByte) {
  const KeyRules rules = ignoring({"u"});
  for (const char* target : {"/", "/a?", "/a?&&", "/a?a", "/a?a=", "/a?b=2&a=1", "/a?%75=1", "*", "/a?=u"}) {
    EXPECT_EQ(normalised_target(target, rules), target);
    EXPECT_EQ(normalised_target(target, KeyRules{}), target);
  }
}

TEST(KeyRules, S2SortingIsStable) {
  EXPECT_EQ(normalised_target("/a?b=1&a=2&b=0&a=1&a", ignoring({}, true)), "/a?a=2&a=1&a&b=1&b=0");
  EXPECT_EQ(normalised_target("/a?b=1&u=3&a=2", ignoring({"u"}, true)), "/a?a=2&b=1");
  EXPECT_EQ(normalised_target("/a?a=1&a-b=1&a.=1", ignoring({}, true)), "/a?a=1&a-b=1&a.=1");
}

TEST(KeyRules, S2FieldsAndCookiesCountByValue) {
  KeyRules rules;
  rules.fields = {"X-Tenant", "Accept-Language"};
  rules.cookies = {"theme"};
  EXPECT_EQ(key_fields({{"x-tenant", "a"}, {"Cookie", "sid=1; theme=dark"}}, rules), "#F1:a#f0:#C4:dark");
  EXPECT_EQ(key_fields({{"X-Tenant", "a"}, {"X-Tenant", "b"}}, rules), "#F4:a, b#f0:#c0:");
  EXPECT_EQ(key_fields({{"Cookie", "theme="}}, rules), "#f0:#f0:#C0:");
  EXPECT_EQ(key_fields({{"Cookie", "theme=a;theme = b"}, {"Cookie", "theme=c"}}, rules), "#f0:#f0:#C5:a;b;c");
  EXPECT_EQ(key_fields({{"Cookie", "theme"}, {"Cookie", "xtheme=1"}}, rules), "#f0:#f0:#c0:");
  EXPECT_EQ(key_fields({{"X-Tenant", "a"}}, KeyRules{}), "");
}

TEST(KeyRules, S2NoValueLooksLikeTwo) {
  KeyRules rules;
  rules.fields = {"A", "B"};
  EXPECT_NE(key_fields({{"A", "x#F1:y"}}, rules), key_fields({{"A", "x"}, {"B", "y"}}, rules));
}

TEST(KeyRules, S44ATargetHasATagWhereItsKeyHasMore) {
  EXPECT_EQ(search_tag("http://a/b?c#n1:x"), "search:http://a/b");
  EXPECT_EQ(search_tag("http://a/b?d"), "search:http://a/b");
  EXPECT_EQ(target_tag("http://a/b?c"), "");
  EXPECT_EQ(target_tag("http://a/b?c#F1:x"), "uri:http://a/b?c");
  EXPECT_EQ(target_tag("http://a/b?c#f0:#C3:a#b"), "uri:http://a/b?c");
}

TEST(NoVarySearch, NvsIsRead) {
  ASSERT_TRUE(parsed("params"));
  EXPECT_TRUE(parsed("params")->ignores_all);
  EXPECT_EQ(parsed("params=(\"b\" \"a\" \"b\")")->ignored, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parsed("params, except=(\"x\")")->except, std::vector<std::string>{"x"});
  EXPECT_TRUE(parsed("key-order")->ignores_order);
  EXPECT_TRUE(parsed("key-order=?1;x=1, new=3"));
  EXPECT_EQ(parsed("params=(\"%C3%A9+%41\")")->ignored, std::vector<std::string>{"\xc3\xa9 A"});
}

TEST(NoVarySearch, NvsThatIsInvalidOrSaysTheDefaultIsNone) {
  for (const char* value :
       {"unknown-key", "key-order=\"not a boolean\"", "params=\"not a boolean or inner list\"",
        "params=(not-a-string)", "params=(\"a\"), except=(\"x\")", "params=(), except=()",
        "params=?0, except=(\"x\")", "params, except=(not-a-string)", "params, except=\"not an inner list\"",
        "params, except=?1", "except=(\"x\")", "except=()", "params=?0", "params=()", "key-order=?0", "",
        "Params", "params,", "params=1"}) {
    EXPECT_FALSE(parsed(value)) << value;
  }
  EXPECT_FALSE(parse_no_vary_search({}));
}

TEST(NoVarySearch, NvsSaysWhichTargetsAreOne) {
  EXPECT_TRUE(same("params", "/?a=1", "/?b=2&c"));
  EXPECT_FALSE(same("params", "/?a=1", "/x?a=1"));
  EXPECT_TRUE(same("params=(\"a\")", "/?a=1&b=2", "/?b=2&a=3&a"));
  EXPECT_FALSE(same("params=(\"a\")", "/?a=1&b=2", "/?a=1&b=3"));
  EXPECT_FALSE(same("params=(\"a\")", "/?b=1&c=2", "/?c=2&b=1"));
  EXPECT_TRUE(same("params, except=(\"x\")", "/?a=1&x=2", "/?x=2"));
  EXPECT_FALSE(same("params, except=(\"x\")", "/?x=1", "/?x=2"));
  EXPECT_TRUE(same("key-order", "/?a=1&b=2&a=3", "/?b=2&a=1&a=3"));
  EXPECT_FALSE(same("key-order", "/?a=1&a=3", "/?a=3&a=1"));
  EXPECT_FALSE(same("unknown", "/?a=1", "/?a=2"));
}

TEST(NoVarySearch, NvsComparesAsAFormIsRead) {
  for (const auto& [a, b] : Lines{{"/", "/?"},
                                  {"/?a=x", "/?%61=%78"},
                                  {"/?a=\xc3\xa9", "/?a=%C3%A9"},
                                  {"/?a=x&&&&", "/?a=x"},
                                  {"/?a=", "/?a"},
                                  {"/?a=%20", "/?a=+"}}) {
    EXPECT_TRUE(same("key-order", a, b)) << a << " " << b;
    EXPECT_FALSE(same("", a, b)) << a << " " << b;
  }
  EXPECT_FALSE(same("key-order", "/?a=%26b", "/?a=&b"));
  EXPECT_FALSE(same("key-order", "/?a%3Db", "/?a=b"));
  EXPECT_FALSE(same("key-order", "/?a=%2541", "/?a=A"));
  EXPECT_FALSE(same("key-order", "/?a=%4", "/?a="));
  EXPECT_FALSE(same("key-order", "/?=", "/?"));
}

TEST(NoVarySearch, NvsHasOneTextPerMeaning) {
  EXPECT_EQ(rule_text(*parsed("params=(\"b\" \"a%20\"), key-order")), "o-&a%20&b");
  EXPECT_EQ(rule_text(*parsed("params=(\"a+\" \"b\"), key-order=?1")), "o-&a%20&b");
  EXPECT_EQ(rule_text(*parsed("params, except=(\"x\")")), "*&x");
  EXPECT_EQ(rule_text(*parsed("params")), "*");
  EXPECT_EQ(rule_text(*parsed("params=(\"x\")")), "-&x");
}

}  // namespace
}  // namespace freshet::revalidate
