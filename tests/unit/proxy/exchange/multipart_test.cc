// RFC 9110, sections 14.6 and 15.3.7.2.
#include "proxy/exchange/multipart.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

std::string written(Multipart& multipart, std::string_view content) {
  std::string text;
  while (const auto part = multipart.next_part()) {
    text.append(part->head).append(content.substr(part->range.first, part->range.size()));
  }
  return text.append(multipart.closing());
}

TEST(Multipart, S146PartsWithTheirTypesAndPlaces) {
  Multipart multipart({{7, 9}, {0, 1}}, 10, "text/plain", "b");
  EXPECT_EQ(multipart.content_type(), "multipart/byteranges; boundary=b");
  const std::uint64_t length = multipart.content_length();
  const std::string text = written(multipart, "0123456789");
  EXPECT_EQ(text,
            "--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-9/10\r\n\r\n789"
            "\r\n--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01"
            "\r\n--b--\r\n");
  EXPECT_EQ(length, text.size());
}

TEST(Multipart, S15372NoTypeWhereTheResponseHasNone) {
  Multipart multipart({{0, 1}, {5, 6}}, 10, std::nullopt, "b");
  EXPECT_EQ(multipart.next_part()->head, "--b\r\nContent-Range: bytes 0-1/10\r\n\r\n");
}

TEST(Multipart, TheBoundaryIsDrawnForEachResponse) {
  const std::string boundary = random_boundary();
  EXPECT_EQ(boundary.size(), 32U);
  EXPECT_NE(boundary, random_boundary());
}

}  // namespace
}  // namespace freshet::proxy
