// By which names a stored response can be invalidated together with others.
#include "revalidate/policy/tags.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;
using Texts = std::vector<std::string>;

const storage::CacheKey kKey = storage::make_cache_key("http", "a", "/x");

Texts tags(const Lines& lines, const PolicyOptions& options = {}) {
  return tags_of(kKey, fields(lines), options);
}
// Whether the purge of `tag` hits a response with these fields.
bool hits(std::string_view tag, const Lines& lines) {
  const Texts of_response = tags(lines);
  const std::vector<storage::Scope> scopes =
      with_every_tag({{{storage::ScopeKind::kTag, std::string(tag)}}, {}}).scopes;
  return std::any_of(scopes.begin(), scopes.end(), [&](const storage::Scope& scope) {
    return scope.kind == storage::ScopeKind::kTag &&
           std::find(of_response.begin(), of_response.end(), scope.text) != of_response.end();
  });
}

TEST(Tags, OfSurrogateKeyAreSeparatedByBlanksAndOfCacheTagByCommasToo) {
  EXPECT_EQ(tags({{"Surrogate-Key", "p1  p2\tp3,p4 "}}), (Texts{"p1", "p2", "p3,p4"}));
  EXPECT_EQ(tags({{"Cache-Tag", "p1, ,p 2,\"p3"}}), (Texts{"\"p3", "2", "p", "p1"}));
  EXPECT_EQ(tags({{"surrogate-key", "b"}, {"Surrogate-Key", "a"}, {"Cache-Tag", "a,c"}}),
            (Texts{"a", "b", "c"}));
  EXPECT_TRUE(tags({{"Surrogate-Key", ""}, {"Cache-Tag", ","}, {"X-Tag", "a"}}).empty());
}

TEST(Tags, OfAFieldThatAnOperatorNamesAreSeparatedByEither) {
  PolicyOptions options;
  options.tag_fields = {"X-Tags"};
  EXPECT_EQ(tags({{"x-tags", "a b,c"}, {"Cache-Tag", "d"}}, options), (Texts{"a", "b", "c"}));
}

TEST(Tags, ArePurgedByTheirExactName) {
  const Lines lines{{"Surrogate-Key", "Product-1 product-2"}};
  EXPECT_TRUE(hits("Product-1", lines));
  for (const char* other : {"product-1", "Product-", "Product-11", "", "Product-1 product-2"}) {
    EXPECT_FALSE(hits(other, lines)) << other;
  }
}

TEST(Tags, Rfc9875S2ACacheGroupIsItsOriginsAndByItsNameAnOperators) {
  EXPECT_EQ(tags({{"Cache-Groups", "\"g 1\", \"g2\""}, {"Cache-Tag", "g2"}}),
            (Texts{"group:http://a g 1", "group:http://a g2", "g 1", "g2"}));
  EXPECT_TRUE(hits("g 1", {{"Cache-Groups", "\"g 1\""}}));
}

TEST(Tags, TheTargetUriIsOneWhereMoreStandsInTheKey) {
  const storage::CacheKey key{"http://a/x#F1:v", storage::digest128("http://a/x#F1:v")};
  EXPECT_EQ(tags_of(key, fields({{"Cache-Tag", "t"}}), {}), (Texts{"uri:http://a/x", "t"}));
}

TEST(Tags, WithManyOrLargeOnesEachPurgeOfATagHits) {
  std::string many;
  for (std::size_t i = 0; i < kMaxTags; ++i) many += std::to_string(i) + " ";
  EXPECT_EQ(tags({{"Surrogate-Key", many}}).size(), kMaxTags);
  EXPECT_FALSE(hits("other", {{"Surrogate-Key", many}}));

  const std::string large(kMaxTagSize, 'x');
  EXPECT_TRUE(hits(large, {{"Surrogate-Key", large}}));
  EXPECT_FALSE(hits("other", {{"Surrogate-Key", large}}));
  std::string bytes;
  for (std::size_t i = 0; i < kMaxTagBytes / kMaxTagSize + 1; ++i) {
    bytes += "," + std::to_string(100 + i) + std::string(kMaxTagSize - 3, 'b');
  }
  for (const Lines& lines :
       {Lines{{"Surrogate-Key", many + "one-more"}}, Lines{{"Cache-Tag", large + "x"}},
        Lines{{"Cache-Tag", bytes}}, Lines{{"Cache-Groups", "\"" + std::string(300, 'g') + "\""}}}) {
    EXPECT_TRUE(hits("other", lines));
    EXPECT_EQ(tags(lines), Texts{std::string(kEveryTag)});
  }
}

TEST(Tags, NoTagFieldCanNameWhatStandsForAllBeyondTheBounds) {
  const std::string every(kEveryTag);
  EXPECT_FALSE(hits("other", {{"Surrogate-Key", every}, {"Cache-Tag", every}}));
}

TEST(Tags, APurgeThatNamesNoneHitsNothingByTag) {
  const storage::Invalidation url{{{storage::ScopeKind::kUrl, "http://a/"}}, {}};
  EXPECT_EQ(with_every_tag(url).scopes, url.scopes);
}

}  // namespace
}  // namespace freshet::revalidate
