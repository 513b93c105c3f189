#include "proxy/http1/chunked_decoder.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::proxy {
namespace {

using Outcome = ChunkedDecoder::Outcome;

struct Decoded {
  Outcome outcome = Outcome::kNeedMore;
  std::string body;
  std::string rest;  // not consumed
  std::string trailers;
};

// Offers the text in pieces that end at each of `cuts`.
Decoded decode(std::string_view text, const std::vector<std::size_t>& cuts,
               const storage::ChunkedLimits& options = {}) {
  ChunkedDecoder decoder(options);
  Decoded decoded;
  std::size_t taken = 0;
  for (const std::size_t cut : cuts) {
    do {
      std::size_t consumed = 0;
      std::string_view data;
      const std::vector<char> copy(text.begin() + static_cast<std::ptrdiff_t>(taken),
                                   text.begin() + static_cast<std::ptrdiff_t>(cut));
      decoded.outcome = decoder.decode({copy.data(), copy.size()}, consumed, data);
      EXPECT_EQ(decoded.outcome == Outcome::kData, !data.empty());
      decoded.body += data;
      taken += consumed;
    } while (decoded.outcome == Outcome::kData);
    if (decoded.outcome != Outcome::kNeedMore) break;
    EXPECT_EQ(taken, cut);
  }
  decoded.rest = text.substr(taken);
  decoded.trailers = decoder.trailers().wire();
  return decoded;
}

// Whole, cut in two at every place, and byte by byte: one outcome.
Decoded decode_all_ways(std::string_view text, const storage::ChunkedLimits& options = {}) {
  Decoded whole = decode(text, {text.size()}, options);
  std::vector<std::size_t> each_byte;
  for (std::size_t cut = 1; cut <= text.size(); ++cut) each_byte.push_back(cut);
  std::vector<std::vector<std::size_t>> ways = {each_byte};
  for (const std::size_t cut : each_byte) ways.push_back({cut, text.size()});
  for (const auto& cuts : ways) {
    const Decoded pieces = decode(text, cuts, options);
    EXPECT_EQ(pieces.outcome, whole.outcome) << text;
    EXPECT_EQ(pieces.body, whole.body) << text;
    EXPECT_EQ(pieces.rest, whole.rest) << text;
    EXPECT_EQ(pieces.trailers, whole.trailers) << text;
  }
  return whole;
}

TEST(ChunkedDecoder, JoinsChunksAndLeavesTheNextRequest) {
  const Decoded decoded =
      decode_all_ways("5\r\nhello\r\n00b\r\n, \r\nworld \n\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
  EXPECT_EQ(decoded.outcome, Outcome::kDone);
  EXPECT_EQ(decoded.body, "hello, \r\nworld \n");
  EXPECT_EQ(decoded.rest, "GET / HTTP/1.1\r\n");
  EXPECT_EQ(decoded.trailers, "");
}

TEST(ChunkedDecoder, AnEmptyBodyIsABody) {
  EXPECT_EQ(decode_all_ways("0\r\n\r\n").outcome, Outcome::kDone);
  EXPECT_EQ(decode_all_ways("000\r\n\r\n").outcome, Outcome::kDone);
}

TEST(ChunkedDecoder, ReadsTrailers) {
  const Decoded decoded = decode_all_ways("1\r\nx\r\n0\r\nX-Sum: \t1 2 \r\nY:\r\nZ:  \r\n\r\nrest");
  EXPECT_EQ(decoded.outcome, Outcome::kDone);
  EXPECT_EQ(decoded.trailers, "X-Sum: 1 2\r\nY: \r\nZ: \r\n");
  EXPECT_EQ(decoded.rest, "rest");
}

TEST(ChunkedDecoder, SkipsExtensions) {
  const Decoded decoded = decode_all_ways(
      "1;a\r\nx\r\n1;a=b;c=\"d;\\\"\t "
      "e\";f\r\ny\r\nA;signature=0123abcdef\r\n0123456789\r\n0;z=\"\"\r\n\r\n");
  EXPECT_EQ(decoded.outcome, Outcome::kDone);
  EXPECT_EQ(decoded.body, "xy0123456789");
}

TEST(ChunkedDecoder, RefusesWhateverIsNotChunkedCoding) {
  for (const std::string_view text : {"\r\n",
                                      "x\r\n",
                                      "-1\r\n",
                                      "+1\r\n",
                                      " 1\r\nx",
                                      "1 \r\nx",
                                      "1\t\r\nx",
                                      "0x1\r\nx",
                                      "1\nx",
                                      "1\rx",
                                      "1,\r\n",
                                      "1\r\r\n",
                                      "g\r\n",
                                      "1\r\nxy\r\n",
                                      "1\r\nx\n",
                                      "1\r\nx\r\r",
                                      "1\r\nx1\r\n",
                                      "2\r\nx\r\n0\r\n\r\n",
                                      "1000000000000000\r\n",
                                      "ffffffffffffffffff\r\n",
                                      "00000000000000001\r\nx",
                                      "1;\r\nx",
                                      "1;;a\r\nx",
                                      "1;a;\r\nx",
                                      "1;=b\r\nx",
                                      "1;a=\r\nx",
                                      "1;a=b=c\r\nx",
                                      "1; a\r\nx",
                                      "1 ;a\r\nx",
                                      "1;a =b\r\nx",
                                      "1;a\nx",
                                      "1;a\rx",
                                      "1;a=\"\r\nx",
                                      "1;a=\"\n\"\r\nx",
                                      "1;a=\"b\\\r\n\"\r\nx",
                                      "1;a=\"b\"c\r\nx",
                                      "1;a=b\"c\"\r\nx",
                                      "1;a\x01\r\nx",
                                      "0\r\n\n",
                                      "0\r\n\rx",
                                      "0\r\nX\r\n\r\n",
                                      "0\r\n: x\r\n\r\n",
                                      "0\r\nX : x\r\n\r\n",
                                      "0\r\nX: a\n\r\n",
                                      "0\r\nX: a\x01\r\n\r\n",
                                      "0\r\n X: a\r\n\r\n",
                                      "0\r\nX: a\r\n b\r\n\r\n",
                                      "0\r\nX: a\ry\r\n\r\n"}) {
    const Decoded decoded = decode_all_ways(text);
    EXPECT_EQ(decoded.outcome, Outcome::kBad) << text;
  }
  EXPECT_EQ(decode_all_ways(std::string_view("1\0\r\nx", 5)).outcome, Outcome::kBad);
}

TEST(ChunkedDecoder, TellsWhatWasWrongAndStaysBad) {
  ChunkedDecoder decoder{storage::ChunkedLimits{}};
  std::size_t consumed = 0;
  std::string_view data;
  EXPECT_EQ(decoder.decode("zz", consumed, data), Outcome::kBad);
  EXPECT_EQ(decoder.bad_reason(), "malformed chunk size");
  EXPECT_EQ(decoder.decode("0\r\n\r\n", consumed, data), Outcome::kBad);
  decoder.reset();
  EXPECT_EQ(decoder.decode("0\r\n\r\n", consumed, data), Outcome::kDone);
}

TEST(ChunkedDecoder, EveryPrefixWantsMore) {
  const std::string text = "1;a=\"b\"\r\nx\r\n0\r\nX: y\r\n\r\n";
  for (std::size_t size = 1; size < text.size(); ++size) {
    EXPECT_EQ(decode_all_ways(text.substr(0, size)).outcome, Outcome::kNeedMore) << size;
  }
}

TEST(ChunkedDecoder, HoldsToItsLimits) {
  storage::ChunkedLimits options;
  options.line_overhead = 4;
  options.total_overhead = 9;
  options.trailers = 10;
  options.trailer_fields = 1;
  const auto outcome = [&](std::string_view text) { return decode_all_ways(text, options).outcome; };
  EXPECT_EQ(outcome("1;abc\r\nx\r\n0\r\n\r\n"), Outcome::kDone);
  EXPECT_EQ(outcome("1;abcd\r\nx\r\n0\r\n\r\n"), Outcome::kBad);
  EXPECT_EQ(outcome("1;abc\r\nx\r\n1;abc\r\nx\r\n0\r\n\r\n"), Outcome::kDone);
  EXPECT_EQ(outcome("1;abc\r\nx\r\n1;abc\r\nx\r\n0;a\r\n\r\n"), Outcome::kBad);
  EXPECT_EQ(outcome("0\r\nX:abcd\r\n\r\n"), Outcome::kDone);
  EXPECT_EQ(outcome("0\r\nX:abcdefg\r\n\r\n"), Outcome::kBad);
  EXPECT_EQ(outcome("0\r\nX:\r\nY:\r\n\r\n"), Outcome::kBad);
}

}  // namespace
}  // namespace freshet::proxy
