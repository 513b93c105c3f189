// Every kind of scope, hard and soft, against the keys that a proxy makes.
#include <gtest/gtest.h>

#include "storage/invalidation/generations.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

CacheKey key(std::string text) {
  const Digest128 digest = digest128(text);
  return {std::move(text), digest};
}

StoredHead head(std::string text, Sequence filled_at, Sequence validated_at,
                std::vector<std::string> tags = {}) {
  StoredHead stored;
  stored.key = key(std::move(text));
  stored.filled_at = filled_at;
  stored.validated_at = validated_at;
  stored.tags = std::move(tags);
  return stored;
}

Sequence purge(Generations& generations, std::vector<Scope> scopes, Strength strength = Strength::kHard) {
  const Sequence sequence = generations.ahead();
  EXPECT_TRUE(generations.apply(records_of({std::move(scopes), strength}, sequence)));
  EXPECT_EQ(generations.current(), sequence);
  return sequence;
}

struct Case {
  Scope scope;
  std::vector<std::string> meets;
  std::vector<std::string> spares;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {{ScopeKind::kAll, ""}, {"http://a.test/", "https://b.test:8443/x?y#F1:a"}, {}},
      {{ScopeKind::kHost, "a.test"},
       {"http://a.test/", "https://a.test/x", "http://a.test:8080/x?a.test", "http://a.test/x#slice/1"},
       {"http://b.test/", "http://sub.a.test/", "http://b.test/a.test", "http://a.testing/"}},
      {{ScopeKind::kHost, "A.Test:8080"},
       {"http://a.test:8080/x", "https://a.test:8080/"},
       {"http://a.test/x", "http://a.test:80801/"}},
      {{ScopeKind::kHost, "a.test:80"}, {"http://a.test/x"}, {"https://a.test/x", "http://a.test:81/"}},
      {{ScopeKind::kHost, "[::1]"}, {"http://[::1]/x", "http://[::1]:8080/x"}, {"http://[::2]/x"}},
      {{ScopeKind::kHost, "[::1]:8080"}, {"http://[::1]:8080/x"}, {"http://[::1]/x"}},
      {{ScopeKind::kPrefix, "http://a.test/b/"},
       {"http://a.test/b/", "http://a.test/b/c", "http://a.test/b/c/d?e", "http://a.test/b/c#F1:x"},
       {"http://a.test/b", "http://a.test/bc/", "http://a.test/?/b/", "https://a.test/b/c",
        "http://a.test/#/b/", "http://b.test/b/c"}},
      {{ScopeKind::kPrefix, "http://a.test/"},
       {"http://a.test/", "http://a.test/b/c?d"},
       {"http://a.test:81/", "http://b.test/"}},
      {{ScopeKind::kUrl, "http://a.test/b?c"},
       {"http://a.test/b?c", "http://a.test/b?c#F1:x", "http://a.test/b?c#slice/0/1"},
       {"http://a.test/b", "http://a.test/b?cd", "http://a.test/b?c/"}},
      {{ScopeKind::kUrl, "http://a.test/b#F1:x"},
       {"http://a.test/b", "http://a.test/b#F1:y"},
       {"http://a.test/c"}},
  };
  return all;
}

TEST(Scopes, EachKillsWhatItSpeaksOfAndNoMore) {
  for (const Case& each : cases()) {
    Generations generations(5);
    const Sequence sequence = purge(generations, {each.scope});
    for (const std::string& text : each.meets) {
      EXPECT_EQ(generations.standing(head(text, sequence - 1, ~Sequence{0})), Standing::kDead)
          << each.scope.text << " " << text;
      EXPECT_EQ(generations.standing_of_key(key(text), sequence - 1), Standing::kDead) << text;
      EXPECT_EQ(generations.standing(head(text, sequence, sequence)), Standing::kCurrent) << text;
      EXPECT_EQ(generations.standing_of_key(key(text), sequence), Standing::kCurrent) << text;
    }
    for (const std::string& text : each.spares)
      EXPECT_EQ(generations.standing(head(text, 1, 1)), Standing::kCurrent) << each.scope.text << " " << text;
  }
}

TEST(Scopes, EachSoftOneMakesStaleUntilTheNextValidation) {
  for (const Case& each : cases()) {
    Generations generations(5);
    const Sequence sequence = purge(generations, {each.scope}, Strength::kSoft);
    for (const std::string& text : each.meets) {
      EXPECT_EQ(generations.standing(head(text, 1, sequence - 1)), Standing::kStale) << text;
      EXPECT_EQ(generations.standing(head(text, 1, sequence)), Standing::kCurrent) << text;
      EXPECT_EQ(generations.standing_of_key(key(text), 1), Standing::kCurrent)
          << "nothing is stale before it is there";
      EXPECT_TRUE(generations.is_current(head(text, 1, 1))) << "stale is not dead";
    }
    for (const std::string& text : each.spares)
      EXPECT_EQ(generations.standing(head(text, 1, 1)), Standing::kCurrent) << each.scope.text << " " << text;
  }
}

TEST(Scopes, ATagMeetsWhatCarriesItExactly) {
  Generations generations(5);
  const Sequence hard = purge(generations, {{ScopeKind::kTag, "a"}});
  const Sequence soft = purge(generations, {{ScopeKind::kTag, "b"}}, Strength::kSoft);
  const auto standing = [&](std::vector<std::string> tags, Sequence filled_at, Sequence validated_at) {
    return generations.standing(head("http://a.test/", filled_at, validated_at, std::move(tags)));
  };
  EXPECT_EQ(standing({"x", "a"}, hard - 1, soft), Standing::kDead);
  EXPECT_EQ(standing({"A", "aa", "x:a"}, 1, 1), Standing::kCurrent);
  EXPECT_EQ(standing({"b"}, 1, soft - 1), Standing::kStale);
  EXPECT_EQ(standing({"b", "a"}, 1, 1), Standing::kDead);
  EXPECT_EQ(standing({"a", "b"}, hard, hard), Standing::kStale);
  EXPECT_EQ(standing({"a", "b"}, hard, soft), Standing::kCurrent);
}

TEST(Scopes, AHardOneWinsOverASoftOneAndEachKeepsItsNumber) {
  Generations generations(5);
  const Scope url{ScopeKind::kUrl, "http://a.test/"};
  const Sequence hard = purge(generations, {url});
  const Sequence soft = purge(generations, {url}, Strength::kSoft);
  EXPECT_EQ(generations.standing(head(url.text, hard - 1, soft)), Standing::kDead);
  EXPECT_EQ(generations.standing(head(url.text, hard, hard)), Standing::kStale);
  EXPECT_EQ(generations.standing(head(url.text, hard, soft)), Standing::kCurrent);
}

// A 304 moves validated_at; an old record may say less there than in filled_at.
TEST(Scopes, WhatWasFilledAfterASoftOneIsNotStale) {
  Generations generations(5);
  const Sequence soft = purge(generations, {{ScopeKind::kAll, ""}}, Strength::kSoft);
  EXPECT_EQ(generations.standing(head("http://a.test/", soft, 0)), Standing::kCurrent);
}

TEST(Scopes, PrefixesAreLookedAtToTheirGreatestDepth) {
  std::string deep = "http://a.test/";
  for (std::size_t i = 1; i < kMaxPrefixDepth; ++i) deep += "d/";
  Generations generations(5);
  const Sequence sequence = purge(generations, {{ScopeKind::kPrefix, deep}});
  EXPECT_EQ(generations.standing(head(deep + "x", 1, 1)), Standing::kDead);
  EXPECT_EQ(generations.standing(head(deep.substr(0, deep.size() - 2) + "x", 1, 1)), Standing::kCurrent);
  // A deeper one is cut: it purges more.
  Generations others(5);
  purge(others, {{ScopeKind::kPrefix, deep + "e/"}});
  EXPECT_EQ(others.standing(head(deep + "e/x", 1, 1)), Standing::kDead);
  EXPECT_EQ(others.standing(head(deep + "x", 1, 1)), Standing::kDead);
  // What is known of a prefix without its text is its digest alone.
  Generations restored(1);
  restored.restore({{{ScopeKind::kPrefix, digest128(deep)}, Strength::kHard, sequence, {}, ""}});
  EXPECT_EQ(restored.standing(head(deep + "x", 1, 1)), Standing::kDead);
}

TEST(Scopes, WhatAResponseRemembersIsItsStanding) {
  Generations generations(5);
  const auto response = tests::response_of({tests::key_of("/a"), 100, "", 5});
  const Sequence soft = purge(generations, {{ScopeKind::kHost, "example.test"}}, Strength::kSoft);
  EXPECT_EQ(generations.standing(*response), Standing::kStale);
  EXPECT_EQ(response->remembered(soft), Standing::kStale);
  EXPECT_EQ(generations.standing(*response), Standing::kStale);
  const Sequence elsewhere = purge(generations, {{ScopeKind::kHost, "other.test"}});
  EXPECT_EQ(response->remembered(elsewhere), std::nullopt);
  EXPECT_EQ(generations.standing(*response), Standing::kStale);
  purge(generations, {{ScopeKind::kAll, ""}});
  EXPECT_EQ(generations.standing(*response), Standing::kDead);
}

TEST(Scopes, OneThatWasOvertakenIsNotApplied) {
  Generations generations(5);
  const auto records = records_of({{{ScopeKind::kAll, ""}}, Strength::kHard}, generations.current() + 2);
  generations.invalidate(key("http://a.test/1"));
  generations.invalidate(key("http://a.test/2"));
  EXPECT_FALSE(generations.apply(records));
  EXPECT_EQ(generations.standing(head("http://a.test/3", 1, 1)), Standing::kCurrent);
}

TEST(Scopes, ManyInvalidationsByUseStayBelowThoseThatAreBeingWritten) {
  Generations generations(5);
  const Sequence number = generations.ahead();
  for (int i = 0; i < 1000; ++i) generations.invalidate(key("http://a.test/" + std::to_string(i)));
  EXPECT_LT(generations.current(), number);
  EXPECT_TRUE(generations.apply(records_of({{{ScopeKind::kAll, ""}}, Strength::kHard}, number)));
}

// Over the budget URLs become their host, and so on: whatever was dead stays so.
TEST(Scopes, OverTheBudgetMoreIsForgottenAndNeverLess) {
  Counters counters;
  Generations generations(5, 20 * Generations::kScopeCost, &counters);
  generations.restore({});
  struct Dead {
    StoredHead head;
    Standing at_least;
  };
  std::vector<Dead> dead;
  for (int i = 0; i < 300; ++i) {
    const std::string number = std::to_string(i);
    const std::string url = "http://h" + std::to_string(i % 40) + ".test/p" + number + "/x";
    const Strength strength = i % 3 == 0 ? Strength::kSoft : Strength::kHard;
    const Standing standing = i % 3 == 0 ? Standing::kStale : Standing::kDead;
    Scope scope{ScopeKind::kUrl, url};
    if (i % 4 == 1) scope = {ScopeKind::kPrefix, url.substr(0, url.size() - 1)};
    if (i % 4 == 2) scope = {ScopeKind::kTag, "t" + number};
    if (i % 4 == 3) scope = {ScopeKind::kHost, "g" + number + ".test"};
    const Sequence sequence = purge(generations, {scope}, strength);
    const std::string text = i % 4 == 3 ? "http://g" + number + ".test/" : url;
    dead.push_back({head(text, sequence - 1, sequence - 1, {"t" + number}), standing});
    EXPECT_LE(generations.scopes(), 22U);
    for (const Dead& each : dead) {
      ASSERT_GE(static_cast<int>(generations.standing(each.head)), static_cast<int>(each.at_least))
          << each.head.key.text << " after " << i;
    }
  }
  EXPECT_EQ(
      generations.standing(head("http://new.test/", generations.current(), generations.current(), {"t1"})),
      Standing::kCurrent);
  EXPECT_GE(counters.get(Counter::kScopesMerged), 250);
  EXPECT_EQ(counters.get(Counter::kScopesKept), static_cast<std::int64_t>(generations.scopes()));
}

TEST(Scopes, TheOldestUrlsAreMergedIntoTheirHostFirst) {
  Generations generations(5, 3 * Generations::kScopeCost);
  generations.restore({});
  const Sequence first = purge(generations, {{ScopeKind::kUrl, "http://a.test/1"}});
  purge(generations, {{ScopeKind::kUrl, "http://b.test/2"}});
  purge(generations, {{ScopeKind::kUrl, "http://b.test/3"}});
  EXPECT_EQ(generations.standing(head("http://a.test/other", 1, 1)), Standing::kCurrent);
  EXPECT_TRUE(generations.take_merged().gone.empty());
  purge(generations, {{ScopeKind::kUrl, "http://b.test/4"}});
  EXPECT_EQ(generations.standing(head("http://a.test/other", first - 1, first - 1)), Standing::kDead);
  EXPECT_EQ(generations.standing(head("http://a.test/other", first, first)), Standing::kCurrent);
  EXPECT_EQ(generations.standing(head("http://a.test:81/", 1, 1)), Standing::kCurrent) << "another port";
  // Three left the table, for two hosts took a place.
  const Generations::Merged merged = generations.take_merged();
  ASSERT_EQ(merged.gone.size(), 3U);
  EXPECT_EQ(merged.gone.front(), (ScopeName{ScopeKind::kUrl, digest128("http://a.test/1")}));
  ASSERT_EQ(merged.into.size(), 3U);
  EXPECT_EQ(merged.into.front().name, (ScopeName{ScopeKind::kHost, digest128("a.test:80")}));
  EXPECT_EQ(merged.into.front().sequence, first);
  EXPECT_TRUE(generations.take_merged().gone.empty()) << "told once";
}

TEST(Scopes, WhatNothingAliveIsOlderThanIsDropped) {
  Counters counters;
  Generations generations(5, std::size_t{1} << 20U, &counters);
  const Sequence first = purge(generations, {{ScopeKind::kUrl, "http://a.test/1"}, {ScopeKind::kTag, "t"}});
  const Sequence soft = purge(generations, {{ScopeKind::kUrl, "http://a.test/2"}}, Strength::kSoft);
  const Sequence last = purge(generations, {{ScopeKind::kHost, "b.test"}});
  generations.drop_older_than(first, 0);
  EXPECT_EQ(generations.scopes(), 3U) << "the floor, the soft one and the last";
  EXPECT_EQ(counters.get(Counter::kScopesKept), 3);
  // A fill that was open all the while.
  EXPECT_EQ(generations.standing(head("http://a.test/1", first - 1, first - 1)), Standing::kDead);
  EXPECT_EQ(generations.standing_of_key(key("http://a.test/1"), first - 1), Standing::kDead);
  EXPECT_EQ(generations.standing(head("http://c.test/", first, first)), Standing::kCurrent);
  EXPECT_EQ(generations.standing(head("http://a.test/2", first, first)), Standing::kStale);
  EXPECT_EQ(generations.standing(head("http://b.test/2", last - 1, last - 1)), Standing::kDead);
  generations.drop_older_than(soft, soft);
  EXPECT_EQ(generations.scopes(), 2U);
  EXPECT_EQ(generations.standing(head("http://b.test/2", last - 1, last - 1)), Standing::kDead);
  generations.drop_older_than(~Sequence{0}, ~Sequence{0});
  EXPECT_EQ(generations.scopes(), 1U);
  EXPECT_EQ(generations.standing(head("http://b.test/2", last - 1, last - 1)), Standing::kDead);
  EXPECT_EQ(generations.standing(head("http://b.test/2", last, last)), Standing::kCurrent);
}

}  // namespace
}  // namespace freshet::storage
