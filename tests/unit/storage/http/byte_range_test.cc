// RFC 9110, section 14.
#include "storage/http/byte_range.h"

#include <gtest/gtest.h>

namespace freshet::storage {
namespace {

using Ranges = std::vector<ByteRange>;

void expect_ranges(std::string_view value, std::uint64_t size, const Ranges& expected) {
  const ResolvedRanges resolved = resolve_ranges(value, size);
  EXPECT_EQ(resolved.outcome, RangeOutcome::kPartial) << value;
  EXPECT_EQ(resolved.ranges, expected) << value;
}

TEST(ByteRange, ResolvesTheFormsOfSection1412) {
  expect_ranges("bytes=0-499", 10000, {{0, 499}});
  expect_ranges("bytes=9500-", 10000, {{9500, 9999}});
  expect_ranges("bytes=-500", 10000, {{9500, 9999}});
  expect_ranges("bytes=0-0,-1", 10000, {{0, 0}, {9999, 9999}});
  expect_ranges("Bytes=5-6", 10, {{5, 6}});
  expect_ranges("bytes= 1-2 , 400-500", 1000, {{1, 2}, {400, 500}});
}

TEST(ByteRange, CutsAtTheEndOfTheRepresentation) {
  expect_ranges("bytes=5-99", 10, {{5, 9}});
  expect_ranges("bytes=-99", 10, {{0, 9}});
  expect_ranges("bytes=5-99999999999999999999999", 10, {{5, 9}});
  expect_ranges("bytes=3-4,99-100", 10, {{3, 4}});
}

TEST(ByteRange, WhatLiesOutsideIsUnsatisfiable) {
  for (const char* value : {"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"}) {
    EXPECT_EQ(resolve_ranges(value, 10).outcome, RangeOutcome::kUnsatisfiable) << value;
  }
  EXPECT_EQ(resolve_ranges("bytes=0-", 0).outcome, RangeOutcome::kUnsatisfiable);
  EXPECT_EQ(resolve_ranges("bytes=-5", 0).outcome, RangeOutcome::kUnsatisfiable);
}

TEST(ByteRange, MalformedOrForeignUnitsAreIgnored) {
  for (const char* value : {"", "bytes", "bytes=", "bytes=,", "items=0-1", "bytes=5-4", "bytes=a-b",
                            "bytes=1", "bytes=--1", "bytes=1-2-3", "bytes=-", "bytes=1-2,x", "bytes 0-1",
                            "bytes=+1-2", "bytes=1 -2", "bytes=1- 2", "bytes=- 2"}) {
    EXPECT_EQ(resolve_ranges(value, 10).outcome, RangeOutcome::kWhole) << value;
  }
}

TEST(ByteRange, S15372OverlappingAndNearOnesAreCoalesced) {
  expect_ranges("bytes=0-9,5-20", 1000, {{0, 20}});
  expect_ranges("bytes=0-9,10-20", 1000, {{0, 20}});
  expect_ranges("bytes=0-9,89-99", 1000, {{0, 99}});           // 79 bytes between them
  expect_ranges("bytes=0-9,90-99", 1000, {{0, 9}, {90, 99}});  // 80
  expect_ranges("bytes=0-,0-,0-", 10000, {{0, 9999}});
  expect_ranges("bytes=-1,0-", 18446744073709551615ULL, {{0, 18446744073709551614ULL}});
}

TEST(ByteRange, S142TheOrderOfTheRequestIsKept) {
  expect_ranges("bytes=900-950,0-9,500-550", 1000, {{900, 950}, {0, 9}, {500, 550}});
  expect_ranges("bytes=900-950,0-9,500-550,905-999", 1000, {{900, 999}, {0, 9}, {500, 550}});
  expect_ranges("bytes=500-509,0-9,480-499", 1000, {{480, 509}, {0, 9}});
}

TEST(ByteRange, S142EgregiousRequestsAreIgnored) {
  const auto spread = [](int count) {
    std::string value = "bytes=0-0";
    for (int i = 1; i < count; ++i)
      value.append("," + std::to_string(i * 100) + "-" + std::to_string(i * 100));
    return value;
  };
  EXPECT_EQ(resolve_ranges(spread(32), 10000).ranges.size(), 32U);
  EXPECT_EQ(resolve_ranges(spread(33), 10000).outcome, RangeOutcome::kWhole);
  std::string many = "bytes=0-0";
  for (int i = 0; i < 40; ++i) many.append(",0-0");
  expect_ranges(many, 10000, {{0, 0}});
  for (int i = 0; i < 1000; ++i) many.append(",0-0");
  EXPECT_EQ(resolve_ranges(many, 10000).outcome, RangeOutcome::kWhole);
}

TEST(ByteRange, OneRangeBeforeTheLengthIsKnown) {
  EXPECT_EQ(parse_single_range("bytes=5-9")->first, 5U);
  EXPECT_EQ(parse_single_range("bytes=5-9")->last, 9U);
  EXPECT_FALSE(parse_single_range("bytes=5-")->last);
  EXPECT_FALSE(parse_single_range("bytes=-5")->first);
  EXPECT_EQ(parse_single_range("bytes=-5")->suffix, 5U);
  for (const char* bad : {"", "bytes=", "bytes=-", "bytes=5", "bytes=9-5", "bytes=1-2,4-5", "items=1-2",
                          "bytes=a-2", "bytes=1-b", "bytes=-b"}) {
    EXPECT_FALSE(parse_single_range(bad)) << bad;
  }
}

TEST(ByteRange, S33PlacesInAStoredPart) {
  const ContentRange part{{40, 89}, 90};
  const auto place = [&](std::string_view value, std::uint64_t content = 50) {
    return find_in_part(*parse_single_range(value), part, content);
  };
  EXPECT_EQ(place("bytes=50-59")->within, (ByteRange{10, 19}));
  EXPECT_EQ(place("bytes=50-59")->whole, (ByteRange{50, 59}));
  EXPECT_EQ(place("bytes=80-")->within, (ByteRange{40, 49}));
  EXPECT_EQ(place("bytes=80-200")->whole, (ByteRange{80, 89}));
  EXPECT_EQ(place("bytes=-50")->within, (ByteRange{0, 49}));
  EXPECT_EQ(place("bytes=-1")->whole, (ByteRange{89, 89}));
  for (const char* outside : {"bytes=39-40", "bytes=0-", "bytes=-51", "bytes=-0", "bytes=90-"}) {
    EXPECT_FALSE(place(outside)) << outside;
  }
  EXPECT_FALSE(find_in_part(*parse_single_range("bytes=50-95"), {{40, 89}, 100}, 50));
  EXPECT_FALSE(find_in_part(*parse_single_range("bytes=-5"), {{40, 89}, 100}, 50));
  EXPECT_FALSE(place("bytes=50-59", 51));
  // Fewer bytes than it says.
  EXPECT_EQ(place("bytes=50-", 49)->whole, (ByteRange{50, 88}));
  EXPECT_EQ(place("bytes=-1", 49)->within, (ByteRange{48, 48}));
  EXPECT_FALSE(place("bytes=89-89", 49));
}

TEST(ByteRange, WritesContentRange) {
  std::string text;
  append_content_range(text, {5, 9}, 20);
  EXPECT_EQ(text, "bytes 5-9/20");
  text.clear();
  append_unsatisfied_content_range(text, 20);
  EXPECT_EQ(text, "bytes */20");
}

TEST(ByteRange, ReadsContentRangeStrictly) {
  EXPECT_EQ(parse_content_range("bytes 5-9/20")->range, (ByteRange{5, 9}));
  EXPECT_EQ(parse_content_range("bytes 5-9/20")->size, 20U);
  EXPECT_FALSE(parse_content_range("bytes 5-9/*")->size.has_value());
  for (const char* bad : {"", "bytes */20", "bytes 9-5/20", "bytes 5-20/20", "bytes 5-9", "items 5-9/20",
                          "bytes 5-9/x", "bytes=5-9/20", "bytes 5/9-20"}) {
    EXPECT_FALSE(parse_content_range(bad)) << bad;
  }
}

}  // namespace
}  // namespace freshet::storage
