#include "proxy/http2/response_fields.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace freshet::proxy {
namespace {

using storage::HeaderFields;

std::string text_of(const std::vector<nghttp2_nv>& lines) {
  std::string text;
  for (const nghttp2_nv& line : lines) {
    text.append(reinterpret_cast<const char*>(line.name), line.namelen).append("=");     // NOLINT
    text.append(reinterpret_cast<const char*>(line.value), line.valuelen).append("\n");  // NOLINT
  }
  return text;
}

TEST(ResponseFields, StatusFirstThenTheLinesWithNamesInLowerCase) {
  HeaderFields stored;
  stored.add("Content-Type", "text/Plain");
  stored.add("X-Own", "A: b");
  stored.add("Empty", "");
  ReplyHead head;
  head.status = 206;
  head.reason = "Partial";
  head.fields = &stored;
  head.more = "Age: 7\r\nCache-Status: freshet; hit\r\n";
  head.content_length = 5;
  ResponseFields fields;
  EXPECT_EQ(text_of(fields.make(head)),
            ":status=206\ncontent-type=text/Plain\nx-own=A: b\nempty=\nage=7\ncache-status=freshet; hit\n"
            "content-length=5\n");
  EXPECT_EQ(stored.wire(), "Content-Type: text/Plain\r\nX-Own: A: b\r\nEmpty: \r\n");
}

TEST(ResponseFields, WhatBelongsToAConnectionIsLeftOut) {
  HeaderFields stored;
  for (const char* name : {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"}) {
    stored.add(name, "x");
  }
  stored.add("Via", "1.1 other");
  ReplyHead head;
  head.fields = &stored;
  ResponseFields fields;
  EXPECT_EQ(text_of(fields.make(head)), ":status=200\nvia=1.1 other\n");
}

TEST(ResponseFields, NoLengthWhereTheStatusHasNoContent) {
  ReplyHead head;
  head.content_length = 5;
  ResponseFields fields;
  for (const int status : {204, 304}) {
    head.status = status;
    EXPECT_EQ(text_of(fields.make(head)), ":status=" + std::to_string(status) + "\n");
  }
}

TEST(ResponseFields, AnInformationalHeadIsCopiedByTheLibrary) {
  storage::ResponseHead head;
  head.status = 103;
  head.fields.add("Link", "</a>; rel=preload");
  ResponseFields fields;
  const auto& lines = fields.make(head);
  EXPECT_EQ(text_of(lines), ":status=103\nlink=</a>; rel=preload\n");
  for (const nghttp2_nv& line : lines) EXPECT_EQ(line.flags, NGHTTP2_NV_FLAG_NONE);
}

TEST(ResponseFields, TrailersHaveNoStatus) {
  HeaderFields trailers;
  trailers.add("Server-Timing", "a");
  ResponseFields fields;
  EXPECT_EQ(text_of(fields.make_trailers(trailers)), "server-timing=a\n");
}

}  // namespace
}  // namespace freshet::proxy
