#include "revalidate/origin/chunked_reader.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace freshet::revalidate {
namespace {

constexpr std::size_t kMostFraming = 100;

// The body and its trailers, or why not; `step` bytes at a time.
std::string read(std::string_view text, std::size_t step) {
  ChunkedReader reader(kMostFraming);
  std::string body;
  for (std::size_t at = 0; at < text.size() && !reader.at_end() && !reader.failed();) {
    const std::string_view rest = text.substr(at, step);
    const std::size_t size = reader.data_size(rest.size());
    if (size == 0) {
      at += reader.read_framing(rest);
      continue;
    }
    body += rest.substr(0, size);
    reader.took_data(size);
    at += size;
  }
  if (reader.failed()) return reader.why();
  if (!reader.at_end()) return "more";
  return body + "|" + std::string(reader.take_trailers().wire());
}

TEST(ChunkedReader, ReadsABodyAndItsTrailers) {
  for (const std::size_t step : {1U, 2U, 1000U}) {
    EXPECT_EQ(read("5\r\nhello\r\n0b;a=\"b c\"\r\n, \r\nworld \n\r\n0\r\nX-Sum: 1\r\n\r\nrest", step),
              "hello, \r\nworld \n|X-Sum: 1\r\n");
    EXPECT_EQ(read("5\r\nhel", step), "more");
  }
}

TEST(ChunkedReader, RefusesWhatHasTwoReadings) {
  for (const std::string_view text : {"\r\n",
                                      "x\r\n",
                                      "-1\r\n",
                                      " 1\r\n",
                                      "1 \r\n",
                                      "0x1\r\n",
                                      "1\n",
                                      "1\r\r\n",
                                      "1\r\nxy\r\n",
                                      "1\r\nx\n",
                                      "1000000000000000\r\n",
                                      "0000000000000001\r\n",
                                      "1;\r\n",
                                      "1; a\r\n",
                                      "1;a\nb\r\n",
                                      "1;a\x01\r\n",
                                      "0\r\n\n",
                                      "0\r\nX\r\n\r\n",
                                      "0\r\nX : y\r\n\r\n",
                                      "0\r\nX: y\n\r\n",
                                      "0\r\n X: y\r\n\r\n",
                                      "0\r\nX: y\r\n z\r\n\r\n",
                                      "0\r\nX: \x01\r\n\r\n"}) {
    for (const std::size_t step : {1U, 1000U}) {
      const std::string seen = read(text, step);
      EXPECT_TRUE(seen != "more" && seen.find('|') == std::string::npos) << text << ": " << seen;
    }
  }
}

// A long response may have many: what is bounded is each chunk's, and the trailers.
TEST(ChunkedReader, BoundsTheFramingOfEachChunk) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "1;" + std::string(kMostFraming - 1, 'a') + "\r\nx\r\n";
  EXPECT_EQ(read(many + "0\r\n\r\n", 1000), std::string(2000, 'x') + "|");
  EXPECT_EQ(read("1;" + std::string(kMostFraming, 'a') + "\r\n", 1000), "chunk extensions too large");
  EXPECT_EQ(read("0\r\nX: " + std::string(kMostFraming, 'a') + "\r\n\r\n", 1000),
            "trailer section too large");
}

}  // namespace
}  // namespace freshet::revalidate
