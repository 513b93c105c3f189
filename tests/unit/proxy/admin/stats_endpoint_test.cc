#include "proxy/admin/stats_endpoint.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace freshet::proxy {
namespace {

using storage::Counter;

class Stats : public testing::Test {
 protected:
  Stats() {
    what_.counters = &counters_;
    what_.memory_budget = 256 << 20;
    what_.disk_budget = std::uint64_t{10} << 30;
    what_.workers = 2;
  }
  [[nodiscard]] std::string json() const { return stats_json(what_, what_.started + std::chrono::hours{25}); }

  storage::CounterSet counters_;
  StatsEndpoint what_;
};

TEST_F(Stats, EachTierItsOwn) {
  storage::Counters& counters = counters_.make();
  counters.add(Counter::kMemoryBytes, 1000);
  counters.add(Counter::kDiskWriteBytes, 1000);
  counters.add(Counter::kDiskFileBytes, 1250);
  counters.add(Counter::kPurges, 3);
  counters.add(Counter::kHits, 3);
  counters.add(Counter::kErrors);
  const auto read = nlohmann::json::parse(json());
  EXPECT_EQ(read["memory"]["bytes"], 1000);
  EXPECT_EQ(read["memory"]["budget"], 256 << 20);
  EXPECT_EQ(read["disk"]["write_amplification"], 1.25);
  EXPECT_EQ(read["invalidation"]["purges"], 3);
  EXPECT_EQ(read["edge"]["hit_ratio"], 0.75);
  EXPECT_EQ(read["edge"]["uptime_seconds"], 90000);
}

TEST_F(Stats, NothingYetIsZeroAndNoNumberElse) {
  const auto read = nlohmann::json::parse(json());
  EXPECT_EQ(read["disk"]["write_amplification"], 0);
  EXPECT_EQ(read["edge"]["hit_ratio"], 0);
}

TEST_F(Stats, TheTableHasUnits) {
  storage::Counters& counters = counters_.make();
  counters.add(Counter::kMemoryBytes, 1536);
  counters.add(Counter::kMemoryResponses, 1234567);
  counters.add(Counter::kMemoryHits, 999);
  const auto made = stats_table(json());
  ASSERT_TRUE(made.ok());
  const std::string& table = made.value();
  EXPECT_TRUE(table.starts_with("edge\n")) << table;
  EXPECT_NE(table.find("\n\nmemory\n  bytes                              1.5 KiB\n"), std::string::npos)
      << table;
  EXPECT_NE(table.find("1,234,567\n"), std::string::npos) << table;
  EXPECT_NE(table.find(" 999\n"), std::string::npos) << table;
  EXPECT_NE(table.find("1d 01:00:00\n"), std::string::npos) << table;
  EXPECT_NE(table.find("10.0 GiB\n"), std::string::npos) << table;
}

TEST_F(Stats, AnotherVersionsAnswer) {
  EXPECT_EQ(stats_table(R"({"memory":{"bytes":1,"new":2,"hits":"x"},"disk":3})").value(),
            "memory\n  bytes                                  1 B\n");
  EXPECT_FALSE(stats_table("not found").ok());
  EXPECT_EQ(stats_table("{}").value(), "");
}

}  // namespace
}  // namespace freshet::proxy
