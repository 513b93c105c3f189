#include "proxy/simulate/generator.h"

#include <cmath>
#include <gtest/gtest.h>
#include <map>

#include "proxy/simulate/random.h"

namespace freshet::proxy {
namespace {

std::vector<GeneratedRequest> requests_of(const GeneratorOptions& options) {
  const auto generator = make_generator(options);
  std::vector<GeneratedRequest> all;
  for (std::uint64_t i = 0; i < options.requests; ++i) all.push_back(generator->next());
  return all;
}

GeneratorOptions options_of(std::string_view kind, std::uint64_t requests, std::uint64_t objects,
                            std::uint64_t seed = 1) {
  GeneratorOptions options;
  options.kind = kind;
  options.requests = requests;
  options.objects = objects;
  options.seed = seed;
  return options;
}

std::map<std::uint64_t, std::uint64_t> counts_of(const std::vector<GeneratedRequest>& requests) {
  std::map<std::uint64_t, std::uint64_t> counts;
  for (const GeneratedRequest& request : requests) ++counts[request.object];
  return counts;
}

bool equal(const std::vector<GeneratedRequest>& a, const std::vector<GeneratedRequest>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.object == y.object && x.size == y.size && x.time == y.time;
  });
}

TEST(Random, IsSplitmix64) {
  // The generator's published first values for this seed.
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
}

TEST(Generator, TheSameSeedGivesTheSameAnotherAnother) {
  for (const std::string_view kind : generator_names()) {
    const auto first = requests_of(options_of(kind, 2000, 100));
    EXPECT_TRUE(equal(first, requests_of(options_of(kind, 2000, 100)))) << kind;
    EXPECT_FALSE(equal(first, requests_of(options_of(kind, 2000, 100, 2)))) << kind;
  }
}

TEST(Generator, AnObjectHasOneSizeAndTimeGoesOn) {
  for (const std::string_view kind : generator_names()) {
    std::map<std::uint64_t, std::uint64_t> sizes;
    std::int64_t time = 0;
    for (const GeneratedRequest& request : requests_of(options_of(kind, 5000, 300))) {
      EXPECT_EQ(sizes.try_emplace(request.object, request.size).first->second, request.size) << kind;
      EXPECT_GT(request.size, 0U);
      EXPECT_GE(request.time, time);
      time = request.time;
    }
  }
}

TEST(Generator, ZipfRanksAreAsAlphaSays) {
  const auto counts = counts_of(requests_of(options_of("zipf", 200'000, 1000)));
  // Rank 1 to rank 10: 10^0.9 = 7.9.
  const double ratio = static_cast<double>(counts.at(0)) / static_cast<double>(counts.at(9));
  EXPECT_NEAR(ratio, 7.9, 0.8);
}

TEST(Generator, ZipfSizesAreLogNormal) {
  double log_sum = 0;
  double square_sum = 0;
  const auto requests = requests_of(options_of("loop", 20'000, 20'000));
  for (const GeneratedRequest& request : requests) {
    const double log_size = std::log(static_cast<double>(request.size));
    log_sum += log_size;
    square_sum += log_size * log_size;
  }
  const double mean = log_sum / 20'000;
  EXPECT_NEAR(mean, std::log(12.0 * 1024), 0.05);
  EXPECT_NEAR(std::sqrt(square_sum / 20'000 - mean * mean), 1.4, 0.05);
}

TEST(Generator, AQuarterAreForWhatIsNeverAskedForAgain) {
  const auto counts = counts_of(requests_of(options_of("zipf-one-hit", 40'000, 100)));
  std::uint64_t once = 0;
  for (const auto& [object, count] : counts) {
    if (object < 100) continue;
    EXPECT_EQ(count, 1U);
    ++once;
  }
  EXPECT_NEAR(static_cast<double>(once), 10'000, 400);
}

TEST(Generator, AScanRunsThroughOthersInOrder) {
  const auto requests = requests_of(options_of("scan", 100'000, 1000));
  std::uint64_t scanned = 0;
  std::uint64_t in_order = 0;
  for (std::size_t i = 1; i < requests.size(); ++i) {
    if (requests[i].object < 1000) continue;
    ++scanned;
    in_order += requests[i].object == requests[i - 1].object + 1 ? 1 : 0;
  }
  // All but the first of each run of a hundred.
  EXPECT_GE(in_order, scanned * 98 / 100);
  EXPECT_NEAR(static_cast<double>(scanned), 20'000, 6'000);
}

TEST(Generator, SizeMixHasManySmallAndFewHuge) {
  std::uint64_t huge = 0;
  std::uint64_t between = 0;
  std::map<std::uint64_t, std::uint64_t> sizes;
  for (const GeneratedRequest& request : requests_of(options_of("size-mix", 200'000, 10'000))) {
    sizes[request.object] = request.size;
  }
  for (const auto& [object, size] : sizes) {
    huge += size >= 4U << 20 ? 1 : 0;
    between += size > 16U << 10 && size < 4U << 20 ? 1 : 0;
  }
  EXPECT_EQ(between, 0U);
  EXPECT_NEAR(static_cast<double>(huge), 50, 25);
}

TEST(Generator, ChurnMakesNewObjectsPopularAndOldOnesFade) {
  const auto requests = requests_of(options_of("churn", 100'000, 1000));
  const std::vector<GeneratedRequest> first(requests.begin(), requests.begin() + 10'000);
  const std::vector<GeneratedRequest> last(requests.end() - 10'000, requests.end());
  const auto before = counts_of(first);
  const auto after = counts_of(last);
  std::uint64_t old_at_first = 0;
  std::uint64_t old_at_last = 0;
  for (const auto& [object, count] : before) old_at_first += object < 1000 ? count : 0;
  for (const auto& [object, count] : after) old_at_last += object < 1000 ? count : 0;
  EXPECT_GT(old_at_first, 2000U);
  EXPECT_LT(old_at_last, old_at_first / 10);
}

TEST(Generator, LoopGoesRound) {
  const auto requests = requests_of(options_of("loop", 7, 3));
  for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(requests[i].object, i % 3);
}

TEST(Generator, ATraceInMemoryIsTheSameRequests) {
  const GeneratorOptions options = options_of("zipf", 1000, 50);
  const Trace trace = generate(options);
  const auto requests = requests_of(options);
  ASSERT_EQ(trace.requests(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(trace[i].size, requests[i].size);
    EXPECT_EQ(trace.digest(trace[i].object), storage::digest128(generated_key(requests[i].object)));
  }
}

}  // namespace
}  // namespace freshet::proxy
