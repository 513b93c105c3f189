#include "proxy/net/worker_loads.h"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <thread>
#include <vector>

namespace freshet::proxy {
namespace {

std::uint32_t spread(const std::vector<std::uint32_t>& loads) {
  const auto [least, most] = std::minmax_element(loads.begin(), loads.end());
  return *most - *least;
}

TEST(WorkerLoads, AWorkerKeepsWhatItAcceptsWhileItHasNoMoreThanOthers) {
  EXPECT_EQ(choose_worker({0}, 0), 0U);
  EXPECT_EQ(choose_worker({7}, 0), 0U);
  EXPECT_EQ(choose_worker({0, 0}, 0), 0U);
  EXPECT_EQ(choose_worker({0, 0}, 1), 1U);
  EXPECT_EQ(choose_worker({3, 5}, 0), 0U);
}

TEST(WorkerLoads, TheOneWithTheFewestGetsIt) {
  EXPECT_EQ(choose_worker({1, 0}, 0), 1U);
  EXPECT_EQ(choose_worker({5, 4, 2, 3}, 0), 2U);
  EXPECT_EQ(choose_worker({5, 4, 2, 3}, 3), 2U);
  // Of equals the next one behind.
  EXPECT_EQ(choose_worker({4, 2, 2, 2}, 0), 1U);
  EXPECT_EQ(choose_worker({2, 2, 4, 2}, 2), 3U);
  EXPECT_EQ(choose_worker({2, 2, 2, 4}, 3), 0U);
}

TEST(WorkerLoads, OfManyASmallDifferenceIsLetBe) {
  EXPECT_EQ(choose_worker({31, 30}, 0), 1U);
  EXPECT_EQ(choose_worker({32, 31}, 0), 0U);
  EXPECT_EQ(choose_worker({32, 30}, 0), 1U);
  EXPECT_EQ(choose_worker({1000, 969}, 0), 0U);
  EXPECT_EQ(choose_worker({1000, 968}, 0), 1U);
}

// Whichever socket the kernel picks, the workers have alike.
TEST(WorkerLoads, SpreadsEvenlyWhateverTheKernelDoes) {
  std::mt19937 random(1);
  for (const std::size_t workers : {2U, 3U, 8U}) {
    WorkerLoads unfair(workers);
    for (int i = 0; i < 32; ++i) (void)unfair.place(0);
    EXPECT_LE(spread(unfair.all()), 1U);
    WorkerLoads hashed(workers);
    for (int i = 0; i < 32; ++i) (void)hashed.place(random() % workers);
    EXPECT_LE(spread(hashed.all()), 1U);
    WorkerLoads many(workers);
    for (int i = 0; i < 1000; ++i) (void)many.place(random() % workers);
    EXPECT_LE(spread(many.all()), 1000 / workers / 32 + 1);
  }
}

TEST(WorkerLoads, WhoHasLostManyGetsTheNext) {
  WorkerLoads loads(2);
  for (int i = 0; i < 20; ++i) (void)loads.place(0);
  for (int i = 0; i < 10; ++i) loads.leave(1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(loads.place(0), 1U);
  EXPECT_EQ(loads.all(), (std::vector<std::uint32_t>{10, 10}));
}

TEST(WorkerLoads, CountsRightWithSeveralThreads) {
  WorkerLoads loads(4);
  std::vector<std::thread> threads;
  for (std::size_t own = 0; own < 4; ++own) {
    threads.emplace_back([&loads, own] {
      for (int i = 0; i < 1000; ++i) loads.leave(loads.place(own));
      for (int i = 0; i < 100; ++i) (void)loads.place(own);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::uint32_t> all = loads.all();
  EXPECT_EQ(all[0] + all[1] + all[2] + all[3], 400U);
}

}  // namespace
}  // namespace freshet::proxy
