#include "proxy/simulate/trace_line.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

TraceLine parsed(TraceFormat format, std::string_view line) {
  TraceLine out;
  const storage::Status status = parse_trace_line(format, line, out);
  EXPECT_TRUE(status.ok()) << line << ": " << (status.ok() ? "" : status.error());
  return out;
}

std::string error_of(TraceFormat format, std::string_view line) {
  TraceLine out;
  const storage::Status status = parse_trace_line(format, line, out);
  return status.ok() ? "no error" : status.error();
}

TEST(TraceLine, Csv) {
  const TraceLine line = parsed(TraceFormat::Csv, "12.345,/a?b=c d,678");
  EXPECT_FALSE(line.left_out);
  EXPECT_EQ(line.time, 12'345);
  EXPECT_EQ(line.key, "/a?b=c d");
  EXPECT_EQ(line.size, 678U);
  EXPECT_EQ(line.ttl, kNeverExpires);
}

TEST(TraceLine, CsvWithTtl) {
  EXPECT_EQ(parsed(TraceFormat::Csv, "0,a,1,60").ttl, 60'000);
  EXPECT_EQ(parsed(TraceFormat::Csv, "0,a,1,0.5").ttl, 500);
  EXPECT_EQ(parsed(TraceFormat::Csv, "0,a,1,0").ttl, 0);
  EXPECT_EQ(parsed(TraceFormat::Csv, "0,a,1,").ttl, kNeverExpires);
}

TEST(TraceLine, CsvKeysInQuotes) {
  EXPECT_EQ(parsed(TraceFormat::Csv, R"(0,"/a,b",1)").key, "/a,b");
  EXPECT_EQ(parsed(TraceFormat::Csv, R"(0,"say ""a""",1)").key, R"(say "a")");
  EXPECT_EQ(error_of(TraceFormat::Csv, R"(0,"a,1)"), "has a quote that does not end");
  EXPECT_EQ(error_of(TraceFormat::Csv, R"(0,"a"b,1)"), "has a quote that does not end");
}

TEST(TraceLine, CsvMistakes) {
  EXPECT_EQ(error_of(TraceFormat::Csv, "a"), "has fewer columns than time,key,size: \"a\"");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1,2"), "has fewer columns than time,key,size: \"1,2\"");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1,2,3,4,5"), "has more columns than time,key,size,ttl");
  EXPECT_EQ(error_of(TraceFormat::Csv, "x,a,1"), "time \"x\" is not a number");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1x,a,1"), "time \"1x\" is not a number");
  EXPECT_EQ(error_of(TraceFormat::Csv, "nan,a,1"), "time \"nan\" is not a number");
  EXPECT_EQ(error_of(TraceFormat::Csv, "-1,a,1"), "time \"-1\" is negative");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1700000000000000000,a,1"),
            "time \"1700000000000000000\" is too large for seconds");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1,,1"), "has an empty key");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1,a,"), "size \"\" is not a number of bytes");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1,a,-1"), "size \"-1\" is not a number of bytes");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1,a,1.5"), "size \"1.5\" is not a number of bytes");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1,a,1125899906842625"), "size \"1125899906842625\" is over 1 PiB");
  EXPECT_EQ(error_of(TraceFormat::Csv, "1,a,1,soon"), "ttl \"soon\" is not a number");
}

TEST(TraceLine, MessagesShowNoControlBytesAndLittleText) {
  EXPECT_EQ(error_of(TraceFormat::Csv, "\x1b[2J,a,1"), "time \".[2J\" is not a number");
  EXPECT_LT(error_of(TraceFormat::Csv, std::string(5000, 'x')).size(), 100U);
}

std::string log_line(std::string_view method, int status, std::string_view rest = R"("cache":"hit"})") {
  return R"({"time":"2026-11-22T18:18:37.123Z","client":"127.0.0.1","method":")" + std::string(method) +
         R"(","target":"a.example/x?\"q\"","protocol":"HTTP/1.1","status":)" + std::to_string(status) +
         R"(,"bytes":332,"head_bytes":200,)" + std::string(rest);
}

TEST(TraceLine, FreshetsAccessLog) {
  const TraceLine line = parsed(TraceFormat::Log, log_line("GET", 200));
  EXPECT_FALSE(line.left_out);
  EXPECT_EQ(line.key, R"(a.example/x?\"q\")");
  EXPECT_EQ(line.size, 332U);
  EXPECT_EQ(line.ttl, kNeverExpires);
}

TEST(TraceLine, WhatACacheCouldHaveAnswered) {
  for (const int status : {200, 203, 204, 300, 301, 308, 404, 410}) {
    EXPECT_TRUE(parsed(TraceFormat::Log, log_line("GET", status)).size.has_value()) << status;
  }
  for (const int status : {206, 304}) {
    const TraceLine line = parsed(TraceFormat::Log, log_line("GET", status));
    EXPECT_FALSE(line.left_out) << status;
    EXPECT_FALSE(line.size.has_value()) << status;
  }
  for (const int status : {302, 307, 400, 403, 412, 416, 500, 503}) {
    EXPECT_TRUE(parsed(TraceFormat::Log, log_line("GET", status)).left_out) << status;
  }
  EXPECT_FALSE(parsed(TraceFormat::Log, log_line("HEAD", 200)).size.has_value());
  EXPECT_TRUE(parsed(TraceFormat::Log, log_line("POST", 200)).left_out);
  EXPECT_TRUE(parsed(TraceFormat::Log, log_line("GET", 200, R"("cache":"pass"})")).left_out);
  EXPECT_FALSE(
      parsed(TraceFormat::Log, log_line("GET", 200, R"("cache":"miss","broken":true})")).size.has_value());
}

TEST(TraceLine, LogMistakes) {
  EXPECT_EQ(error_of(TraceFormat::Log, "x"), "is not a JSON object");
  EXPECT_EQ(error_of(TraceFormat::Log, "{}"), "has no \"method\"");
  EXPECT_EQ(error_of(TraceFormat::Log, R"({"method":"GET"})"), "has no \"target\"");
  EXPECT_EQ(error_of(TraceFormat::Log, R"({"method":"GET","target":"a","status":200})"),
            "bytes \"\" is not a number of bytes");
  EXPECT_EQ(error_of(TraceFormat::Log, R"({"method":"GET","target":"a","bytes":1})"),
            "status \"\" is not a number");
  EXPECT_EQ(error_of(TraceFormat::Log, R"({"method":"GET")"), "is a JSON object that does not end");
  EXPECT_EQ(error_of(TraceFormat::Log, R"({"method":"GET)"),
            "has a JSON member whose value is no string, number, true, false or null");
  EXPECT_EQ(error_of(TraceFormat::Log, R"({"a":[1]})"),
            "has a JSON member whose value is no string, number, true, false or null");
  EXPECT_EQ(error_of(TraceFormat::Log, R"({"a":1} x)"), "has something behind its JSON object");
  EXPECT_EQ(error_of(TraceFormat::Log, R"({a:1})"), "has a JSON member without a name");
}

TEST(TraceLine, CommonAndCombinedLog) {
  const std::string_view common = R"(192.0.2.1 - - [22/Nov/2026:18:18:37 +0000] "GET /a?b HTTP/1.1" 200 332)";
  for (const std::string& line :
       {std::string(common), std::string(common) + R"x( "-" "curl/7.88 (x \"y\")")x"}) {
    const TraceLine read = parsed(TraceFormat::Common, line);
    EXPECT_FALSE(read.left_out);
    EXPECT_EQ(read.key, "/a?b");
    EXPECT_EQ(read.size, 332U);
  }
}

TEST(TraceLine, CommonLogWithOddRequests) {
  const std::string before = "h - some user [22/Nov/2026:18:18:37 +0000] ";
  EXPECT_EQ(parsed(TraceFormat::Common, before + R"("GET /a\"b HTTP/1.1" 200 1)").key, R"(/a\"b)");
  EXPECT_EQ(parsed(TraceFormat::Common, before + R"("GET /a b HTTP/1.0" 200 1)").key, "/a b");
  EXPECT_EQ(parsed(TraceFormat::Common, before + R"("GET /old" 200 1)").key, "/old");
  EXPECT_EQ(parsed(TraceFormat::Common, before + R"("GET /empty HTTP/1.1" 204 -)").size, 0U);
  EXPECT_TRUE(parsed(TraceFormat::Common, before + R"("\x16\x03\x01" 400 166)").left_out);
  EXPECT_TRUE(parsed(TraceFormat::Common, before + R"("-" 408 0)").left_out);
}

TEST(TraceLine, CommonLogMistakes) {
  const std::string before = "h - - [d] ";
  EXPECT_EQ(error_of(TraceFormat::Common, "what"),
            "is not host ident user [date] \"request\" status bytes: \"what\"");
  EXPECT_EQ(error_of(TraceFormat::Common, before + R"("GET / HTTP/1.1)"),
            "has a request whose quote does not end");
  EXPECT_EQ(error_of(TraceFormat::Common, before + R"("GET / HTTP/1.1")"), "status \"\" is not a number");
  EXPECT_EQ(error_of(TraceFormat::Common, before + R"("GET / HTTP/1.1" 200 x)"),
            "bytes \"x\" is not a number of bytes");
  EXPECT_EQ(error_of(TraceFormat::Common, before + R"("GET" 200 1)"),
            "has a request without a target: \"GET\"");
}

TEST(TraceLine, FormatByTheFirstLine) {
  EXPECT_EQ(detect_trace_format("time,key,size"), TraceFormat::Csv);
  EXPECT_EQ(detect_trace_format("1,a,2"), TraceFormat::Csv);
  EXPECT_EQ(detect_trace_format(log_line("GET", 200)), TraceFormat::Log);
  EXPECT_EQ(detect_trace_format(R"(h - - [22/Nov/2026:18:18:37 +0000] "GET / HTTP/1.1" 200 1)"),
            TraceFormat::Common);
  EXPECT_TRUE(is_csv_heading("time,key,size,ttl"));
  EXPECT_TRUE(is_csv_heading(R"("time","key","size")"));
  EXPECT_FALSE(is_csv_heading("timestamp,key,size"));
  EXPECT_FALSE(is_csv_heading("1,time,2"));
}

TEST(TraceLine, FormatNames) {
  EXPECT_EQ(trace_format_of("csv"), TraceFormat::Csv);
  EXPECT_EQ(trace_format_of("log"), TraceFormat::Log);
  EXPECT_EQ(trace_format_of("common"), TraceFormat::Common);
  EXPECT_FALSE(trace_format_of("xml").has_value());
}

}  // namespace
}  // namespace freshet::proxy
