#include "proxy/http1/authority.h"

#include <gtest/gtest.h>
#include <string_view>

namespace freshet::proxy {
namespace {

TEST(Authority, TakesHostsWithAndWithoutPort) {
  EXPECT_EQ(parse_authority("example.org")->host, "example.org");
  EXPECT_FALSE(parse_authority("example.org")->port.has_value());
  EXPECT_EQ(parse_authority("Example.org:8080")->host, "Example.org");
  EXPECT_EQ(parse_authority("Example.org:8080")->port, 8080);
  EXPECT_EQ(parse_authority("a_b-c.d~:65535")->port, 65535);
  EXPECT_EQ(parse_authority("127.0.0.1:0")->port, 0);
  EXPECT_FALSE(parse_authority("a:")->port.has_value());
  EXPECT_EQ(parse_authority("%c3%A4.org:1")->host, "%c3%A4.org");
  EXPECT_EQ(parse_authority("%61.org")->host, "%61.org");
  EXPECT_EQ(parse_authority("[::1]")->host, "[::1]");
  EXPECT_EQ(parse_authority("[2001:db8::7:192.0.2.1]:80")->port, 80);
  EXPECT_EQ(parse_authority("[v1.a:b]:2")->host, "[v1.a:b]");
}

TEST(Authority, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      ":80",
                                      "a:b",
                                      "a:80:80",
                                      "a:-1",
                                      "a:65536",
                                      "a:99999999999999999999",
                                      "u@a",
                                      "u:p@a",
                                      "a b",
                                      "a/b",
                                      "a?b",
                                      "a#b",
                                      "a\\b",
                                      "a\"b",
                                      "a<b",
                                      "a%",
                                      "a%4",
                                      "a%zz",
                                      "a%%",
                                      "a%00",
                                      "a%0d%0ab",
                                      "a%20b",
                                      "a%2fb",
                                      "a%2Cb",
                                      "u%40a",
                                      "a%3a80",
                                      "a%25",
                                      "a%7f",
                                      "a,b",
                                      "a,",
                                      "[::1",
                                      "::1",
                                      "[::1]x",
                                      "[::1]:x",
                                      "[]",
                                      "[::g]",
                                      "[fe80::1%25eth0]",
                                      "[v.a]",
                                      "[v1]",
                                      "[v1.]",
                                      "[vg.a]",
                                      "[127.0.0.1]",
                                      "a\t",
                                      "\xc3\xa4",
                                      "a]"}) {
    EXPECT_FALSE(parse_authority(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_authority(std::string_view("[::1\0]", 6)).has_value());
  EXPECT_FALSE(parse_authority(std::string_view("a\0b", 3)).has_value());
}

}  // namespace
}  // namespace freshet::proxy
