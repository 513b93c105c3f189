#include "proxy/admin/top_view.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "proxy/admin/stats_endpoint.h"
#include "proxy/admin/top_endpoint.h"

namespace freshet::proxy {
namespace {

using storage::Counter;
using storage::Histogram;

constexpr std::chrono::seconds kBetween{2};

class TopView : public testing::Test {
 protected:
  TopView() {
    what_.counters = &counters_;
    what_.memory_budget = 256 << 20;
    what_.disk_budget = std::uint64_t{10} << 30;
    what_.workers = 2;
  }

  TopLook look() {
    const auto json = stats_json(what_, what_.started + std::chrono::hours{1} + passed_);
    auto read = read_top_look(json, top_json(targets_), storage::MonoTime{} + passed_);
    EXPECT_TRUE(read.ok());
    passed_ += kBetween;
    return read.take();
  }
  static std::string text_of(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }
  void use(const std::string& target, std::uint64_t requests, std::uint64_t hits, std::uint64_t bytes,
           std::chrono::milliseconds time, std::uint64_t overcount = 0) {
    targets_.push_back({target, requests, overcount, hits, bytes, time});
  }
  // In the order in which they are shown.
  static std::vector<std::string> targets_in(const std::vector<std::string>& lines) {
    std::vector<std::string> names;
    bool heading_seen = false;
    for (const std::string& line : lines) {
      if (heading_seen) names.push_back(line.substr(line.rfind(' ') + 1));
      if (line.ends_with("  TARGET")) heading_seen = true;
    }
    return names;
  }

  storage::CounterSet counters_;
  StatsEndpoint what_;
  std::vector<TargetUse> targets_;
  std::chrono::milliseconds passed_{0};
};

TEST_F(TopView, RatesOfWhatHappenedInBetween) {
  storage::Counters& counters = counters_.make();
  counters.add(Counter::kHits, 1000);
  counters.observe(Histogram::kFirstByteHit, 90'000'000);
  const TopLook before = look();
  counters.add(Counter::kHits, 30);
  counters.add(Counter::kMisses, 10);
  counters.add(Counter::kOriginRequests, 3);
  counters.add(Counter::kMemoryBytes, 1536);
  for (int i = 0; i < 10; ++i) counters.observe(Histogram::kFirstByteMiss, 2'000);
  const std::string text = text_of(top_view(before, look(), {TopSort::kRequests, 100, 200}));
  EXPECT_NE(text.find(", up 0d 01:00:02, 2 workers; the last 2.0 s, sorted by requests\n"), text.npos)
      << text;
  EXPECT_NE(text.find("clients         20 requests/s   hits 75.0 %"), text.npos) << text;
  EXPECT_NE(text.find("origin         1.5 requests/s"), text.npos) << text;
  EXPECT_NE(text.find("memory     1.5 KiB of 256.0 MiB"), text.npos) << text;
  EXPECT_NE(text.find("\nhit                  15    75.0                        -          -\n"), text.npos)
      << text;
  EXPECT_NE(text.find("\nmiss                5.0    25.0                     1.75       2.49\n"), text.npos)
      << text;
  EXPECT_EQ(text.find("pass"), text.npos) << text;
}

TEST_F(TopView, TargetsByWhatIsAskedFor) {
  use("h/a", 100, 100, 10, std::chrono::milliseconds{100});
  const TopLook before = look();
  targets_.clear();
  use("h/a", 110, 110, 20, std::chrono::milliseconds{110});    // 10 hits, 10 bytes, 1 ms each
  use("h/b", 6, 0, 600, std::chrono::milliseconds{12});        // 6 misses, 2 ms each
  use("h/c", 103, 3, 30, std::chrono::milliseconds{30}, 100);  // 3 that are its own, 10 ms each
  use("h/gone", 0, 0, 0, std::chrono::milliseconds{0});
  const TopLook now = look();
  const auto shown = [&](TopSort sort) { return targets_in(top_view(before, now, {sort, 100, 200})); };
  using Names = std::vector<std::string>;
  EXPECT_EQ(shown(TopSort::kRequests), (Names{"h/a", "h/b", "h/c"}));
  EXPECT_EQ(shown(TopSort::kBytes), (Names{"h/b", "h/c", "h/a"}));
  EXPECT_EQ(shown(TopSort::kMisses), (Names{"h/b", "h/a", "h/c"}));
  EXPECT_EQ(shown(TopSort::kTime), (Names{"h/c", "h/b", "h/a"}));
}

TEST_F(TopView, AnEdgeThatWasRestartedBeginsAnew) {
  storage::Counters& counters = counters_.make();
  counters.add(Counter::kHits, 1000);
  TopLook before = look();
  before.values["edge.uptime_seconds"] = 1e6;
  const std::string text = text_of(top_view(before, look(), {TopSort::kRequests, 100, 200}));
  EXPECT_NE(text.find("clients        500 requests/s"), text.npos) << text;
}

TEST_F(TopView, FitsTheScreenAndSaysNothingToTheTerminal) {
  const TopLook before = look();
  for (int i = 0; i < 50; ++i)
    use("h/" + std::to_string(i) + "\x1b[2J\n\xc3\xa9\xff" + std::string(300, 'x'), 1, 0, 0, {});
  const auto lines = top_view(before, look(), {TopSort::kRequests, 20, 72});
  EXPECT_EQ(lines.size(), 20U);
  for (const std::string& line : lines) {
    EXPECT_LE(line.size(), 72U);
    for (const char c : line) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
  }
}

TEST_F(TopView, AnotherVersionsAnswers) {
  EXPECT_FALSE(read_top_look("nothing", "{}", {}).ok());
  EXPECT_FALSE(read_top_look("{}", "nothing", {}).ok());
  const auto empty = read_top_look(
      R"({"version":1,"edge":3,"latency":{"bounds":[1,"x"],"first_byte":{"hit":{"buckets":[1]},"miss":2}}})",
      R"({"targets":[1,{"target":2},{"target":"h/"}]})", {});
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty.value().targets.size(), 1U);
  EXPECT_FALSE(top_view(empty.value(), empty.value(), {}).empty());
}

TEST(BucketQuantile, InterpolatesWithinABucket) {
  const std::vector<double> bounds = {1, 2, 4};
  EXPECT_EQ(bucket_quantile(bounds, {0, 0, 0, 0}, 0.5), std::nullopt);
  EXPECT_EQ(bucket_quantile(bounds, {10, 0, 0, 0}, 0.5), 0.5);
  EXPECT_EQ(bucket_quantile(bounds, {5, 0, 5, 0}, 0.5), 1.0);
  EXPECT_EQ(bucket_quantile(bounds, {0, 0, 10, 0}, 0.5), 3.0);
  EXPECT_EQ(bucket_quantile(bounds, {0, 0, 0, 10}, 0.5), 4.0);  // beyond the last bound there is none
}

TEST(TopSorts, HaveNames) {
  for (const TopSort sort : {TopSort::kRequests, TopSort::kBytes, TopSort::kMisses, TopSort::kTime}) {
    EXPECT_EQ(top_sort_of(top_sort_name(sort)), sort);
  }
  EXPECT_EQ(top_sort_of("request"), std::nullopt);
}

}  // namespace
}  // namespace freshet::proxy
