#include "storage/base/recent_keys.h"

#include <gtest/gtest.h>
#include <string>

namespace freshet::storage {
namespace {

Digest128 nth(int number) {
  return digest128("key " + std::to_string(number));
}

TEST(RecentKeys, ComeBackOnce) {
  RecentKeys keys(6400, 64);
  EXPECT_FALSE(keys.read_again(nth(1), 10));
  EXPECT_FALSE(keys.read_again(nth(2), 10));
  EXPECT_TRUE(keys.read_again(nth(1), 10));
  EXPECT_FALSE(keys.read_again(nth(1), 10));
}

TEST(RecentKeys, AreForgottenAfterSoManyBytesOfOthers) {
  RecentKeys keys(6400, 1 << 16);
  EXPECT_FALSE(keys.read_again(nth(0), 100));
  for (int i = 1; i < 63; ++i) EXPECT_FALSE(keys.read_again(nth(i), 100));
  EXPECT_TRUE(keys.read_again(nth(0), 100)) << "6200 bytes of others";
  EXPECT_FALSE(keys.read_again(nth(0), 100));
  EXPECT_FALSE(keys.read_again(nth(1000), 7000)) << "one that is larger than the window";
  EXPECT_FALSE(keys.read_again(nth(0), 100));
}

}  // namespace
}  // namespace freshet::storage
