#include "proxy/config/config_file.h"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string>

#include "proxy/config/setting_table.h"
#include "tests/unit/proxy/config/source_root.h"

namespace freshet::proxy {
namespace {

using Lines = std::vector<std::string>;

Lines errors_of(const std::string& text) {
  Settings settings;
  return load_config_text(text, "f.toml", settings).lines;
}

TEST(ConfigFile, SetsWhatItNames) {
  Settings settings;
  const ConfigErrors errors = load_config_text(R"(
[server]
listen = "[::1]:80"
workers = 3
trusted_proxies = ["10.0.0.0/8", "::1"]
[origin]
url = "https://origin.example"
[cache]
memory = "64M"
disk = 104857600
heuristic_fraction = 0.25
set_cookie = "rfc"
loss_bound = "500ms"
content_tags = false
ignore_query = ["utm_*", "fbclid"]
[log]
level = "debug"
)",
                                               "f.toml", settings);
  EXPECT_EQ(errors.lines, Lines{});
  EXPECT_EQ(settings.server.listen, (std::vector<ListenAddress>{{"[::1]:80"}}));
  EXPECT_EQ(settings.server.workers, 3U);
  EXPECT_EQ(settings.server.trusted_proxies, (Lines{"10.0.0.0/8", "::1"}));
  EXPECT_EQ(settings.origin.url, "https://origin.example");
  EXPECT_EQ(settings.cache.memory, 64 * kMiB);
  EXPECT_EQ(settings.cache.disk, 100 * kMiB);
  EXPECT_DOUBLE_EQ(settings.cache.heuristic_fraction, 0.25);
  EXPECT_EQ(settings.cache.set_cookie, SetCookiePolicy::kRfc);
  EXPECT_EQ(settings.cache.loss_bound, SettingMs{500});
  EXPECT_FALSE(settings.cache.content_tags);
  EXPECT_EQ(settings.cache.ignore_query, (Lines{"utm_*", "fbclid"}));
  EXPECT_EQ(settings.log.level, storage::LogLevel::kDebug);
  EXPECT_EQ(settings.cache.max_fills, Settings{}.cache.max_fills);
}

TEST(ConfigFile, SeveralAddressesToListenOn) {
  Settings settings;
  const char* const text =
      "[server]\nlisten = [\"[::]:80 v6only\", \"unix:/run/a,b mode=0600\"]\n"
      "[tls]\nlisten = \"127.0.0.1:443,[::1]:443\"\n";
  EXPECT_EQ(load_config_text(text, "f.toml", settings).lines, Lines{});
  ASSERT_EQ(settings.server.listen.size(), 2U);
  EXPECT_EQ(settings.server.listen[0], ListenAddress::parse("[::]:80 v6only").value());
  EXPECT_EQ(settings.server.listen[1].where, "unix:/run/a,b");
  EXPECT_EQ(settings.tls.listen, (std::vector<ListenAddress>{{"127.0.0.1:443"}, {"[::1]:443"}}));
  EXPECT_EQ(
      errors_of("[server]\nlisten = [\n\"127.0.0.1:80\",\n80]\n"),
      (Lines{
          "f.toml:2: server.listen: is an integer, not a string such as \"127.0.0.1:8080\", or an array of "
          "such strings"}));
  EXPECT_EQ(errors_of("[server]\n\nlisten = [\"127.0.0.1:80 fast\"]\n"),
            (Lines{"f.toml:3: server.listen: '127.0.0.1:80 fast': port is not a number from 0 to 65535"}));
}

TEST(ConfigFile, EveryMistakeIsReportedInTheOrderOfTheFile) {
  EXPECT_EQ(errors_of("listen = \"x\"\n"
                      "[server]\n"
                      "workers = 0\n"
                      "listen = 80\n"
                      "head_timeout = 10\n"
                      "wrokers = 3\n"
                      "trusted_proxies = [\"10.0.0.0/8\", 4]\n"
                      "[cahce]\n"
                      "memory = \"1G\"\n"
                      "[cache]\n"
                      "memory = \"12 parsecs\"\n"
                      "max_fills = 1.5\n"
                      "disk = true\n"
                      "dir = 1979-05-27\n"),
            (Lines{"f.toml:1: listen: unknown setting; it belongs into [server]",
                   "f.toml:3: server.workers: 0 is below the least allowed, 1",
                   std::string(
                       "f.toml:4: server.listen: is an integer, not a string such as \"127.0.0.1:8080\", ") +
                       "or an array of such strings",
                   "f.toml:5: server.head_timeout: is an integer, not a string such as \"10s\"",
                   "f.toml:6: server.wrokers: unknown setting; did you mean server.workers?",
                   "f.toml:7: server.trusted_proxies: is an integer, not an array of strings",
                   "f.toml:8: cahce: unknown table; did you mean [cache]?",
                   "f.toml:11: cache.memory: \"12 parsecs\" is not a size (try 256M)",
                   "f.toml:12: cache.max_fills: is a number with a fraction, not an integer",
                   "f.toml:13: cache.disk: is a boolean, not an integer (bytes) or a string such as \"256M\"",
                   "f.toml:14: cache.dir: is a date or time, not a string"}));
}

TEST(ConfigFile, ShapesThatAreNoTables) {
  EXPECT_EQ(errors_of("server = 3\n"),
            (Lines{"f.toml:1: server: is an integer; write it as the table [server]"}));
  EXPECT_EQ(errors_of("[[server]]\nworkers = 1\n"),
            (Lines{"f.toml:1: server: is an array; write it as the table [server]"}));
  EXPECT_EQ(errors_of("[server.listen]\nhost = 1\n").size(), 1U);
  EXPECT_EQ(errors_of("[server]\nworkers = -1\n"),
            (Lines{"f.toml:2: server.workers: \"-1\" is not a whole number (try 100)"}));
}

TEST(ConfigFile, SyntaxErrorsNameTheLine) {
  for (const char* text :
       {"[server]\n\nworkers = \n", "[server]\nworkers = 1\nworkers = 2\n", "\n\n[server\n"}) {
    const Lines lines = errors_of(text);
    ASSERT_EQ(lines.size(), 1U) << text;
    EXPECT_EQ(lines[0].substr(0, 10), "f.toml:3: ") << lines[0];
    EXPECT_EQ(lines[0].find('\n'), std::string::npos);
  }
}

TEST(ConfigFile, AFileWithAMistakeChangesNothing) {
  Settings settings;
  EXPECT_FALSE(load_config_text("[server]\nworkers = 5\n[cache]\nmemory = 0\n", "f", settings).ok());
  EXPECT_EQ(settings.server.workers, 0U);
}

TEST(ConfigFile, AFileThatCannotBeRead) {
  Settings settings;
  EXPECT_EQ(load_config_file("/nonexistent.toml", settings).lines,
            (Lines{"/nonexistent.toml: No such file or directory"}));
  EXPECT_EQ(load_config_file("/", settings).lines, (Lines{"/: Is a directory"}));
}

// The example with its settings taken out of their comments.
std::string uncommented(const std::string& example) {
  std::istringstream in(example);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const bool setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    out += (setting ? line.substr(1) : line) + "\n";
  }
  return out;
}

TEST(ConfigFile, TheExampleNamesEverySettingWithItsDefault) {
  const std::string example = example_config();
  Settings untouched;
  EXPECT_EQ(load_config_text(example, "example", untouched).lines, Lines{});
  Settings settings;
  EXPECT_EQ(load_config_text(uncommented(example), "example", settings).lines, Lines{});
  for (const SettingRow& row : setting_table()) {
    if (!row.computed_default.empty()) continue;
    EXPECT_EQ(setting_text(settings, row), setting_text(Settings{}, row)) << row.key;
  }
  EXPECT_FALSE(settings.origin.url.empty());
}

// With FRESHET_WRITE_EXAMPLE in the environment, writes the file anew.
TEST(ConfigFile, TheExampleInTheTreeIsTheOneOfTheTable) {
  const std::string path = FRESHET_SOURCE_ROOT "/deploy/freshet.toml";
  if (std::getenv("FRESHET_WRITE_EXAMPLE") != nullptr) std::ofstream(path) << example_config();
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), example_config()) << "run this test with FRESHET_WRITE_EXAMPLE=1 to write it anew";
}

}  // namespace
}  // namespace freshet::proxy
