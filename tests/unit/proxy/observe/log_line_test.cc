#include "proxy/observe/log_line.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace freshet::proxy {
namespace {

using Json = nlohmann::json;

std::string line_of(const ExchangeRecord& record, std::string_view text = "json") {
  const LogFormat format = LogFormat::parse(text).take();
  LineFormatter formatter(format);
  std::vector<char> room(kLongestLogLine);
  const char* const end = formatter.format(room.data(), record);
  const auto length = static_cast<std::size_t>(end - room.data());
  EXPECT_LE(length, kLongestLogLine);
  return {room.data(), length};
}

ExchangeRecord plain_record() {
  ExchangeRecord record;
  record.time = storage::WallTime{storage::Milliseconds{1'795'367'887'007}};
  record.client = "192.0.2.1";
  record.method = "GET";
  record.host = "example.org";
  record.path = "/a?b=c";
  record.protocol = "HTTP/1.1";
  record.status = 200;
  record.head_bytes = 212;
  record.body_bytes = 1024;
  record.outcome = CacheOutcome::kHit;
  record.reason = "fresh";
  record.first_byte = std::chrono::microseconds{19};
  record.total_time = std::chrono::microseconds{21};
  return record;
}

std::string escaped(std::string_view text) {
  std::vector<char> room(6 * text.size() + 1);
  return {room.data(), static_cast<std::size_t>(append_json_text(room.data(), text) - room.data())};
}

TEST(LogLine, AHit) {
  EXPECT_EQ(
      line_of(plain_record()),
      "{\"time\":\"2026-11-22T17:18:07.007Z\",\"client\":\"192.0.2.1\",\"method\":\"GET\","
      "\"target\":\"example.org/a?b=c\",\"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":1024,"
      "\"head_bytes\":212,\"cache\":\"hit\",\"reason\":\"fresh\",\"first_byte_ms\":0.019,\"ms\":0.021}\n");
}

TEST(LogLine, OriginTimeSavedBytesAndBrokenTransfersAppearWhereTheyAre) {
  ExchangeRecord record = plain_record();
  record.outcome = CacheOutcome::kRevalidated;
  record.origin_status = 304;
  record.origin_time = std::chrono::microseconds{12'345};
  record.total_time = std::chrono::microseconds{1'000'999};
  record.saved_bytes = 99;
  record.complete = false;
  const std::string line = line_of(record);
  EXPECT_NE(line.find(",\"origin_status\":304,\"origin_ms\":12.345,\"first_byte_ms\":0.019,\"ms\":1000.999,"
                      "\"saved_bytes\":99,"
                      "\"broken\":true}\n"),
            std::string::npos)
      << line;
  EXPECT_EQ(Json::parse(line)["cache"], "revalidated");
}

TEST(LogLine, TheDateFollowsTheSecond) {
  const LogFormat json;
  LineFormatter formatter(json);
  std::vector<char> room(kLongestLogLine);
  ExchangeRecord record = plain_record();
  formatter.format(room.data(), record);
  record.time += storage::Milliseconds{1'001};
  const std::string line(room.data(),
                         static_cast<std::size_t>(formatter.format(room.data(), record) - room.data()));
  EXPECT_EQ(Json::parse(line)["time"], "2026-11-22T17:18:08.008Z");
}

TEST(LogLine, EscapesWhatJsonForbids) {
  EXPECT_EQ(escaped("plain /a?b=c"), "plain /a?b=c");
  EXPECT_EQ(escaped("\"\\"), "\\\"\\\\");
  EXPECT_EQ(escaped(std::string_view("\0\n\r\t\x1b\x7f", 6)), "\\u0000\\u000a\\u000d\\u0009\\u001b\\u007f");
}

TEST(LogLine, ValidUtf8StaysAndTheRestIsReplaced) {
  for (const char* good : {"\xC2\x80", "\xC3\xA9", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(escaped(good), good);
  }
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped("\x80"), bad);
  EXPECT_EQ(escaped("\xC0\xAF"), bad + bad);                      // overlong
  EXPECT_EQ(escaped("\xE0\x80\xAF"), bad + bad + bad);            // overlong
  EXPECT_EQ(escaped("\xED\xA0\x80"), bad + bad + bad);            // a surrogate
  EXPECT_EQ(escaped("\xF4\x90\x80\x80"), bad + bad + bad + bad);  // above U+10FFFF
  EXPECT_EQ(escaped("\xF5x"), bad + "x");
  EXPECT_EQ(escaped("a\xE2\x82"), "a" + bad + bad);  // cut short
  EXPECT_EQ(escaped("\xE2\x82z"), bad + bad + "z");
}

TEST(LogLine, EveryByteInEveryTextGivesOneValidLine) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  ExchangeRecord record = plain_record();
  record.client = record.method = record.host = record.path = record.protocol = record.reason = record.id =
      all;
  const std::string line = line_of(record);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_NO_THROW(EXPECT_TRUE(Json::parse(line).is_object()));
}

TEST(LogLine, TheLongestLineFits) {
  const std::string control(100'000, '\x01');
  ExchangeRecord record = plain_record();
  record.client = record.method = record.host = record.path = record.protocol = record.reason = record.id =
      control;
  record.status = std::numeric_limits<int>::min();
  record.head_bytes = record.body_bytes = record.saved_bytes = UINT64_MAX;
  storage::HeaderFields fields;
  fields.add("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const storage::Digest128 key{UINT64_MAX, UINT64_MAX};
  record.fields = &fields;
  record.key = &key;
  record.first_byte = record.origin_time.emplace() = record.total_time = std::chrono::microseconds::max();
  record.origin_status = std::numeric_limits<int>::min();
  record.complete = false;
  const std::string line = line_of(record);
  const Json parsed = Json::parse(line);
  const auto target = parsed["target"].get<std::string>();
  EXPECT_EQ(target.substr(target.size() - 4), "\x01...");
}

TEST(LogLine, KeyIdAndTraceAppearWhereTheyAre) {
  ExchangeRecord record = plain_record();
  storage::HeaderFields fields;
  fields.add("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  const storage::Digest128 key{0x0123456789abcdefU, 0xfU};
  record.fields = &fields;
  record.key = &key;
  record.id = "an-id";
  const Json line = Json::parse(line_of(record));
  EXPECT_EQ(line["key"], "0123456789abcdef");
  EXPECT_EQ(line["id"], "an-id");
  EXPECT_EQ(line["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST(LogLine, CommonAndCombined) {
  ExchangeRecord record = plain_record();
  storage::HeaderFields fields;
  fields.add("Referer", "http://a/");
  fields.add("User-Agent", "curl/7.88.1");
  record.fields = &fields;
  const std::string common = "192.0.2.1 - - [22/Nov/2026:17:18:07 +0000] \"GET /a?b=c HTTP/1.1\" 200 1024";
  EXPECT_EQ(line_of(record, "common"), common + "\n");
  EXPECT_EQ(line_of(record, "combined"), common + " \"http://a/\" \"curl/7.88.1\"\n");
  record.fields = nullptr;
  EXPECT_EQ(line_of(record, "combined"), common + " \"-\" \"-\"\n");
}

TEST(LogLine, AFormatOfOnesOwn) {
  ExchangeRecord record = plain_record();
  record.origin_time = std::chrono::microseconds{12'000};
  record.origin_status = 304;
  record.saved_bytes = 9;
  EXPECT_EQ(
      line_of(record,
              "{time} {method} {target} {host} {path} {protocol} {head_bytes} {saved_bytes} {cache} {reason} "
              "{origin_status} {origin_ms} {first_byte_ms} {ms} {key} {id} {trace} {broken} {{x}}"),
      "2026-11-22T17:18:07.007Z GET example.org/a?b=c example.org /a?b=c HTTP/1.1 212 9 hit fresh 304 "
      "12.000 0.019 0.021 - - - false {x}\n");
  record.origin_time.reset();
  record.complete = false;
  EXPECT_EQ(line_of(record, "{origin_status}{origin_ms} {broken}"), "-- true\n");
}

TEST(LogLine, NoClientForgesALineOrAValueOfAFormatOfOnesOwn) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  ExchangeRecord record = plain_record();
  record.client = record.method = record.host = record.path = record.protocol = record.reason = record.id =
      all;
  const std::string line = line_of(record, "<{client}{request}{target}{reason}{id}>");
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(std::count(line.begin(), line.end(), '"'), 8);
  for (std::size_t i = line.find('"'); i != line.npos; i = line.find('"', i + 1))
    EXPECT_EQ(line[i - 1], '\\');
  for (const char c : line.substr(0, line.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  record.path = "a\"\\\n\xff";
  EXPECT_EQ(line_of(record, "{path}"), "a\\\"\\\\\\x0a\\xff\n");
}

TEST(LogLine, ARequestThatCouldNotBeParsed) {
  ExchangeRecord record;
  record.status = 400;
  EXPECT_EQ(line_of(record, "{request}|{target}|{header:Referer}|{status}"), "-|-|-|400\n");
}

TEST(LogLine, ALineOfOnesOwnEndsWhereThereIsNoRoom) {
  const std::string control(100'000, '\x01');
  ExchangeRecord record = plain_record();
  record.path = control;
  std::string format;
  for (int i = 0; i < 100; ++i) format += "{path}";
  const std::string line = line_of(record, format);
  EXPECT_EQ(line.substr(line.size() - 4), "...\n");
}

}  // namespace
}  // namespace freshet::proxy
