#include "proxy/admin/metrics_endpoint.h"

#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace freshet::proxy {
namespace {

// What a text in Prometheus' format says; fails the test where the format does not allow it: each family has
// HELP, then TYPE, then its samples, once; names, types and values are well formed; counters end in _total.
std::map<std::string, std::string> parse_metrics(const std::string& text) {
  static const std::regex kHelp("# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)");
  static const std::regex kType("# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)");
  static const std::regex kSample(
      R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z_]+="[^"\\\n]*"\})? (-?[0-9]+(\.[0-9]+)?))");
  std::map<std::string, std::string> values;
  std::set<std::string> families;
  std::string family;
  EXPECT_EQ(text.back(), '\n');
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kHelp)) {
      family = match[1];
      EXPECT_TRUE(families.insert(family).second) << "twice: " << family;
    } else if (std::regex_match(line, match, kType)) {
      EXPECT_EQ(match[1], family);
      const bool total = family.size() > 6 && family.substr(family.size() - 6) == "_total";
      EXPECT_EQ(total, match[2] == "counter") << family;
    } else if (std::regex_match(line, match, kSample)) {
      EXPECT_EQ(match[1], family);
      EXPECT_TRUE(values.emplace(match[1].str() + match[2].str(), match[3]).second) << line;
    } else {
      ADD_FAILURE() << "not in the format: " << line;
    }
  }
  EXPECT_EQ(values.size(), families.size());
  return values;
}

TEST(Metrics, EveryCounterAppearsWithItsSum) {
  storage::CounterSet counters;
  storage::Counters& one = counters.make();
  storage::Counters& two = counters.make();
  for (std::size_t i = 0; i < static_cast<std::size_t>(storage::Counter::kCount); ++i) {
    one.add(static_cast<storage::Counter>(i), static_cast<std::int64_t>(1000 * i));
    two.add(static_cast<storage::Counter>(i), 7);
  }
  StandardEndpoints what;
  what.counters = &counters;
  const auto values = parse_metrics(metrics_text(what));
  for (std::size_t i = 0; i < static_cast<std::size_t>(storage::Counter::kCount); ++i) {
    const std::string name =
        "freshet_" + std::string(storage::counter_info(static_cast<storage::Counter>(i)).name);
    ASSERT_TRUE(values.count(name) == 1) << name;
    EXPECT_EQ(values.at(name), std::to_string(1000 * i + 7)) << name;
  }
}

TEST(Metrics, BuildProcessAndExtraValues) {
  StandardEndpoints what;
  what.started = storage::WallTime{storage::Milliseconds{1'795'367'887'007}};
  what.extra.push_back({"log_lines_dropped_total", "counter", "Lines \\ lost\nfor ever.", [] { return 3; }});
  const std::string text = metrics_text(what);
  const auto values = parse_metrics(text);
  EXPECT_EQ(values.at("freshet_build_info{version=\"" FRESHET_VERSION "\"}"), "1");
  EXPECT_EQ(values.at("process_start_time_seconds"), "1795367887.007");
  EXPECT_EQ(values.at("freshet_log_lines_dropped_total"), "3");
  EXPECT_NE(text.find("Lines \\\\ lost\\nfor ever."), std::string::npos);
  EXPECT_GT(std::stoll(values.at("process_resident_memory_bytes")), 0);
}

}  // namespace
}  // namespace freshet::proxy
