#include "revalidate/origin/origin_url.h"

#include <gtest/gtest.h>

namespace freshet::revalidate {
namespace {

TEST(OriginUrl, TakesSchemeHostPortAndPrefix) {
  const auto plain = parse_origin_url("http://App.Example");
  ASSERT_TRUE(plain.ok());
  EXPECT_FALSE(plain.value().tls);
  EXPECT_EQ(plain.value().host, "app.example");
  EXPECT_EQ(plain.value().port, 80);
  EXPECT_EQ(plain.value().path_prefix, "");
  EXPECT_EQ(plain.value().authority(), "app.example");
  EXPECT_EQ(plain.value().base(), "http://app.example:80");

  const auto full = parse_origin_url("HTTPS://[2001:DB8::1]:8443/a/b/");
  ASSERT_TRUE(full.ok());
  EXPECT_TRUE(full.value().tls);
  EXPECT_EQ(full.value().host, "2001:db8::1");
  EXPECT_EQ(full.value().path_prefix, "/a/b");
  EXPECT_EQ(full.value().authority(), "[2001:db8::1]:8443");
  EXPECT_EQ(full.value().base(), "https://[2001:db8::1]:8443");

  EXPECT_EQ(parse_origin_url("https://h/").value().authority(), "h");
  EXPECT_EQ(parse_origin_url("http://h:443").value().authority(), "h:443");
}

TEST(OriginUrl, RefusesTheRestWithAReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "begin with http"},        {"example.com", "begin with http"},
      {"ftp://h", "begin with http"}, {"http://", "no host"},
      {"http://:80", "no host"},      {"http://user:pw@h", "user name"},
      {"http://h?x", "query"},        {"http://h/#x", "fragment"},
      {"http://h:0", "port"},         {"http://h:65536", "port"},
      {"http://h:8a", "port"},        {"http://h:", "port"},
      {"http://h h", "character"},    {"http://h\xc3\xa9", "character"},
      {"http://[::1", "brackets"},    {"http://[::1]x", "brackets"},
      {"http://[h]", "brackets"},     {"http://[::g]", "character"},
      {"http://h/a b", "percent"},    {"http://h/a\r\nX: 1", "percent"},
  };
  for (const auto& [text, why] : cases) {
    const auto parsed = parse_origin_url(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_NE(parsed.error().find(why), std::string::npos) << text << ": " << parsed.error();
    EXPECT_EQ(parsed.error().find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace freshet::revalidate
