#include "storage/invalidation/covering.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using tests::head_of;
using tests::key_of;

Sequence purge(Generations& generations, Scope scope, Strength strength) {
  const Sequence sequence = generations.ahead();
  EXPECT_TRUE(generations.apply(records_of({{std::move(scope)}, strength}, sequence)));
  return sequence;
}

// What tells of a scope agrees with what decides, for each kind and strength.
TEST(Covering, FindsEachScopeThatHitsAResponse) {
  const std::vector<Scope> scopes = {{ScopeKind::kUrl, "http://example.test/a/b?c"},
                                     {ScopeKind::kPrefix, "http://example.test/a/"},
                                     {ScopeKind::kPrefix, "http://example.test/"},
                                     {ScopeKind::kHost, "example.test"},
                                     {ScopeKind::kHost, "example.test:80"},
                                     {ScopeKind::kTag, "news"},
                                     {ScopeKind::kAll, ""}};
  StoredHead head = head_of({key_of("/a/b?c")});
  head.tags = {"news", "sport"};
  for (const Strength strength : {Strength::kHard, Strength::kSoft}) {
    for (const Scope& scope : scopes) {
      Generations generations(5);
      const Sequence sequence = purge(generations, scope, strength);
      const std::vector<CoveringScope> found = scopes_covering(generations, head);
      ASSERT_EQ(found.size(), 1U) << scope.text;
      EXPECT_EQ(found[0].scope, scope);
      EXPECT_EQ(found[0].strength, strength);
      EXPECT_EQ(found[0].sequence, sequence);
      EXPECT_TRUE(takes_effect(found[0], head));
      EXPECT_EQ(generations.standing(head), strength == Strength::kHard ? Standing::kDead : Standing::kStale);
    }
  }
}

TEST(Covering, WhatCameAfterItIsNotHitAndOthersAreNotNamed) {
  Generations generations(5);
  const Sequence sequence = purge(generations, {ScopeKind::kHost, "example.test"}, Strength::kHard);
  purge(generations, {ScopeKind::kUrl, "http://example.test/other"}, Strength::kHard);
  purge(generations, {ScopeKind::kHost, "other.test"}, Strength::kSoft);
  StoredHead head = head_of({key_of("/a")});
  head.filled_at = head.validated_at = sequence;
  const std::vector<CoveringScope> found = scopes_covering(generations, head);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_FALSE(takes_effect(found[0], head));
  EXPECT_EQ(generations.standing(head), Standing::kCurrent);
}

// Behind the URI stand fields that the key has too: a purge of the URI hits them.
TEST(Covering, AKeyWithMoreThanTheUriIsHitByItsUri) {
  Generations generations(5);
  purge(generations, {ScopeKind::kUrl, "http://example.test/a"}, Strength::kHard);
  const CacheKey key = [] {
    const std::string text = "http://example.test/a#F1:x";
    return CacheKey{text, digest128(text)};
  }();
  ASSERT_EQ(scopes_covering(generations, key).size(), 1U);
  EXPECT_EQ(scopes_covering(generations, key)[0].scope.text, "http://example.test/a");
}

}  // namespace
}  // namespace freshet::storage
