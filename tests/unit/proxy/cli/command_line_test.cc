#include "proxy/cli/command_line.h"

#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace freshet::proxy {
namespace {

using Words = std::vector<const char*>;

Surroundings surroundings() {
  Surroundings found;
  found.cores = 4;
  found.home = "/home/u";
  return found;
}

Command parse(Words words) {
  words.insert(words.begin(), "freshet");
  return parse_command_line(static_cast<int>(words.size()), words.data(), surroundings());
}

Settings settings_of(const Words& words) {
  const Command command = parse(words);
  const auto* const run = std::get_if<RunCommand>(&command);
  if (run != nullptr) return run->settings;
  const auto* const failure = std::get_if<FailedCommand>(&command);
  ADD_FAILURE() << (failure != nullptr ? failure->lines.front() : "not a run");
  return {};
}

// The one line of a usage error.
std::string error_of(const Words& words) {
  const Command command = parse(words);
  const auto* const failure = std::get_if<FailedCommand>(&command);
  if (failure == nullptr) return "no error";
  EXPECT_EQ(failure->lines.size(), 1U);
  EXPECT_EQ(failure->lines.front().find('\n'), std::string::npos);
  return failure->lines.front();
}

std::string printed_by(const Words& words) {
  const Command command = parse(words);
  const auto* const print = std::get_if<PrintCommand>(&command);
  return print == nullptr ? "" : print->text;
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) {
    path_ = testing::TempDir() + "freshet_cli_test_" + std::to_string(::getpid()) + ".toml";
    std::ofstream(path_) << text;
  }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  ~ConfigFile() { std::remove(path_.c_str()); }
  [[nodiscard]] const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

TEST(CommandLine, AnOriginIsEnough) {
  const Settings settings = settings_of({"run", "--origin", "http://127.0.0.1:3000"});
  EXPECT_EQ(settings.origin.url, "http://127.0.0.1:3000");
  EXPECT_EQ(settings.server.listen, (std::vector<ListenAddress>{{"127.0.0.1:8080"}}));
  EXPECT_EQ(settings.server.workers, 4U);
  EXPECT_EQ(settings.cache.dir, "/home/u/.cache/freshet");
  EXPECT_EQ(settings.admin.socket, "/home/u/.cache/freshet/admin.sock");
  EXPECT_TRUE(settings.admin.listen.empty());
}

TEST(CommandLine, EveryFlag) {
  const Settings settings = settings_of({"run",         "--origin=https://a",
                                         "--listen",    "[::1]:0",
                                         "--cache-dir", "/c",
                                         "--memory",    "64M",
                                         "--disk",      "1G",
                                         "--workers",   "2",
                                         "--admin",     "127.0.0.1:9180",
                                         "--set",       "log.level=debug",
                                         "--set",       "server.trusted_proxies=10.0.0.0/8,::1",
                                         "--set",       "cache.max_fills=1",
                                         "--set",       "cache.max_fills=2"});
  EXPECT_EQ(settings.origin.url, "https://a");
  EXPECT_EQ(settings.server.listen, (std::vector<ListenAddress>{{"[::1]:0"}}));
  EXPECT_EQ(settings.cache.dir, "/c");
  EXPECT_EQ(settings.cache.memory, 64 * kMiB);
  EXPECT_EQ(settings.cache.disk, kGiB);
  EXPECT_EQ(settings.server.workers, 2U);
  EXPECT_EQ(settings.admin.listen, (HostPort{"127.0.0.1", 9180}));
  EXPECT_EQ(settings.log.level, storage::LogLevel::kDebug);
  EXPECT_EQ(settings.server.trusted_proxies.size(), 2U);
  EXPECT_EQ(settings.cache.max_fills, 2U);
}

TEST(CommandLine, FlagsWinOverTheFileAndTheFileOverDefaults) {
  const ConfigFile file(
      "[server]\nworkers = 7\n[origin]\nurl = \"http://file\"\n[cache]\nmemory = \"8M\"\n"
      "[log]\nlevel = \"error\"\n");
  const Settings settings =
      settings_of({"run", "--config", file.path(), "--workers", "3", "--set", "log.level=warn"});
  EXPECT_EQ(settings.server.workers, 3U);
  EXPECT_EQ(settings.log.level, storage::LogLevel::kWarning);
  EXPECT_EQ(settings.origin.url, "http://file");
  EXPECT_EQ(settings.cache.memory, 8 * kMiB);
  EXPECT_EQ(settings.cache.disk, Settings{}.cache.disk);
}

TEST(CommandLine, UsageErrors) {
  const char* const origin = "--origin=http://a:1";
  EXPECT_EQ(error_of({}),
            "freshet: no command; `freshet run --origin URL` serves, `freshet --help` tells more");
  EXPECT_EQ(error_of({"rum"}), "freshet: \"rum\" is no command; did you mean run?");
  EXPECT_EQ(error_of({"serve"}),
            "freshet: \"serve\" is no command; the commands are run, check, simulate, purge, reload, stats, "
            "upgrade, "
            "top and explain");
  EXPECT_EQ(error_of({"run"}),
            "freshet: no origin: give --origin URL, or url in the [origin] table of the configuration file");
  EXPECT_EQ(error_of({"run", "--orign", "http://x"}),
            "freshet: \"--orign\" is no option; did you mean --origin?");
  EXPECT_EQ(error_of({"run", "--orign=http://x"}),
            "freshet: \"--orign\" is no option; did you mean --origin?");
  EXPECT_EQ(error_of({"run", "--bogus"}), "freshet: \"--bogus\" is no option; --help lists them");
  EXPECT_EQ(error_of({"run", origin, "extra"}), "freshet: \"extra\" is not expected here");
  EXPECT_EQ(error_of({"-x"}), "freshet: \"-x\" is not expected here");
  EXPECT_EQ(error_of({"run", "--origin", "x"}),
            "freshet: --origin: \"x\" is no origin: it must begin with http:// or https:// (try "
            "http://127.0.0.1:3000)");
  EXPECT_EQ(error_of({"run", origin, "--memory", "12 parsecs"}),
            "freshet: --memory: \"12 parsecs\" is not a size (try 256M)");
  EXPECT_EQ(error_of({"run", origin, "--workers", "0"}),
            "freshet: --workers: 0 is below the least allowed, 1");
  EXPECT_EQ(error_of({"run", origin, "--set", "cahce.memory=1G"}),
            "freshet: --set cahce.memory: unknown setting; did you mean cache.memory?");
  EXPECT_EQ(error_of({"run", origin, "--set", "cache.memory"}),
            "freshet: --set \"cache.memory\": is not NAME=VALUE");
  EXPECT_EQ(error_of({"run", origin, "--memory", "1G", "--set", "cache.memory=1G"}),
            "freshet: --set cache.memory: is also given by --memory");
  EXPECT_EQ(error_of({"run", origin, origin}), "freshet: --origin: is given more than once");
  const Command together = parse({"run", origin, "--set", "server.max_head=1K"});
  ASSERT_TRUE(std::holds_alternative<FailedCommand>(together));
  EXPECT_EQ(
      std::get<FailedCommand>(together).lines,
      (std::vector<std::string>{"freshet: server.max_request_line: 16K is more than server.max_head, 1K",
                                "freshet: server.max_field: 16K is more than server.max_head, 1K"}));
  EXPECT_EQ(error_of({"check"}), "freshet: --config is required");
  EXPECT_EQ(error_of({"run", "--origin"}).substr(0, 19), "freshet: --origin: ");
}

TEST(CommandLine, MistakesInTheFile) {
  const ConfigFile file("[server]\nworkers = 0\n[cache]\nmemroy = 3\n");
  const std::string first = std::string(file.path()) + ":2: server.workers: 0 is below the least allowed, 1";
  const std::string second =
      std::string(file.path()) + ":4: cache.memroy: unknown setting; did you mean cache.memory?";
  const Command run = parse({"run", "--config", file.path()});
  ASSERT_TRUE(std::holds_alternative<FailedCommand>(run));
  EXPECT_EQ(std::get<FailedCommand>(run).lines,
            (std::vector<std::string>{"freshet: " + first, "freshet: " + second}));
  const Command check = parse({"check", "--config", file.path()});
  ASSERT_TRUE(std::holds_alternative<FailedCommand>(check));
  EXPECT_EQ(std::get<FailedCommand>(check).lines, (std::vector<std::string>{first, second}));
}

TEST(CommandLine, CheckSaysOk) {
  const ConfigFile file("[server]\nworkers = 1\n");
  EXPECT_EQ(printed_by({"check", "--config", file.path()}), std::string(file.path()) + ": ok\n");
}

TEST(CommandLine, CheckLooksAtSettingsTogether) {
  const ConfigFile file("[server]\nmax_head = \"1K\"\nmax_field = \"1K\"\n");
  EXPECT_EQ(error_of({"check", "--config", file.path()}),
            std::string(file.path()) + ": server.max_request_line: 16K is more than server.max_head, 1K");
}

TEST(CommandLine, VersionAndHelp) {
  EXPECT_EQ(printed_by({"--version"}), "freshet " FRESHET_VERSION "\n");
  EXPECT_NE(printed_by({"--help"}).find("check"), std::string::npos);
  const std::string help = printed_by({"run", "--help"});
  for (const char* word : {"--origin URL", "--listen HOST:PORT", "--cache-dir DIR", "--memory SIZE",
                           "--disk SIZE", "--workers N", "--admin HOST:PORT", "--config FILE",
                           "--set NAME=VALUE", "cache.heuristic_max=TIME", "Default: 127.0.0.1:8080"}) {
    EXPECT_NE(help.find(word), std::string::npos) << word;
  }
}

template <typename T>
T command_of(const Words& words) {
  const Command command = parse(words);
  const auto* const found = std::get_if<T>(&command);
  const auto* const failure = std::get_if<FailedCommand>(&command);
  EXPECT_NE(found, nullptr) << (failure != nullptr ? failure->lines.front() : "another command");
  return found != nullptr ? *found : T{};
}

TEST(CommandLine, PurgeMixesScopes) {
  const auto command =
      command_of<PurgeCommand>({"purge", "http://a/", "--tag", "t", "https://b/", "--tag=u", "--prefix",
                                "http://a/d/", "--host", "c", "--soft", "--wait"});
  EXPECT_EQ(command.order.urls, (std::vector<std::string>{"http://a/", "https://b/"}));
  EXPECT_EQ(command.order.tags, (std::vector<std::string>{"t", "u"}));
  EXPECT_EQ(command.order.prefixes, std::vector<std::string>{"http://a/d/"});
  EXPECT_EQ(command.order.hosts, std::vector<std::string>{"c"});
  EXPECT_TRUE(command.order.soft);
  EXPECT_TRUE(command.wait);
  EXPECT_FALSE(command.order.all);
  EXPECT_FALSE(command.json);
  EXPECT_EQ(command.edge.socket, "/home/u/.cache/freshet/admin.sock");
}

TEST(CommandLine, PurgeSaysAllThatIsWrongWithItsScopes) {
  const Command command = parse({"purge", "example.com/a", "http://b/", "--prefix", "http://a/b"});
  const auto* const failure = std::get_if<FailedCommand>(&command);
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->lines, (std::vector<std::string>{
                                "freshet: \"example.com/a\" has no scheme; write http://... or https://...",
                                "freshet: \"http://a/b\" does not end with /"}));
  EXPECT_EQ(error_of({"purge"}), "freshet: nothing to purge: give URLs, --prefix, --host, --tag or --all");
  EXPECT_EQ(error_of({"stats", "--admin", "a:1", "--admin", "a:2"}),
            "freshet: --admin: is given more than once");
  EXPECT_EQ(error_of({"purge", "--al"}), "freshet: \"--al\" is no option; did you mean --all?");
  EXPECT_EQ(error_of({"prge"}), "freshet: \"prge\" is no command; did you mean purge?");
  EXPECT_EQ(error_of({"stats", "http://a/"}), "freshet: \"http://a/\" is not expected here");
}

TEST(CommandLine, TheEdgeIsFoundByDirectoryFileOrAddress) {
  EXPECT_EQ(command_of<StatsCommand>({"stats", "--cache-dir", "/c"}).edge.socket, "/c/admin.sock");
  const ConfigFile file("[cache]\ndir = \"/d\"\n[admin]\ntoken = \"0123456789abcdef\"\n");
  const auto by_file = command_of<StatsCommand>({"stats", "--config", file.path(), "--json"});
  EXPECT_EQ(by_file.edge.socket, "/d/admin.sock");
  EXPECT_EQ(by_file.edge.token, "0123456789abcdef");
  EXPECT_TRUE(by_file.json);
  EXPECT_TRUE(by_file.edge.tcp.empty());
  const auto by_address = command_of<StatsCommand>({"stats", "--admin", "[::1]:9180", "--token", "x"});
  EXPECT_EQ(by_address.edge.tcp, (HostPort{"::1", 9180}));
  EXPECT_EQ(by_address.edge.token, "x");
  EXPECT_EQ(by_address.edge.text(), "[::1]:9180");
  EXPECT_EQ(error_of({"stats", "--admin", "here"}).substr(0, 18), "freshet: --admin: ");
  EXPECT_EQ(error_of({"stats", "--admin", "a:1", "--cache-dir", "/c"}),
            "freshet: --admin and --cache-dir name two ways to the edge; give one");
  EXPECT_NE(error_of({"stats", "--config", "/nonexistent.toml"}).find("/nonexistent.toml"),
            std::string::npos);
}

TEST(CommandLine, Reload) {
  EXPECT_EQ(command_of<ReloadCommand>({"reload", "--cache-dir", "/c"}).edge.socket, "/c/admin.sock");
  EXPECT_TRUE(command_of<ReloadCommand>({"reload", "--json"}).json);
  const ConfigFile file("[cache]\ndir = 1\nmemory = \"x\"\n");
  const Command wrong = parse({"reload", "--config", file.path()});
  ASSERT_TRUE(std::holds_alternative<FailedCommand>(wrong));
  EXPECT_EQ(std::get<FailedCommand>(wrong).lines.size(), 2U);
  EXPECT_EQ(std::get<FailedCommand>(wrong).status, kEdgeFailedExitStatus);
}

TEST(CommandLine, Top) {
  const auto plain = command_of<TopCommand>({"top", "--cache-dir", "/c"});
  EXPECT_EQ(plain.edge.socket, "/c/admin.sock");
  EXPECT_EQ(plain.interval, std::chrono::seconds{1});
  EXPECT_EQ(plain.sort, TopSort::kRequests);
  EXPECT_FALSE(plain.once);
  const auto all = command_of<TopCommand>(
      {"top", "--admin", "a:1", "--token", "x", "--interval", "250ms", "--sort", "misses", "--once"});
  EXPECT_EQ(all.interval, std::chrono::milliseconds{250});
  EXPECT_EQ(all.sort, TopSort::kMisses);
  EXPECT_TRUE(all.once);
  EXPECT_EQ(error_of({"top", "--interval", "1h"}), "freshet: --interval: 1h is not from 100ms to 9s");
  EXPECT_EQ(error_of({"top", "--sort", "size"}),
            "freshet: --sort: \"size\" is not one of requests, bytes, misses or time");
  EXPECT_EQ(error_of({"top", "--json"}), "freshet: \"--json\" is no option; --help lists them");
}

TEST(CommandLine, TheTokenMayComeFromTheEnvironment) {
  Surroundings found = surroundings();
  found.admin_token = "of the environment";
  const Words words = {"freshet", "stats", "--admin", "127.0.0.1:1"};
  const Command command = parse_command_line(static_cast<int>(words.size()), words.data(), found);
  EXPECT_EQ(std::get<StatsCommand>(command).edge.token, "of the environment");
}

}  // namespace
}  // namespace freshet::proxy
