#include "proxy/admin/metrics_endpoint.h"

#include <gtest/gtest.h>
#include <map>
#include <string>

#include "proxy/admin/metrics_writer.h"
#include "tests/unit/proxy/admin/metrics_lint.h"

namespace freshet::proxy {
namespace {

// The samples of a text in Prometheus' format, which lint_metrics() has found good.
std::map<std::string, std::string> parse_metrics(const std::string& text) {
  const MetricsLint lint(text);
  for (const std::string& finding : lint.findings()) ADD_FAILURE() << finding;
  return lint.values();
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

TEST(Metrics, AHistogramsBucketsAreCumulated) {
  storage::CounterSet counters;
  storage::Counters& one = counters.make();
  one.observe(storage::Histogram::kDurationMiss, 90);
  one.observe(storage::Histogram::kDurationMiss, 2'400);
  counters.make().observe(storage::Histogram::kDurationMiss, 70'000'000);
  one.observe(storage::Histogram::kBodySize, 1024);
  StandardEndpoints what;
  what.counters = &counters;
  const std::string text = metrics_text(what);
  const auto values = parse_metrics(text);
  const std::string name = "freshet_request_duration_seconds";
  const auto bucket = [&](const std::string& bound) {
    return values.at(name + "_bucket{outcome=\"miss\",le=\"" + bound + "\"}");
  };
  EXPECT_EQ(bucket("0.0001"), "1");
  EXPECT_EQ(bucket("0.001"), "1");
  EXPECT_EQ(bucket("0.0025"), "2");
  EXPECT_EQ(bucket("60"), "2");
  EXPECT_EQ(bucket("+Inf"), "3");
  EXPECT_EQ(values.at(name + "_sum{outcome=\"miss\"}"), "70.00249");
  EXPECT_EQ(values.at(name + "_count{outcome=\"miss\"}"), "3");
  EXPECT_EQ(values.at("freshet_response_body_bytes_bucket{le=\"512\"}"), "0");
  EXPECT_EQ(values.at("freshet_response_body_bytes_bucket{le=\"1024\"}"), "1");
  EXPECT_EQ(values.at("freshet_response_body_bytes_sum"), "1024");
}

TEST(Metrics, TheLintFindsWhatPromtoolWould) {
  const auto findings = [](const std::string& text) { return MetricsLint(text).findings(); };
  const auto one = [](const std::string& name, const std::string& type) {
    return "# HELP " + name + " What.\n# TYPE " + name + " " + type + "\n" + name + " 1\n";
  };
  EXPECT_TRUE(findings(one("a_bytes", "gauge")).empty());
  EXPECT_EQ(findings("a_bytes 1\n").size(), 1U);                          // no HELP, no TYPE
  EXPECT_EQ(findings(one("a_bytes", "counter")).size(), 1U);              // without _total
  EXPECT_EQ(findings(one("a_total", "gauge")).size(), 1U);                // with it
  EXPECT_EQ(findings(one("a_count", "gauge")).size(), 1U);                // of histograms
  EXPECT_EQ(findings(one("a_milliseconds", "gauge")).size(), 1U);         // not the base unit
  EXPECT_EQ(findings(one("a_ms", "gauge")).size(), 1U);                   // abbreviated
  EXPECT_EQ(findings(one("a_gauge", "gauge")).size(), 1U);                // the type in the name
  EXPECT_EQ(findings(one("aB", "gauge")).size(), 1U);                     // camel case
  EXPECT_EQ(findings(one("a:b", "gauge")).size(), 1U);                    // of recording rules
  EXPECT_EQ(findings(one("a", "gauge") + one("a", "gauge")).size(), 2U);  // twice: the family, the sample
}

TEST(Metrics, DecimalDigits) {
  EXPECT_EQ(decimal_text(0, 1000), "0");
  EXPECT_EQ(decimal_text(1'234'567, 1'000'000), "1.234567");
  EXPECT_EQ(decimal_text(100, 1'000'000), "0.0001");
  EXPECT_EQ(decimal_text(-5, 1000), "-0.005");
  EXPECT_EQ(decimal_text(-1500, 1000), "-1.5");
  EXPECT_EQ(decimal_text(42, 1), "42");
}

TEST(Metrics, BuildProcessAndExtraValues) {
  StandardEndpoints what;
  what.started = storage::WallTime{storage::Milliseconds{1'795'367'887'007}};
  what.extra.push_back({"log_lines_dropped_total", "counter", "Lines \\ lost\nfor ever.", [] { return 3; }});
  what.extra.push_back({"turn_seconds", "gauge", "A turn.", [] { return 1'500; }, 1'000'000});
  const std::string text = metrics_text(what);
  const auto values = parse_metrics(text);
  EXPECT_EQ(values.at("freshet_build_info{version=\"" FRESHET_VERSION "\"}"), "1");
  EXPECT_EQ(values.at("process_start_time_seconds"), "1795367887.007");
  EXPECT_EQ(values.at("freshet_log_lines_dropped_total"), "3");
  EXPECT_EQ(values.at("freshet_turn_seconds"), "0.0015");
  EXPECT_GT(std::stoll(values.at("process_open_fds")), 2);
  EXPECT_NE(text.find("Lines \\\\ lost\\nfor ever."), std::string::npos);
  EXPECT_GT(std::stoll(values.at("process_resident_memory_bytes")), 0);
}

}  // namespace
}  // namespace freshet::proxy
