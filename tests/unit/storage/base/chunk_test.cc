#include "storage/base/chunk.h"

#include <gtest/gtest.h>

namespace freshet::storage {
namespace {

TEST(Chunk, CopiesAdoptsAndSharesItsOwner) {
  std::string text = "hello";
  const Chunk copy = Chunk::copy_of(text);
  text = "?????";
  EXPECT_EQ(copy.view(), "hello");
  const Chunk shared = copy;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(shared.data(), copy.data());
  EXPECT_EQ(Chunk::adopt("short").view(), "short");
}

TEST(Chunk, SlicesAreClippedAndKeepTheOwnerAlive) {
  Chunk whole = Chunk::adopt("0123456789");
  const Chunk middle = whole.slice(3, 4);
  EXPECT_EQ(middle.data(), whole.data() + 3);
  EXPECT_TRUE(whole.slice(10, 1).empty());
  EXPECT_TRUE(whole.slice(11, 1).empty());
  EXPECT_EQ(whole.slice(8, 100).view(), "89");
  whole = Chunk();
  EXPECT_EQ(middle.view(), "3456");
  EXPECT_EQ(middle.slice(1, 2).view(), "45");
}

TEST(Chunk, NothingIsAllowed) {
  EXPECT_TRUE(Chunk().empty());
  EXPECT_TRUE(Chunk::copy_of({}).empty());
  EXPECT_TRUE(Chunk::adopt({}).empty());
  EXPECT_TRUE(Chunk().slice(0, 10).empty());
  EXPECT_EQ(total_size({}), 0U);
  EXPECT_EQ(total_size({Chunk::adopt("ab"), Chunk(), Chunk::adopt("c")}), 3U);
}

}  // namespace
}  // namespace freshet::storage
