#include "proxy/simulate/trace_reader.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace freshet::proxy {
namespace {

class TraceReader : public testing::Test {
 protected:
  ~TraceReader() override { std::remove(options_.path.c_str()); }

  storage::Result<LoadedTrace> load(const std::string& text) {
    std::ofstream(options_.path, std::ios::binary) << text;
    return load_trace(options_);
  }
  LoadedTrace loaded(const std::string& text) {
    storage::Result<LoadedTrace> result = load(text);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error());
    return result.ok() ? result.take() : LoadedTrace();
  }
  // Without the file's name.
  std::string error_of(const std::string& text) {
    const storage::Result<LoadedTrace> result = load(text);
    if (result.ok()) return "no error";
    EXPECT_EQ(result.error().substr(0, options_.path.size()), options_.path);
    return result.error().substr(options_.path.size());
  }

  TraceOptions options_{testing::TempDir() + "freshet_trace_" + std::to_string(::getpid()), std::nullopt,
                        100};
};

TEST_F(TraceReader, CsvWithAndWithoutHeadingAndLastLineEnd) {
  for (const std::string text : {"time,key,size\n0,a,1\n1,b,2\n0,a,1\n", "0,a,1\r\n\r\n1,b,2\r\n0,a,1",
                                 "\xEF\xBB\xBFtime,key,size,ttl\n0,a,1,\n1,b,2,9\n0,a,1,\n"}) {
    const LoadedTrace read = loaded(text);
    EXPECT_EQ(read.trace.requests(), 3U) << text;
    EXPECT_EQ(read.trace.objects(), 2U) << text;
    EXPECT_EQ(read.trace.footprint(), 3U) << text;
    EXPECT_EQ(read.bad_lines, 0U) << text;
  }
}

TEST_F(TraceReader, BadLinesAreSkippedAndCounted) {
  const LoadedTrace read = loaded("time,key,size\n0,a,1\nnonsense\n0,b,x\n1,a,1\n");
  EXPECT_EQ(read.trace.requests(), 2U);
  EXPECT_EQ(read.bad_lines, 2U);
  ASSERT_EQ(read.complaints.size(), 2U);
  EXPECT_EQ(read.complaints[0], options_.path + ":3: has fewer columns than time,key,size: \"nonsense\"");
  EXPECT_EQ(read.complaints[1], options_.path + ":4: size \"x\" is not a number of bytes");
}

TEST_F(TraceReader, TooManyBadLinesAreRefused) {
  options_.most_bad_lines = 2;
  EXPECT_EQ(error_of("0,a,1\nx\nx\n0,a,1\nx\n0,a,1\n"),
            ":5: has fewer columns than time,key,size: \"x\"; more than 2 such lines");
  EXPECT_EQ(loaded("0,a,1\nx\nx\n0,a,1\n").bad_lines, 2U);
  options_.most_bad_lines = 0;
  EXPECT_EQ(error_of("0,a,1\nx\n"), ":2: has fewer columns than time,key,size: \"x\"");
}

TEST_F(TraceReader, OnlyTheFirstFewComplaintsAreKept) {
  std::string text = "0,a,1\n";
  for (int i = 0; i < 50; ++i) text += "x\n";
  const LoadedTrace read = loaded(text);
  EXPECT_EQ(read.bad_lines, 50U);
  EXPECT_EQ(read.complaints.size(), 5U);
}

TEST_F(TraceReader, ATraceWithoutRequestsIsRefused) {
  EXPECT_EQ(error_of(""), ": has no request that a cache could answer");
  EXPECT_EQ(error_of("time,key,size\n"), ": has no request that a cache could answer");
  EXPECT_EQ(error_of("x\ny\n"), ":1: has fewer columns than time,key,size: \"x\"; no line is a request");
}

TEST_F(TraceReader, AFileThatIsNotThere) {
  EXPECT_EQ(load_trace({"/no/such/trace", std::nullopt, 0}).error(),
            "/no/such/trace: No such file or directory");
  EXPECT_EQ(load_trace({"/", std::nullopt, 0}).error(), "/: Is a directory");
}

TEST_F(TraceReader, ACompressedFileIsRefusedWithTheWayToReadIt) {
  EXPECT_EQ(error_of("\x1f\x8b\x08zzz\n"), ": is compressed; `zcat FILE | freshet simulate -` reads it");
}

TEST_F(TraceReader, ALogWhose304And206HaveTheSizeThatTheTargetHad) {
  const auto line = [](std::string_view target, int status, int bytes) {
    return R"({"method":"GET","target":")" + std::string(target) + R"(","status":)" + std::to_string(status) +
           R"(,"bytes":)" + std::to_string(bytes) + ",\"cache\":\"hit\"}\n";
  };
  const LoadedTrace read = loaded(line("/a", 304, 0) + line("/a", 200, 70) + line("/a", 304, 0) +
                                  line("/a", 206, 5) + line("/b", 500, 9));
  EXPECT_EQ(read.trace.requests(), 3U);
  EXPECT_EQ(read.trace.versions(), 1U);
  EXPECT_EQ(read.trace.bytes(), 210U);
  EXPECT_EQ(read.left_out, 2U);  // the 304 of an unknown size, and the 500
}

TEST_F(TraceReader, TheFormatThatIsGivenHolds) {
  options_.format = TraceFormat::Common;
  EXPECT_NE(error_of("0,a,1\n").find("is not host ident user"), std::string::npos);
}

TEST_F(TraceReader, LinesOfAnyLength) {
  const std::string longest = "0," + std::string(kLongestTraceLine - 4, 'k') + ",1";
  ASSERT_EQ(longest.size(), kLongestTraceLine);
  const std::string too_long = "0," + std::string(3 * 1024 * 1024, 'k') + ",1";
  const LoadedTrace read =
      loaded("0,a,1\n" + longest + "\n" + too_long + "\n0,b,1\n" + longest + "x\n0,c,1\n" + too_long);
  EXPECT_EQ(read.trace.requests(), 4U);
  EXPECT_EQ(read.bad_lines, 3U);
  ASSERT_EQ(read.complaints.size(), 3U);
  EXPECT_EQ(read.complaints[0], options_.path + ":3: is over 64 KiB");
  EXPECT_EQ(read.complaints[1], options_.path + ":5: is over 64 KiB");
  EXPECT_EQ(read.complaints[2], options_.path + ":7: is over 64 KiB");
}

TEST_F(TraceReader, ManyLinesAcrossBuffers) {
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += std::to_string(i) + ",key-" + std::to_string(i % 1000) + ",7\n";
  ASSERT_GT(text.size(), 2U * 1024 * 1024);
  const LoadedTrace read = loaded(text);
  EXPECT_EQ(read.trace.requests(), 300'000U);
  EXPECT_EQ(read.trace.objects(), 1000U);
  EXPECT_EQ(read.bad_lines, 0U);
}

}  // namespace
}  // namespace freshet::proxy
