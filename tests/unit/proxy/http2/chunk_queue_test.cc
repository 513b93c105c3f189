#include "proxy/http2/chunk_queue.h"

#include <gtest/gtest.h>
#include <string>

namespace freshet::proxy {
namespace {

using storage::Chunk;

TEST(ChunkQueue, GivesTheBytesInOrderInPiecesOfAnySize) {
  for (const std::size_t piece : {1U, 2U, 3U, 4U, 5U, 100U}) {
    ChunkQueue queue;
    queue.push(Chunk::copy_of("abc"));
    queue.push(Chunk::copy_of(""));
    queue.push(Chunk::copy_of("defgh"));
    EXPECT_EQ(queue.size(), 8U);
    std::string all;
    while (queue.size() > 0) {
      const Chunk taken = queue.take(piece);
      ASSERT_FALSE(taken.empty());
      ASSERT_LE(taken.size(), piece);
      all.append(taken.view());
    }
    EXPECT_EQ(all, "abcdefgh") << piece;
    EXPECT_TRUE(queue.take(piece).empty());
  }
}

TEST(ChunkQueue, ATakenPieceIsTheChunkItselfAndNoCopy) {
  const Chunk chunk = Chunk::copy_of("abcdef");
  ChunkQueue queue;
  queue.push(chunk);
  EXPECT_EQ(queue.take(2).data(), chunk.data());
  EXPECT_EQ(queue.take(100).data(), chunk.data() + 2);
}

TEST(ChunkQueue, IsEmptyAfterClear) {
  ChunkQueue queue;
  queue.push(Chunk::copy_of("abc"));
  EXPECT_EQ(queue.take(1).view(), "a");
  queue.clear();
  EXPECT_EQ(queue.size(), 0U);
  queue.push(Chunk::copy_of("x"));
  EXPECT_EQ(queue.take(9).view(), "x");
}

}  // namespace
}  // namespace freshet::proxy
