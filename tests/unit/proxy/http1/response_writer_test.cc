#include "proxy/http1/response_writer.h"

#include <gtest/gtest.h>
#include <limits>
#include <optional>
#include <string>

namespace freshet::proxy {
namespace {

using storage::HttpVersion;
using storage::Method;

std::string framing_lines(const ResponseFraming& framing) {
  std::string out;
  append_framing(out, framing);
  return out;
}

TEST(FrameResponse, AKnownLengthIsAnnounced) {
  const ResponseFraming framing = frame_response(200, Method::kGet, 5, HttpVersion::kHttp11, true);
  EXPECT_TRUE(framing.has_body);
  EXPECT_EQ(framing_lines(framing), "Content-Length: 5\r\n\r\n");
}

TEST(FrameResponse, AnEmptyBodyIsAnnouncedToo) {
  const ResponseFraming framing = frame_response(200, Method::kGet, 0, HttpVersion::kHttp11, true);
  EXPECT_FALSE(framing.has_body);
  EXPECT_EQ(framing_lines(framing), "Content-Length: 0\r\n\r\n");
}

TEST(FrameResponse, AnUnknownLengthIsChunkedOrEndsWithTheConnection) {
  EXPECT_EQ(framing_lines(frame_response(200, Method::kGet, std::nullopt, HttpVersion::kHttp11, true)),
            "Transfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(framing_lines(frame_response(200, Method::kGet, std::nullopt, HttpVersion::kHttp11, false)),
            "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  const ResponseFraming old = frame_response(200, Method::kGet, std::nullopt, HttpVersion::kHttp10, true);
  EXPECT_TRUE(old.has_body);
  EXPECT_FALSE(old.keep_alive);
  EXPECT_EQ(framing_lines(old), "Connection: close\r\n\r\n");
}

TEST(FrameResponse, HeadAnnouncesButHasNoBody) {
  const ResponseFraming known = frame_response(200, Method::kHead, 5, HttpVersion::kHttp11, true);
  EXPECT_FALSE(known.has_body);
  EXPECT_EQ(framing_lines(known), "Content-Length: 5\r\n\r\n");
  const ResponseFraming unknown =
      frame_response(200, Method::kHead, std::nullopt, HttpVersion::kHttp11, true);
  EXPECT_FALSE(unknown.has_body);
  EXPECT_TRUE(unknown.keep_alive);
  EXPECT_EQ(framing_lines(unknown), "\r\n");
}

TEST(FrameResponse, SomeStatusesNeverHaveABody) {
  for (const int status : {100, 103, 204, 304}) {
    for (const HttpVersion version : {HttpVersion::kHttp10, HttpVersion::kHttp11}) {
      const ResponseFraming framing = frame_response(status, Method::kGet, 7, version, true);
      EXPECT_FALSE(framing.has_body) << status;
      EXPECT_FALSE(framing.chunked) << status;
      EXPECT_FALSE(framing.content_length.has_value()) << status;
      EXPECT_TRUE(framing.keep_alive) << status;
    }
  }
}

TEST(FrameResponse, AnOldClientIsToldThatTheConnectionStays) {
  EXPECT_EQ(framing_lines(frame_response(200, Method::kGet, 5, HttpVersion::kHttp10, true)),
            "Content-Length: 5\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(framing_lines(frame_response(200, Method::kGet, 5, HttpVersion::kHttp10, false)),
            "Content-Length: 5\r\nConnection: close\r\n\r\n");
}

TEST(ResponseWriter, WritesStatusLines) {
  std::string out;
  append_status_line(out, 200);
  append_status_line(out, 404, "Nope");
  append_status_line(out, 599);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nHTTP/1.1 404 Nope\r\nHTTP/1.1 599 Unknown\r\n");
}

TEST(ResponseWriter, WritesFieldsAndNumbers) {
  std::string out;
  append_field(out, "Age", 0U);
  append_field(out, "X", "y");
  append_decimal(out, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(out, "Age: 0\r\nX: y\r\n18446744073709551615");
}

TEST(ResponseWriter, WritesChunkSizes) {
  std::string out;
  append_chunk_begin(out, 1);
  append_chunk_begin(out, 0x1fe0);
  EXPECT_EQ(out, "1\r\n1fe0\r\n");
}

TEST(DateLine, FollowsTheSecond) {
  DateLine line;
  EXPECT_EQ(line.at(storage::wall_from_seconds(784111777)), "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(line.at(storage::wall_from_seconds(784111777) + storage::Milliseconds{999}),
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_EQ(line.at(storage::wall_from_seconds(784111778)), "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n");
  EXPECT_EQ(line.at(storage::wall_from_seconds(951782400)), "Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n");
}

}  // namespace
}  // namespace freshet::proxy
