#include "proxy/config/setting_table.h"

#include <gtest/gtest.h>
#include <set>
#include <string>

#include "proxy/config/defaults.h"

namespace freshet::proxy {
namespace {

std::string error_of(std::string_view key, std::string_view text) {
  Settings settings;
  const storage::Status set = set_setting(settings, key, text);
  return set.ok() ? "ok" : set.error();
}

TEST(SettingTable, EveryDefaultParsesBackToItself) {
  for (const SettingRow& row : setting_table()) {
    const std::string text = setting_text(Settings{}, row);
    if (!row.computed_default.empty()) continue;
    Settings settings;
    const storage::Status set = set_setting(settings, row.key, text);
    EXPECT_TRUE(set.ok()) << row.key << " = " << text;
    EXPECT_EQ(setting_text(settings, row), text) << row.key;
  }
}

TEST(SettingTable, EveryRowHasItsOwnNameAndMember) {
  std::set<std::string_view> names;
  for (const SettingRow& row : setting_table()) {
    EXPECT_TRUE(names.insert(row.key).second) << row.key;
    EXPECT_TRUE(row.flag.empty() || names.insert(row.flag).second) << row.flag;
    EXPECT_FALSE(row.prose.empty()) << row.key;
    EXPECT_EQ(find_setting(row.key), &row);
    // Setting it changes what it shows, and what no other row shows.
    Settings changed;
    std::string text;
    switch (row.type) {
      case SettingType::kBytes:
        text = "65M";
        break;
      case SettingType::kDuration:
        text = "777ms";
        break;
      case SettingType::kCount:
        text = "77";
        break;
      case SettingType::kRatio:
        text = "0.77";
        break;
      case SettingType::kAddress:
        text = "a.example:77";
        break;
      case SettingType::kOrigin:
        text = "http://a.example:77";
        break;
      case SettingType::kPath:
        text = "/a/77";
        break;
      case SettingType::kLogFormat:
        text = "{client} {status}";
        break;
      case SettingType::kChoice:
        text = std::string(row.choices.back());
        break;
      case SettingType::kNetworks:
        text = "10.0.0.0/8,::1";
        break;
      case SettingType::kSwitch:
        text = setting_text(Settings{}, row) == "true" ? "false" : "true";
        break;
      case SettingType::kNames:
        text = "X-A,x-b";
        break;
      case SettingType::kToken:
        text = "0123456789abcdef";
        break;
      case SettingType::kText:
        text = "A:B";
        break;
      case SettingType::kCertificates:
        text = "/a.pem:/a.key,/b.pem:/b.key:/b.ocsp";
        break;
      case SettingType::kListen:
        text = "[::]:81 v6only proxy_protocol,unix:/run/x mode=0600,systemd:http";
        break;
      case SettingType::kPatterns:
        text = "utm_*,a";
        break;
    }
    if (row.type == SettingType::kBytes && row.most < 65 * kMiB) text = row.least > 777 ? "77K" : "777";
    if (row.key == "server.max_head") text = "2K";
    ASSERT_TRUE(set_setting(changed, row.key, text).ok()) << row.key;
    for (const SettingRow& other : setting_table()) {
      const std::string shown = setting_text(changed, other);
      EXPECT_EQ(shown, &other == &row ? text : setting_text(Settings{}, other))
          << row.key << " " << other.key;
    }
  }
}

TEST(SettingTable, ErrorsNameTheSettingTheValueAndWhatIsAllowed) {
  EXPECT_EQ(error_of("server.workers", "0"), "server.workers: 0 is below the least allowed, 1");
  EXPECT_EQ(error_of("server.workers", "99999"), "server.workers: 99999 is above the most allowed, 1024");
  EXPECT_EQ(error_of("server.workers", "99999999999"),
            "server.workers: 99999999999 is above the most allowed, 1024");
  EXPECT_EQ(error_of("cache.memory", "12 parsecs"), "cache.memory: \"12 parsecs\" is not a size (try 256M)");
  EXPECT_EQ(error_of("cache.memory", "1K"), "cache.memory: 1K is below the least allowed, 1M");
  EXPECT_EQ(error_of("server.head_timeout", "2d"), "server.head_timeout: 2d is above the most allowed, 1d");
  EXPECT_EQ(error_of("cache.heuristic_fraction", "1.5"),
            "cache.heuristic_fraction: 1.5 is above the most allowed, 1.0");
  EXPECT_EQ(error_of("cache.heuristic_fraction", "-0.5"),
            "cache.heuristic_fraction: -0.5 is below the least allowed, 0.0");
  EXPECT_EQ(error_of("cache.set_cookie", "never"),
            "cache.set_cookie: \"never\" is not one of safe, rfc or strip");
  EXPECT_EQ(error_of("server.listen", "127.0.0.1:80,127.0.0.1"),
            "server.listen: '127.0.0.1': no port (HOST:PORT)");
  EXPECT_EQ(error_of("server.listen", "127.0.0.1:80,"), "ok");
  EXPECT_EQ(error_of("tls.listen", ""), "ok");
  EXPECT_EQ(error_of("log.access", ""), "log.access: is empty");
  EXPECT_EQ(error_of("log.format", "{client} {stats}").substr(0, 57),
            "log.format: {stats} at character 10 is no field; the fiel");
  EXPECT_EQ(error_of("log.sample", "1.5"), "log.sample: 1.5 is above the most allowed, 1.0");
  EXPECT_EQ(error_of("admin.listen", ""), "ok");
  EXPECT_EQ(error_of("tls.certificates", "a.pem"),
            "tls.certificates: \"a.pem\" is not CERT:KEY or CERT:KEY:OCSP");
  EXPECT_EQ(error_of("tls.certificates", ":a.key"), "tls.certificates: cert is missing");
  EXPECT_EQ(error_of("server.trusted_proxies", "10.0.0.0/8,nonsense"),
            "server.trusted_proxies: \"nonsense\" is not an address or network (try 10.0.0.0/8)");
}

TEST(SettingTable, NamesPatternsSwitchesAndSlices) {
  EXPECT_EQ(error_of("cache.key_fields", "X-Device,X Y"),
            "cache.key_fields: \"X Y\" is not the name of a field or cookie (try X-Device)");
  EXPECT_EQ(error_of("cache.key_fields", "X-Device,Range"),
            "cache.key_fields: \"Range\" does not reach the origin as the client sent it");
  for (const char* wrong : {"host", "If-None-Match", "X-Original-URL", "X-Forwarded-For", "Connection"}) {
    EXPECT_NE(error_of("cache.key_fields", wrong), "ok") << wrong;
  }
  EXPECT_EQ(error_of("cache.key_fields", "Accept,Origin"), "ok");
  EXPECT_EQ(error_of("cache.targeted_fields", ""), "ok");
  EXPECT_EQ(error_of("cache.key_cookies", "a,,b"),
            "cache.key_cookies: \"\" is not the name of a field or cookie (try X-Device)");
  for (const char* wrong : {"a*b", "a=1", "a&b", "a b"}) {
    EXPECT_NE(error_of("cache.ignore_query", wrong), "ok") << wrong;
  }
  for (const char* right : {"*", "utm_*", "a[]", "a,b"}) {
    EXPECT_EQ(error_of("cache.ignore_query", right), "ok") << right;
  }
  EXPECT_EQ(error_of("cache.early_hints", "yes"), "cache.early_hints: \"yes\" is not true or false");
  EXPECT_EQ(error_of("cache.slice_size", "32K"), "cache.slice_size: 32K is below the least allowed, 64K");
  EXPECT_EQ(error_of("cache.slice_size", "65M"), "cache.slice_size: 65M is above the most allowed, 64M");
  EXPECT_EQ(error_of("cache.client_directives", "no"),
            "cache.client_directives: \"no\" is not one of honour or ignore");
}

TEST(SettingTable, TokensAreLongAndFitAField) {
  EXPECT_EQ(error_of("purge.token", "AZaz09-._~+/=="),
            "purge.token: is shorter than 16 characters (try `openssl rand -base64 24`)");
  EXPECT_EQ(error_of("purge.token", "0123456789AZaz-._~+/=="), "ok");
  EXPECT_EQ(error_of("purge.token", ""), "ok");
  for (const char* bad :
       {"0123456789 abcdefg", "0123456789=abcdefg", "0123456789\"abcdefg", "0123456789\nabcdefg"}) {
    EXPECT_EQ(error_of("admin.token", bad),
              "admin.token: a token has letters, digits and -._~+/ only, with = at its end (try `openssl "
              "rand -base64 24`)");
  }
}

TEST(SettingTable, AnAdminPlaneThatOthersReachNeedsAToken) {
  Settings settings;
  for (const char* near : {"127.0.0.1", "127.8.8.8", "::1", "localhost"}) {
    settings.admin.listen = {near, 9180};
    EXPECT_TRUE(check_settings(settings).empty()) << near;
  }
  for (const char* far : {"0.0.0.0", "::", "*", "10.0.0.1", "192.0.2.1", "edge.example"}) {
    settings.admin.listen = {far, 9180};
    settings.admin.token.clear();
    ASSERT_EQ(check_settings(settings).size(), 1U) << far;
    EXPECT_TRUE(check_settings(settings).front().starts_with("admin.token: is needed, since admin.listen, "));
    settings.admin.token = "0123456789abcdef";
    EXPECT_TRUE(check_settings(settings).empty()) << far;
  }
}

TEST(SettingTable, AWrongValueChangesNothing) {
  Settings settings;
  EXPECT_FALSE(set_setting(settings, "server.trusted_proxies", "10.0.0.0/8,x").ok());
  EXPECT_TRUE(settings.server.trusted_proxies.empty());
}

TEST(SettingTable, UnknownNamesGetTheNearestKnownOne) {
  EXPECT_EQ(error_of("cahce.memory", "1G"), "cahce.memory: unknown setting; did you mean cache.memory?");
  EXPECT_EQ(error_of("memory", "1G"), "memory: unknown setting; did you mean cache.memory?");
  EXPECT_EQ(error_of("server.disk", "1G"), "server.disk: unknown setting; did you mean cache.disk?");
  EXPECT_EQ(error_of("server.max_header", "1G"),
            "server.max_header: unknown setting; did you mean server.max_head?");
  EXPECT_EQ(error_of("quic.versions", "x"), "quic.versions: unknown setting");
  EXPECT_EQ(error_of("", "x"), ": unknown setting");
}

TEST(Defaults, CacheDirectory) {
  Surroundings service;
  service.cache_directory = "/var/cache/freshet:/var/cache/other";
  service.home = "/nonexistent";
  EXPECT_EQ(default_cache_dir(service), "/var/cache/freshet");
  Surroundings user;
  user.home = "/home/u";
  EXPECT_EQ(default_cache_dir(user), "/home/u/.cache/freshet");
  user.xdg_cache_home = "/x";
  EXPECT_EQ(default_cache_dir(user), "/x/freshet");
  user.xdg_cache_home = "relative";
  EXPECT_EQ(default_cache_dir(user), "/home/u/.cache/freshet");
  EXPECT_EQ(default_cache_dir(Surroundings{}), "/var/cache/freshet");
}

TEST(Defaults, FillOnlyWhatNobodyGave) {
  Surroundings surroundings;
  surroundings.cores = 6;
  Settings settings;
  fill_defaults(settings, surroundings);
  EXPECT_EQ(settings.server.workers, 6U);
  EXPECT_EQ(settings.admin.socket, "/var/cache/freshet/admin.sock");
  Settings given;
  given.server.workers = 1;
  given.cache.dir = "/c";
  fill_defaults(given, surroundings);
  EXPECT_EQ(given.server.workers, 1U);
  EXPECT_EQ(given.admin.socket, "/c/admin.sock");
}

TEST(Defaults, SettingsThatContradictEachOther) {
  Settings settings;
  EXPECT_TRUE(check_settings(settings).empty());
  settings.server.max_head = 2 * kKiB;
  settings.origin.ca_file = "/nonexistent/ca.pem";
  const std::vector<std::string> wrong = check_settings(settings);
  ASSERT_EQ(wrong.size(), 3U);
  EXPECT_EQ(wrong[0], "server.max_request_line: 16K is more than server.max_head, 2K");
  EXPECT_EQ(wrong[2], "origin.ca_file: \"/nonexistent/ca.pem\" cannot be read: No such file or directory");
}

}  // namespace
}  // namespace freshet::proxy
