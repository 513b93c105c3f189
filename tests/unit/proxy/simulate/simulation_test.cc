#include "proxy/simulate/simulation.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "proxy/simulate/simulation_report.h"
#include "storage/eviction/eviction_policy.h"
#include "tests/unit/proxy/simulate/trace_of.h"

namespace freshet::proxy {
namespace {

SimulationOptions options_of(std::vector<std::string> policies, std::vector<SizeWish> sizes) {
  SimulationOptions options;
  options.policies = std::move(policies);
  options.sizes = std::move(sizes);
  return options;
}

TEST(Simulation, ARowForEachSizeAndPolicy) {
  const Trace trace = trace_of("abcabcd", 100);
  const auto rows = simulate_all(trace, options_of({"lru", "bound"}, {{"50%", 0, 50}, {"300", 300, 0}}));
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].policy, "lru");
  EXPECT_EQ(rows[0].size, "50%");
  EXPECT_EQ(rows[0].cache.capacity, 200U);
  EXPECT_EQ(rows[0].result.hits, 0U);
  EXPECT_EQ(rows[1].policy, "bound");
  EXPECT_EQ(rows[1].cache.capacity, 200U);
  EXPECT_EQ(rows[2].cache.capacity, 300U);
  EXPECT_EQ(rows[2].result.hits, 3U);
}

TEST(Simulation, APercentageIsAtLeastAByte) {
  EXPECT_EQ(simulate_all(trace_of("ab"), options_of({"lru"}, {{"1%", 0, 1}}))[0].cache.capacity, 1U);
}

TEST(Simulation, TheShippedPolicyIsOneOfThem) {
  const auto names = simulation_policy_names();
  EXPECT_NE(std::find(names.begin(), names.end(), storage::kShippedPolicy), names.end());
  const std::vector<std::string_view> last(names.end() - 3, names.end());
  EXPECT_EQ(last, (std::vector<std::string_view>{"belady", "belady-size", "bound"}));
}

LoadedTrace small_trace() {
  LoadedTrace loaded;
  loaded.trace = trace_of("abcab", 1024);
  loaded.bad_lines = 1;
  loaded.left_out = 2;
  return loaded;
}

TEST(Simulation, Table) {
  const LoadedTrace loaded = small_trace();
  const auto rows = simulate_all(loaded.trace, options_of({"lru"}, {{"100%", 0, 100}}));
  EXPECT_EQ(
      simulation_table(loaded, rows),
      "5 requests of 5.00 KiB, 3 objects; footprint 3.00 KiB; left out 2 lines; skipped 1 bad line\n"
      "\n"
      "policy  size     bytes  hit ratio  byte hit ratio  hits  origin requests  origin bytes  evictions\n"
      "lru     100%  3.00 KiB    40.00 %         40.00 %     2                3      3.00 KiB          0\n");
}

TEST(Simulation, Json) {
  const LoadedTrace loaded = small_trace();
  const auto rows = simulate_all(loaded.trace, options_of({"lru", "belady"}, {{"1KiB", 1024, 0}}));
  const auto json = nlohmann::json::parse(simulation_json(loaded, rows));
  EXPECT_EQ(json["trace"]["requests"], 5);
  EXPECT_EQ(json["trace"]["footprint"], 3072);
  EXPECT_EQ(json["trace"]["bad_lines"], 1);
  EXPECT_EQ(json["trace"]["left_out"], 2);
  EXPECT_EQ(json["shipped"], std::string(storage::kShippedPolicy));
  ASSERT_EQ(json["results"].size(), 2U);
  EXPECT_EQ(json["results"][0]["policy"], "lru");
  EXPECT_EQ(json["results"][0]["capacity"], 1024);
  EXPECT_EQ(json["results"][0]["origin_requests"], 5);
  EXPECT_EQ(json["results"][1]["hits"], 1);
  EXPECT_EQ(json["results"][1]["hit_ratio"], 0.2);
}

TEST(Simulation, ReadableBytes) {
  EXPECT_EQ(readable_bytes(0), "0 B");
  EXPECT_EQ(readable_bytes(1023), "1023 B");
  EXPECT_EQ(readable_bytes(1024), "1.00 KiB");
  EXPECT_EQ(readable_bytes(15 * 1024), "15.0 KiB");
  EXPECT_EQ(readable_bytes(std::uint64_t{300} << 30), "300 GiB");
}

}  // namespace
}  // namespace freshet::proxy
