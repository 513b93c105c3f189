#include "storage/rocksdb/io_pool.h"

#include <atomic>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

namespace freshet::storage {
namespace {

TEST(IoPool, RunsWhatWasPostedBeforeStop) {
  IoPool pool(3);
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) pool.post([&ran] { ++ran; });
  pool.stop();
  EXPECT_EQ(ran, 100);
}

TEST(IoPool, DestroysUnrunWhatIsPostedAfterStop) {
  IoPool pool(1);
  pool.stop();
  const auto held = std::make_shared<int>(0);
  pool.post([held] { ++*held; });
  EXPECT_EQ(*held, 0);
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace freshet::storage
