// RFC 9110, sections 8.8.3 and 13.1.
#include "revalidate/policy/content_tag.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

const std::string kOurs = "\"fr1-00112233445566778899aabbccddeeff\"";

std::string stripped(const Lines& lines) {
  HeaderFields f = fields(lines);
  strip_content_tags(f);
  return std::string(f.wire());
}

bool only_ours(const Lines& lines) {
  return names_only_content_tags(request(lines, Method::kPut, "PUT"));
}

TEST(ContentTag, Rfc9110S883SaysContentTypeAndEncoding) {
  const storage::Digest128 a = storage::digest128("a");
  const std::string tag = content_tag(a, "text/html", "gzip");
  EXPECT_TRUE(is_content_tag(tag));
  EXPECT_EQ(tag, content_tag(a, "text/html", "gzip"));
  EXPECT_NE(tag, content_tag(storage::digest128("b"), "text/html", "gzip"));
  EXPECT_NE(tag, content_tag(a, "text/plain", "gzip"));
  EXPECT_NE(tag, content_tag(a, "text/html", ""));
  EXPECT_NE(content_tag(a, "x", ""), content_tag(a, "", "x"));
}

TEST(ContentTag, Rfc9110S883HasAFormOfItsOwn) {
  EXPECT_TRUE(is_content_tag("fr1-00112233445566778899aabbccddeeff"));
  for (const char* other :
       {"", "fr1-", "fr1-00112233445566778899aabbccddeef", "fr1-00112233445566778899AABBCCDDEEFF",
        "fr1-00112233445566778899aabbccddeeffa", "fr2-00112233445566778899aabbccddeeff",
        "fr1-00112233445566778899aabbccddeefg", "00112233445566778899aabbccddeeff"}) {
    EXPECT_FALSE(is_content_tag(other)) << other;
  }
}

TEST(ContentTag, Rfc9110S1312OursLeaveTheLists) {
  for (const char* name : {"If-None-Match", "If-Match"}) {
    const std::string start = std::string(name) + ": ";
    EXPECT_EQ(stripped({{name, kOurs}}), "") << name;
    EXPECT_EQ(stripped({{name, std::string("W/").append(kOurs).append(" ,, ").append(kOurs)}}), "") << name;
    EXPECT_EQ(stripped({{name, "\"a\", " + kOurs + ", W/\"b\""}}), start + "\"a\", W/\"b\"\r\n") << name;
    EXPECT_EQ(stripped({{name, kOurs}, {name, "\"a\""}}), start + "\"a\"\r\n") << name;
    EXPECT_EQ(stripped({{name, "*"}}), start + "*\r\n") << name;
  }
}

TEST(ContentTag, Rfc9110S1312WhatIsNotOursStaysByteForByte) {
  for (const std::string& value : {"\"a\\\", " + kOurs, "\"\xff\xfe,x\", " + kOurs, "x, " + kOurs,
                                   kOurs + ", \"open, a", "\"a\"b, " + kOurs}) {
    std::string expected = value;
    const std::size_t at = expected.find(kOurs);
    expected.erase(at, kOurs.size());
    if (expected.starts_with(", ")) expected.erase(0, 2);
    if (expected.ends_with(", ")) expected.resize(expected.size() - 2);
    EXPECT_EQ(stripped({{"If-None-Match", value}}), "If-None-Match: " + expected + "\r\n") << value;
  }
  // Inside another tag, or with something behind it, it is none of ours.
  const std::string inside = "\"x," + kOurs.substr(1);
  EXPECT_EQ(stripped({{"If-None-Match", inside}}), "If-None-Match: " + inside + "\r\n");
  EXPECT_EQ(stripped({{"X", kOurs}, {"If-None-Match", "\"fr1-\""}}),
            "X: " + kOurs + "\r\nIf-None-Match: \"fr1-\"\r\n");
}

TEST(ContentTag, Rfc9110S1315ARangeThatHangsOnOursGoesWithIt) {
  EXPECT_EQ(stripped({{"If-Range", kOurs}, {"Range", "bytes=0-1"}, {"A", "b"}}), "A: b\r\n");
  EXPECT_EQ(stripped({{"If-Range", "\"a\""}, {"Range", "bytes=0-1"}}),
            "If-Range: \"a\"\r\nRange: bytes=0-1\r\n");
  EXPECT_EQ(stripped({{"If-None-Match", kOurs}, {"Range", "bytes=0-1"}}), "Range: bytes=0-1\r\n");
}

TEST(ContentTag, Rfc9110S1311AnIfMatchOfOursAloneIsAnsweredHere) {
  EXPECT_TRUE(only_ours({{"If-Match", kOurs}}));
  EXPECT_TRUE(only_ours({{"If-Match", kOurs + ", W/" + kOurs}, {"If-Match", kOurs}}));
  EXPECT_FALSE(only_ours({}));
  EXPECT_FALSE(only_ours({{"If-Match", ""}}));
  EXPECT_FALSE(only_ours({{"If-Match", "*"}}));
  EXPECT_FALSE(only_ours({{"If-Match", kOurs + ", *"}}));
  EXPECT_FALSE(only_ours({{"If-Match", kOurs + ", \"a\""}}));
  EXPECT_FALSE(only_ours({{"If-Match", kOurs}, {"If-Match", "\"a\""}}));
  EXPECT_FALSE(only_ours({{"If-Match", "garbage, " + kOurs}}));
  EXPECT_FALSE(only_ours({{"If-None-Match", kOurs}}));
}

}  // namespace
}  // namespace freshet::revalidate
