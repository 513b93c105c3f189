#include "proxy/http2/flood_guard.h"

#include <chrono>
#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

using storage::Milliseconds;
using storage::MonoTime;

constexpr MonoTime kStart{std::chrono::hours{1}};

int spend_until_refused(FloodGuard& guard, MonoTime now, int most) {
  for (int i = 0; i < most; ++i) {
    if (!guard.spend(now)) return i;
  }
  return most;
}

TEST(FloodGuard, AllowsSoMuchAtOnceAndNoMore) {
  FloodGuard guard(100);
  EXPECT_EQ(spend_until_refused(guard, kStart, 1000), 100);
}

TEST(FloodGuard, EachAnsweredRequestGivesOneBack) {
  FloodGuard guard(100);
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(guard.spend(kStart)) << i;
    guard.earn();
  }
  // But no more than there was.
  EXPECT_EQ(spend_until_refused(guard, kStart, 1000), 100);
}

TEST(FloodGuard, ATenthComesBackEverySecond) {
  FloodGuard guard(100);
  EXPECT_EQ(spend_until_refused(guard, kStart, 100), 100);
  EXPECT_EQ(spend_until_refused(guard, kStart + Milliseconds{1000}, 1000), 10);
  EXPECT_EQ(spend_until_refused(guard, kStart + Milliseconds{60'000}, 1000), 100);
}

}  // namespace
}  // namespace freshet::proxy
