#include "storage/cache_key.h"

#include <gtest/gtest.h>
#include <string>

#include "storage/http/field_name.h"

namespace freshet::storage {
namespace {

// RFC 9110, section 4.2.3, as far as the key normalises: host in lower case, default port dropped.
TEST(CacheKey, NormalisesTheAuthorityAndNothingElse) {
  EXPECT_EQ(make_cache_key("http", "Example.TEST:80", "/A/b?C=%2f").text, "http://example.test/A/b?C=%2f");
  EXPECT_EQ(make_cache_key("https", "example.test:443", "/").text, "https://example.test/");
  EXPECT_EQ(make_cache_key("http", "example.test:", "/").text, "http://example.test/");
  EXPECT_EQ(make_cache_key("http", "[2001:DB8::1]:80", "/").text, "http://[2001:db8::1]/");
}

// RFC 3986, 3.2.2: the dot of the root.
TEST(CacheKey, AHostWithTheDotOfTheRootIsTheOneWithout) {
  EXPECT_EQ(make_cache_key("http", "Example.TEST.", "/").text, "http://example.test/");
  EXPECT_EQ(make_cache_key("http", "example.test.:80", "/").text, "http://example.test/");
  EXPECT_EQ(make_cache_key("https", "example.test.:8443", "/a.").text, "https://example.test:8443/a.");
  EXPECT_EQ(make_cache_key("http", "example.test..", "/").text, "http://example.test../");
  EXPECT_EQ(make_cache_key("http", ".", "/").text, "http://./");
  EXPECT_EQ(make_cache_key("http", "[v1.:]:81", "/").text, "http://[v1.:]:81/");
}

TEST(CacheKey, KeepsAPortThatIsNotTheDefault) {
  EXPECT_EQ(make_cache_key("http", "example.test:443", "/").text, "http://example.test:443/");
  EXPECT_EQ(make_cache_key("https", "example.test:80", "/").text, "https://example.test:80/");
  EXPECT_EQ(make_cache_key("http", "example.test:8080", "/").text, "http://example.test:8080/");
  EXPECT_EQ(make_cache_key("http", "[2001:db8::80]", "/").text, "http://[2001:db8::80]/");
}

// Letters are made small eight at a time; every byte stands at every place among eight here.
TEST(CacheKey, OnlyLettersOfAsciiAreMadeSmall) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (std::size_t at = 0; at < 9; ++at) {
      std::string authority = "aZ@[`{~Y0x";
      authority[at] = static_cast<char>(byte);
      if (authority.find(':') != std::string::npos) continue;
      std::string expected;
      for (const char each : authority) expected.push_back(ascii_lower(each));
      std::string text;
      append_authority(text, authority);
      ASSERT_EQ(text, expected);
    }
  }
}

TEST(CacheKey, ABufferIsUsedAgain) {
  CacheKey key = make_cache_key("https", "a-rather-long-name.example.test", "/with/a/path");
  make_cache_key("http", "a.test", "/", key);
  EXPECT_EQ(key, make_cache_key("http", "a.test", "/"));
  EXPECT_EQ(key.digest, digest128("http://a.test/"));
}

TEST(CacheKey, EqualityLooksAtTheTextToo) {
  CacheKey a = make_cache_key("http", "a.test", "/");
  CacheKey b = make_cache_key("http", "b.test", "/");
  b.digest = a.digest;
  EXPECT_FALSE(a == b);
}

TEST(VariantDigest, TellsFieldsApart) {
  const Digest128 none = variant_digest({});
  const Digest128 absent = variant_digest({{"a", std::nullopt}});
  const Digest128 empty = variant_digest({{"a", ""}});
  const Digest128 value = variant_digest({{"a", "b"}});
  EXPECT_NE(none, absent);
  EXPECT_NE(absent, empty);
  EXPECT_NE(empty, value);
  EXPECT_NE(variant_digest({{"a", "b"}, {"c", "d"}}), variant_digest({{"a", "b,c=d"}}));
  EXPECT_EQ(value, variant_digest({{"a", "b"}}));
}

}  // namespace
}  // namespace freshet::storage
