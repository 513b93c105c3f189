// RFC 9111, section 4.4.
#include "revalidate/policy/invalidation.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;
using Texts = std::vector<std::string>;

Texts invalidated(const Lines& lines, int status = 200, Method method = Method::kPost) {
  Texts texts;
  for (const auto& key : invalidated_keys(request({}, method, "X"), response(status, lines)))
    texts.push_back(key.text);
  return texts;
}
std::string resolved(std::string_view reference) {
  const auto key = resolve_key(request(), reference);
  return key ? key->text : "none";
}

TEST(Invalidation, S44UnsafeMethodsThatSucceed) {
  for (const Method method : {Method::kPost, Method::kPut, Method::kDelete, Method::kPatch, Method::kOther}) {
    EXPECT_EQ(invalidated({}, 200, method), Texts{"http://example.com/a/b?c=d"});
  }
  EXPECT_EQ(invalidated({}, 303).size(), 1U);
  EXPECT_TRUE(invalidated({}, 404).empty());
  EXPECT_TRUE(invalidated({}, 500).empty());
  EXPECT_TRUE(invalidated({}, 200, Method::kGet).empty());
  EXPECT_TRUE(invalidated({}, 200, Method::kOptions).empty());
}

TEST(Invalidation, S44LocationAndContentLocationOfTheSameOrigin) {
  EXPECT_EQ(invalidated({{"Location", "/x"}, {"Content-Location", "http://EXAMPLE.com:80/y"}}),
            (Texts{"http://example.com/a/b?c=d", "http://example.com/x", "http://example.com/y"}));
  EXPECT_EQ(invalidated({{"Location", ""}, {"Content-Location", "b?c=d"}}),
            Texts{"http://example.com/a/b?c=d"});
}

TEST(Invalidation, S44NeverOfAnotherOrigin) {
  for (const char* other : {"http://other.example/x", "https://example.com/x", "http://example.com:8080/x",
                            "//other.example/x", "http://example.com.evil/x", "http://example.com@evil/x"}) {
    EXPECT_EQ(invalidated({{"Location", other}}).size(), 1U) << other;
  }
}

Texts groups(const Lines& lines) {
  return cache_groups(fields(lines)).names;
}

TEST(Invalidation, Rfc9875S2GroupsAreAListOfStrings) {
  EXPECT_EQ(groups({{"Cache-Groups", "\"a\", \"B c\";x=1"}, {"cache-groups", "\"a\", \"d\\\"\""}}),
            (Texts{"a", "B c", "d\""}));
  for (const char* value : {"", "a", "\"a\", b", "(\"a\")", "\"a\",", "\"a", "1"}) {
    EXPECT_TRUE(groups({{"Cache-Groups", value}}).empty()) << value;
  }
  EXPECT_TRUE(groups({}).empty());
}

TEST(Invalidation, Rfc9875S2AtLeast32GroupsOf32CharactersAndNotAnyNumber) {
  std::string value = "\"" + std::string(kMaxCacheGroupSize + 1, 'x') + "\"";
  for (std::size_t i = 0; i < kMaxCacheGroups + 1; ++i) {
    value += ", \"" + std::to_string(1000 + i) + std::string(28, 'g') + "\"";
  }
  const Texts read = groups({{"Cache-Groups", value}});
  EXPECT_EQ(read.size(), kMaxCacheGroups);
  EXPECT_EQ(read.front(), "1000" + std::string(28, 'g'));
}

TEST(Invalidation, Rfc9875S21AGroupBelongsToOneOrigin) {
  const auto key = storage::make_cache_key("https", "Example.com:443", "/a b?c");
  EXPECT_EQ(group_tags(key, fields({{"Cache-Groups", "\"a\", \"b c\""}})),
            (Texts{"group:https://example.com a", "group:https://example.com b c"}));
  EXPECT_TRUE(group_tags(key, {}).empty());
}

TEST(Invalidation, Rfc9875S3OnlyAnUnsafeMethodsSuccessInvalidatesGroups) {
  const ResponseHead resp = response(204, {{"Cache-Group-Invalidation", "\"a\", \"b\""}});
  EXPECT_EQ(invalidated_groups(request({}, Method::kPost, "POST"), resp),
            (Texts{"group:http://example.com a", "group:http://example.com b"}));
  for (const Method safe : {Method::kGet, Method::kHead, Method::kOptions, Method::kTrace}) {
    EXPECT_TRUE(invalidated_groups(request({}, safe, "X"), resp).empty());
  }
  EXPECT_TRUE(invalidated_groups(request({}, Method::kPost, "POST"),
                                 response(500, {{"Cache-Group-Invalidation", "\"a\""}}))
                  .empty());
  EXPECT_TRUE(invalidated_groups(request({}, Method::kPost, "POST"), response(200)).empty());
}

TEST(Invalidation, S44ClearSiteDataIsTheBrowsersAndInvalidatesNothingMore) {
  EXPECT_EQ(invalidated({{"Clear-Site-Data", "\"cache\", \"*\""}}), Texts{"http://example.com/a/b?c=d"});
  EXPECT_TRUE(invalidated({{"Clear-Site-Data", "\"cache\""}}, 200, Method::kGet).empty());
}

TEST(Invalidation, Rfc3986S54ReferencesAreResolved) {
  EXPECT_EQ(resolved("g"), "http://example.com/a/g");
  EXPECT_EQ(resolved("./g?y#s"), "http://example.com/a/g?y");
  EXPECT_EQ(resolved("../g"), "http://example.com/g");
  EXPECT_EQ(resolved("../../../g"), "http://example.com/g");
  EXPECT_EQ(resolved(".."), "http://example.com/");
  EXPECT_EQ(resolved("/x/./y/../z"), "http://example.com/x/z");
  EXPECT_EQ(resolved("?y"), "http://example.com/a/b?y");
  EXPECT_EQ(resolved("#s"), "http://example.com/a/b?c=d");
  EXPECT_EQ(resolved("//other:81?q"), "http://other:81/?q");
  EXPECT_EQ(resolved("HTTPS://Other:443/P"), "https://other/P");
  EXPECT_EQ(resolved("g:h"), "none");
  EXPECT_EQ(resolved("mailto:a@b"), "none");
  EXPECT_EQ(resolved("http:g"), "none");
  EXPECT_EQ(resolved("a b"), "none");
  EXPECT_EQ(resolved("a/x:y"), "http://example.com/a/a/x:y");
}

}  // namespace
}  // namespace freshet::revalidate
