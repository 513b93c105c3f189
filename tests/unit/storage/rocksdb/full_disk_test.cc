#include "storage/rocksdb/full_disk.h"

#include <gtest/gtest.h>

namespace freshet::storage {
namespace {

constexpr const char* kFull = "IO error: No space left on device: While appending to file: /x/000012.sst";
constexpr const char* kBroken = "IO error: Input/output error: While fsync: /x/000012.log";

MonoTime at(int seconds) {
  return MonoTime{} + Milliseconds{seconds * 1000};
}

TEST(FullDisk, IsFullForLongAfterTheBound) {
  FullDisk disk(Milliseconds{10'000});
  EXPECT_FALSE(disk.note(kFull, at(1)));
  EXPECT_FALSE(disk.note(kFull, at(10)));
  EXPECT_TRUE(disk.note(kFull, at(11)));
  EXPECT_TRUE(disk.note(kFull, at(12)));
  disk.pass();
  EXPECT_FALSE(disk.note(kFull, at(13)));
}

TEST(FullDisk, AnotherFailureInBetweenBeginsItAnew) {
  FullDisk disk(Milliseconds{10'000});
  EXPECT_FALSE(disk.note(kFull, at(1)));
  EXPECT_FALSE(disk.note(kBroken, at(5)));
  EXPECT_FALSE(disk.note(kBroken, at(20)));
  EXPECT_FALSE(disk.note(kFull, at(21)));
  EXPECT_TRUE(disk.note(kFull, at(31)));
}

}  // namespace
}  // namespace freshet::storage
