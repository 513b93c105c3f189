#include "storage/base/result.h"

#include <gtest/gtest.h>
#include <memory>

namespace freshet::storage {
namespace {

Result<int> parse(bool good) {
  if (good) return 7;
  return Error{"not a number"};
}

TEST(Result, IsAValueOrAnError) {
  EXPECT_TRUE(parse(true).ok());
  EXPECT_EQ(*parse(true), 7);
  EXPECT_FALSE(parse(false));
  EXPECT_EQ(parse(false).error(), "not a number");
}

TEST(Result, GivesAwayWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(3));
  const std::unique_ptr<int> taken = result.take();
  EXPECT_EQ(*taken, 3);
}

TEST(Result, LookingAtTheWrongSideIsABrokenInvariant) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH((void)parse(false).value(), "broken invariant.*ok()");
  EXPECT_DEATH((void)parse(true).error(), "broken invariant");
}

TEST(Status, IsFineOrAnError) {
  EXPECT_TRUE(Status().ok());
  const Status failed = Error{"disk full"};
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(failed.error(), "disk full");
}

}  // namespace
}  // namespace freshet::storage
