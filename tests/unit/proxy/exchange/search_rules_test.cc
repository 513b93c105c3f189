#include "proxy/exchange/search_rules.h"

#include <gtest/gtest.h>
#include <string>

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

TEST(SearchRules, ARuleBelongsToAPathWhateverTheQuery) {
  SearchRules rules;
  EXPECT_EQ(rule_of(rules, "http://a/s?q=1"), "none");
  rules.learn("http://a/s?q=1", ignoring("params"));
  EXPECT_EQ(rule_of(rules, "http://a/s?q=2"), "params");
  EXPECT_EQ(rule_of(rules, "http://a/s"), "params");
  EXPECT_EQ(rule_of(rules, "http://a/s#h1:b"), "params");
  EXPECT_EQ(rule_of(rules, "http://a/s/t?q=1"), "none");
  EXPECT_EQ(rule_of(rules, "http://b/s?q=1"), "none");
}

TEST(SearchRules, TheLastRuleCountsAndNoneForgets) {
  SearchRules rules;
  rules.learn("http://a/s?q=1", ignoring("params"));
  rules.learn("http://a/s?q=2", ignoring("other"));
  EXPECT_EQ(rule_of(rules, "http://a/s?q=1"), "other");
  rules.learn("http://a/s?q=3", std::nullopt);
  EXPECT_EQ(rule_of(rules, "http://a/s?q=1"), "none");
  rules.learn("http://a/s", ignoring(std::string(SearchRules::kLongestRule + 1, 'x')));
  EXPECT_EQ(rule_of(rules, "http://a/s"), "none");
}

TEST(SearchRules, MemoryIsBounded) {
  SearchRules rules;
  std::size_t known = 0;
  for (std::size_t i = 0; i < 2 * SearchRules::kMostPaths; ++i) {
    rules.learn("http://a/" + std::to_string(i), ignoring("params"));
  }
  for (std::size_t i = 0; i < 2 * SearchRules::kMostPaths; ++i) {
    known += rules.rule_of("http://a/" + std::to_string(i)) ? 1 : 0;
  }
  EXPECT_GT(known, 0U);
  EXPECT_LE(known, SearchRules::kMostPaths);
}

}  // namespace
}  // namespace freshet::proxy
