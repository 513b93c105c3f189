#include "proxy/admin/scope_text.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

std::string text_of(const storage::Result<std::string>& scope) {
  return scope.ok() ? scope.value() : "error: " + scope.error();
}

std::string url(std::string_view text) {
  return text_of(parse_scope_url(text));
}

TEST(ScopeText, AUrlBecomesTheTextOfItsKey) {
  EXPECT_EQ(url("HTTP://Example.COM:80/A?b=C"), "http://example.com/A?b=C");
  EXPECT_EQ(url("https://example.com:443"), "https://example.com/");
  EXPECT_EQ(url("https://example.com:80/"), "https://example.com:80/");
  EXPECT_EQ(url("http://example.com?x"), "http://example.com/?x");
  EXPECT_EQ(url("http://[2001:DB8::1]:8080/"), "http://[2001:db8::1]:8080/");
  EXPECT_EQ(url("http://a/%7e/../b//c"), "http://a/%7e/../b//c") << "byte for byte, as keys have it";
  EXPECT_EQ(url("http://a/\xc3\xa9"), "http://a/\xc3\xa9");
  EXPECT_EQ(url("http://a:/x"), "http://a/x");
}

TEST(ScopeText, AUrlSaysWhatItLacks) {
  EXPECT_EQ(url(""), "error: is empty");
  EXPECT_EQ(url("example.com/a"), "error: has no scheme; write http://... or https://...");
  EXPECT_EQ(url("/a"), "error: has no scheme; write http://... or https://...");
  EXPECT_EQ(url("//example.com/a"), "error: has no scheme; write http://... or https://...");
  EXPECT_EQ(url("ftp://a/"), "error: has a scheme that is neither http nor https");
  EXPECT_EQ(url("http:///a"), "error: has no host");
  EXPECT_EQ(url("http://u:p@a/"), "error: has a user before its host");
  EXPECT_EQ(url("http://a b/"), "error: has no valid host");
  EXPECT_EQ(url("http://a:99999/"), "error: has no valid host");
  EXPECT_EQ(url("http://a/#top"), "error: has a fragment (#), which is no part of a stored response's URL");
  EXPECT_EQ(url("http://a#top"), "error: has a fragment (#), which is no part of a stored response's URL");
  EXPECT_EQ(url("http://a/b c"), "error: has a space; in a URL it is %20");
  EXPECT_EQ(url(std::string_view("http://a/\0", 10)), "error: has a control byte");
  EXPECT_EQ(url("http://a/\r\nX: y"), "error: has a control byte");
  EXPECT_EQ(url("http://a/" + std::string(1024 * 1024, 'x')), "error: is too long");
}

TEST(ScopeText, APrefixEndsAtASlash) {
  const auto prefix = [](std::string_view text) { return text_of(parse_scope_prefix(text)); };
  EXPECT_EQ(prefix("http://A/b/"), "http://a/b/");
  EXPECT_EQ(prefix("http://A"), "http://a/");
  EXPECT_EQ(prefix("http://a/b"), "error: does not end with /");
  EXPECT_EQ(prefix("http://a/?b/"), "error: has a query, which a prefix cannot have");
  std::string deep = "http://a/";
  for (int i = 0; i < 32; ++i) deep += "x/";
  EXPECT_EQ(prefix(deep), deep);
  EXPECT_EQ(prefix(deep + "x/"), "error: is deeper than 32 directories");
}

TEST(ScopeText, Hosts) {
  const auto host = [](std::string_view text) { return text_of(parse_scope_host(text)); };
  EXPECT_EQ(host("Example.com:8080"), "example.com:8080");
  EXPECT_EQ(host("a:"), "a");
  EXPECT_EQ(host("example.com."), "example.com");
  EXPECT_EQ(host("example.com.:8080"), "example.com:8080");
  EXPECT_EQ(host("[::1]"), "[::1]");
  EXPECT_EQ(host(""), "error: is empty");
  EXPECT_EQ(host("http://a"), "error: has a scheme; a host is written without");
  EXPECT_EQ(host("a/b"), "error: has a path; for a part of a host there are prefixes");
  EXPECT_EQ(host("a b"), "error: is no host or host:port");
  EXPECT_EQ(host("*.a.com"), "error: has a *; hosts are named one by one") << "it would purge nothing";
  EXPECT_EQ(host("u@a"), "error: is no host or host:port");
}

TEST(ScopeText, Tags) {
  const auto tag = [](std::string_view text) { return text_of(parse_scope_tag(text)); };
  EXPECT_EQ(tag("Post:42"), "Post:42") << "exactly as it is written";
  EXPECT_EQ(tag(""), "error: is empty");
  EXPECT_EQ(tag("a b"), "a b") << "as a cache group may be called";
  EXPECT_EQ(tag("a\nb"), "error: is longer than 1024 bytes, or has a control byte");
}

}  // namespace
}  // namespace freshet::proxy
