// What the table of flights remembers of a key between its answers.
#include "revalidate/flight_table.h"

#include <atomic>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

namespace freshet::revalidate {
namespace {

using storage::Milliseconds;

class FlightTableTest : public testing::Test {
 protected:
  static storage::CacheKey key(const std::string& target) {
    storage::CacheKey made;
    storage::make_cache_key("http", "a", target, made);
    return made;
  }
  static storage::HeaderFields hints(std::size_t size) {
    storage::HeaderFields fields;
    fields.add("Link", std::string(size, 'l'));
    return fields;
  }

  const storage::MonoTime now_ = storage::mono_now();
  FlightTable table_{FlightTableOptions{}};
};

TEST_F(FlightTableTest, TheFirstForcedValidationIsAllowedAndTheNextAfterTheInterval) {
  const Milliseconds interval{1000};
  EXPECT_TRUE(table_.may_force(key("/"), now_, interval));
  EXPECT_FALSE(table_.may_force(key("/"), now_, interval));
  EXPECT_FALSE(table_.may_force(key("/"), now_ + Milliseconds{999}, interval));
  EXPECT_TRUE(table_.may_force(key("/other"), now_, interval));
  // Counted from the last that was allowed, not from those that were refused.
  EXPECT_TRUE(table_.may_force(key("/"), now_ + Milliseconds{1000}, interval));
  EXPECT_FALSE(table_.may_force(key("/"), now_ + Milliseconds{1999}, interval));
}

TEST_F(FlightTableTest, WithoutAnIntervalEachValidationIsAllowed) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(table_.may_force(key("/"), now_, Milliseconds{0}));
}

TEST_F(FlightTableTest, AnAnswerWithoutVaryForgetsNeitherTheForcedValidationNorTheHints) {
  EXPECT_TRUE(table_.may_force(key("/"), now_, Milliseconds{1000}));
  table_.remember_hints(key("/"), hints(10));
  table_.remember_vary(key("/"), {});
  EXPECT_FALSE(table_.may_force(key("/"), now_, Milliseconds{1000}));
  EXPECT_NE(table_.recall(key("/"), now_).early_hints, nullptr);
}

TEST_F(FlightTableTest, AllHintsAreForgottenAtOnceAndNothingElse) {
  EXPECT_TRUE(table_.may_force(key("/a"), now_, Milliseconds{1000}));
  for (const char* path : {"/a", "/b"}) table_.remember_hints(key(path), hints(10));
  table_.forget_hints();
  for (const char* path : {"/a", "/b"}) EXPECT_EQ(table_.recall(key(path), now_).early_hints, nullptr);
  EXPECT_FALSE(table_.may_force(key("/a"), now_, Milliseconds{1000}));
  table_.remember_hints(key("/a"), hints(10));
  EXPECT_NE(table_.recall(key("/a"), now_).early_hints, nullptr);
}

TEST_F(FlightTableTest, OfManyThreadsOneMayForce) {
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) allowed += table_.may_force(key("/"), now_, Milliseconds{1000}) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allowed, 1);
}

TEST_F(FlightTableTest, EarlyHintsAreRememberedReplacedAndBounded) {
  EXPECT_EQ(table_.recall(key("/"), now_).early_hints, nullptr);
  table_.remember_hints(key("/"), hints(10));
  table_.remember_hints(key("/"), hints(20));
  const auto known = table_.recall(key("/"), now_).early_hints;
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->first("Link")->size(), 20U);
  table_.remember_hints(key("/"), hints(FlightTable::kMostHintBytes));
  EXPECT_EQ(table_.recall(key("/"), now_).early_hints, nullptr);
  // All keys together too: 4,096 of 4 KB each would be 16 MB.
  std::size_t bytes = 0;
  for (int i = 0; i < 4096; ++i) table_.remember_hints(key("/" + std::to_string(i)), hints(4000));
  for (int i = 0; i < 4096; ++i) {
    const auto each = table_.recall(key("/" + std::to_string(i)), now_).early_hints;
    if (each) bytes += each->wire().size();
  }
  EXPECT_GT(bytes, 0U);
  EXPECT_LE(bytes, std::size_t{64} * 128 * 1024);
}

}  // namespace
}  // namespace freshet::revalidate
