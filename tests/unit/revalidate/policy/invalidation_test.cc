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
