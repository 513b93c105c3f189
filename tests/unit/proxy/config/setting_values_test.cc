#include "proxy/config/setting_values.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace freshet::proxy {
namespace {

TEST(SettingValues, Sizes) {
  const std::vector<std::pair<std::string, std::uint64_t>> good = {
      {"0", 0},           {"512", 512},        {"64K", 64 * kKiB},   {"256M", 256 * kMiB},
      {"10G", 10 * kGiB}, {"2T", 2048 * kGiB}, {"64KiB", 64 * kKiB}, {"1 MiB", kMiB},
      {"3GiB", 3 * kGiB}};
  for (const auto& [text, bytes] : good) {
    const Result<std::uint64_t> size = parse_size(text);
    ASSERT_TRUE(size.ok()) << text;
    EXPECT_EQ(size.value(), bytes) << text;
  }
  for (const char* bad :
       {"", "K", "12 parsecs", "-1", "+1", "1.5G", "0x10", "1k", "1KB", "64K ", " 64K", "1  K"}) {
    EXPECT_FALSE(parse_size(bad).ok()) << bad;
  }
  EXPECT_EQ(parse_size("12 parsecs").error(), "\"12 parsecs\" is not a size (try 256M)");
  EXPECT_EQ(parse_size("99999999T").error(), "\"99999999T\" is more bytes than can be counted");
  EXPECT_FALSE(parse_size("99999999999999999999999").ok());
}

TEST(SettingValues, SizesAreWrittenInTheLargestUnitThatDivides) {
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1000), "1000");
  EXPECT_EQ(format_size(1536), "1536");
  EXPECT_EQ(format_size(64 * kKiB), "64K");
  EXPECT_EQ(format_size(1024 * kGiB), "1T");
  for (const std::uint64_t bytes : {1ULL, 1023ULL, 1025ULL, 3ULL << 20, 5ULL << 30, 7ULL << 40}) {
    EXPECT_EQ(parse_size(format_size(bytes)).value(), bytes);
  }
}

TEST(SettingValues, Durations) {
  const std::vector<std::pair<std::string, std::int64_t>> good = {
      {"0", 0},          {"250ms", 250},     {"5s", 5000}, {"1m", 60'000},
      {"2h", 7'200'000}, {"1d", 86'400'000}, {"5 s", 5000}};
  for (const auto& [text, ms] : good) {
    const Result<SettingMs> duration = parse_duration(text);
    ASSERT_TRUE(duration.ok()) << text;
    EXPECT_EQ(duration.value().count(), ms) << text;
  }
  for (const char* bad : {"", "10", "s", "-5s", "1.5s", "5sec", "1w", "1m30s", "99999999999999999999s"}) {
    EXPECT_FALSE(parse_duration(bad).ok()) << bad;
  }
  EXPECT_EQ(parse_duration("10").error(), "\"10\" is not a duration (try 500ms, 10s, 5m, 2h or 1d)");
  EXPECT_EQ(parse_duration("36501d").error(), "\"36501d\" is longer than 36500d");
  for (const std::int64_t ms : {1LL, 999LL, 1000LL, 90'000LL, 86'400'000LL}) {
    EXPECT_EQ(parse_duration(format_duration(SettingMs{ms})).value().count(), ms);
  }
}

TEST(SettingValues, CountsAndRatios) {
  EXPECT_EQ(parse_count("17").value(), 17U);
  for (const char* bad : {"", "-1", "1.0", "1K", "one", "0x1", "1 "})
    EXPECT_FALSE(parse_count(bad).ok()) << bad;
  EXPECT_DOUBLE_EQ(parse_ratio("0.1").value(), 0.1);
  EXPECT_DOUBLE_EQ(parse_ratio("1").value(), 1.0);
  for (const char* bad : {"", "nan", "inf", "1e3", "0,1", "10%"}) EXPECT_FALSE(parse_ratio(bad).ok()) << bad;
  EXPECT_EQ(format_ratio(0.1), "0.1");
  EXPECT_EQ(format_ratio(1), "1.0");
}

TEST(SettingValues, Addresses) {
  EXPECT_EQ(parse_host_port("127.0.0.1:8080").value(), (HostPort{"127.0.0.1", 8080}));
  EXPECT_EQ(parse_host_port("[::1]:0").value(), (HostPort{"::1", 0}));
  EXPECT_EQ(parse_host_port("edge-1.example:443").value(), (HostPort{"edge-1.example", 443}));
  for (const char* bad :
       {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[::1]",
        "[::1]80", "[::g]:80", "[localhost]:80", "127.0.0.256:80", "a b:80", "a:80 ", "http://a:80"}) {
    EXPECT_FALSE(parse_host_port(bad).ok()) << bad;
  }
  EXPECT_EQ(parse_host_port("127.0.0.1").error(), "\"127.0.0.1\" names no port (try 127.0.0.1:8080)");
  EXPECT_EQ(format_host_port({"::1", 80}), "[::1]:80");
  EXPECT_EQ(format_host_port({"a", 80}), "a:80");
}

TEST(SettingValues, Networks) {
  for (const char* good : {"10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8", "0.0.0.0/0", "::1/128"}) {
    EXPECT_TRUE(check_network(good).ok()) << good;
  }
  for (const char* bad :
       {"", "10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0", "example.org", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(check_network(bad).ok()) << bad;
  }
}

TEST(SettingValues, MessagesShowHostileTextOnOneLine) {
  EXPECT_EQ(in_quotes("a\nb\x1b[2J"), "\"a?b?[2J\"");
  EXPECT_EQ(in_quotes(std::string(100, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

}  // namespace
}  // namespace freshet::proxy
