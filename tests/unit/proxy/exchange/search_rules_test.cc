#include "proxy/exchange/search_rules.h"

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>

namespace freshet::proxy {
namespace {

revalidate::NoVarySearch ignoring(const std::string& name) {
  revalidate::NoVarySearch rule;
  rule.ignored = {name};
  return rule;
}

std::string rule_of(const SearchRules& rules, std::string_view key) {
  const SearchRules::Rule rule = rules.rule_of(key);
  return rule ? rule->ignored.front() : "none";
}

// How often it was asked to forget.
int learn(SearchRules& rules, std::string_view key, const std::optional<revalidate::NoVarySearch>& rule) {
  int forgotten = 0;
  rules.learn(key, rule, [&] { ++forgotten; });
  return forgotten;
}

TEST(SearchRules, ARuleBelongsToAPathWhateverTheQuery) {
  SearchRules rules;
  EXPECT_EQ(rule_of(rules, "http://a/s?q=1"), "none");
  learn(rules, "http://a/s?q=1", ignoring("params"));
  EXPECT_EQ(rule_of(rules, "http://a/s?q=2"), "params");
  EXPECT_EQ(rule_of(rules, "http://a/s"), "params");
  EXPECT_EQ(rule_of(rules, "http://a/s#h1:b"), "params");
  EXPECT_EQ(rule_of(rules, "http://a/s/t?q=1"), "none");
  EXPECT_EQ(rule_of(rules, "http://b/s?q=1"), "none");
}

TEST(SearchRules, TheLastRuleCountsAndNoneForgets) {
  SearchRules rules;
  learn(rules, "http://a/s?q=1", ignoring("params"));
  learn(rules, "http://a/s?q=2", ignoring("other"));
  EXPECT_EQ(rule_of(rules, "http://a/s?q=1"), "other");
  learn(rules, "http://a/s?q=3", std::nullopt);
  EXPECT_EQ(rule_of(rules, "http://a/s?q=1"), "none");
  learn(rules, "http://a/s", ignoring(std::string(SearchRules::kLongestRule + 1, 'x')));
  EXPECT_EQ(rule_of(rules, "http://a/s"), "none");
}

TEST(SearchRules, WhatWasInvalidatedIsForgottenBeforeAnotherRuleOfThePathIsUsed) {
  SearchRules rules;
  rules.invalidated("http://a/s?q=1");
  EXPECT_EQ(learn(rules, "http://a/t?q=1", ignoring("params")), 0);
  EXPECT_EQ(learn(rules, "http://a/s?q=2", std::nullopt), 0);
  EXPECT_EQ(learn(rules, "http://a/s?q=2", ignoring("params")), 1);
  EXPECT_EQ(rule_of(rules, "http://a/s"), "params");
  EXPECT_EQ(learn(rules, "http://a/s", ignoring("other")), 0) << "once";
  rules.invalidated("http://a/s?q=3");
  EXPECT_EQ(learn(rules, "http://a/s", ignoring("other")), 0) << "that one was known";
  EXPECT_EQ(learn(rules, "http://a/s", ignoring("params")), 1);
}

TEST(SearchRules, AnInvalidationDuringTheForgettingIsForgottenToo) {
  SearchRules rules;
  rules.invalidated("http://a/s?q=1");
  int forgotten = 0;
  rules.learn("http://a/s", ignoring("params"), [&] {
    EXPECT_EQ(rule_of(rules, "http://a/s"), "none") << "not before";
    if (++forgotten == 1) rules.invalidated("http://a/s?q=2");
  });
  EXPECT_EQ(forgotten, 2);
}

TEST(SearchRules, TooManyInvalidatedPathsAreAll) {
  SearchRules rules;
  for (std::size_t i = 0; i < 4 * SearchRules::kMostPaths; ++i)
    rules.invalidated("http://a/" + std::to_string(i) + "?q");
  EXPECT_EQ(learn(rules, "http://a/7", ignoring("params")), 1);
  EXPECT_EQ(learn(rules, "http://b/another", ignoring("params")), 1);
  EXPECT_EQ(rule_of(rules, "http://b/another"), "params");
}

TEST(SearchRules, MemoryIsBounded) {
  SearchRules rules;
  std::size_t known = 0;
  for (std::size_t i = 0; i < 2 * SearchRules::kMostPaths; ++i) {
    learn(rules, "http://a/" + std::to_string(i), ignoring("params"));
  }
  for (std::size_t i = 0; i < 2 * SearchRules::kMostPaths; ++i) {
    known += rules.rule_of("http://a/" + std::to_string(i)) ? 1 : 0;
  }
  EXPECT_GT(known, 0U);
  EXPECT_LE(known, SearchRules::kMostPaths);
}

}  // namespace
}  // namespace freshet::proxy
