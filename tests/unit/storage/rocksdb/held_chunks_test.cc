#include "storage/rocksdb/held_chunks.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace freshet::storage {
namespace {

TEST(HeldChunks, WhoReadsGetsNoMoreThanThereIsRoomFor) {
  constexpr std::size_t kPiece = 256 * 1024;
  const HeldChunks held(std::uint64_t{16} << 20);
  std::vector<Chunk> readers;
  while (held.most(kPiece) == kPiece)
    readers.push_back(held.hold(Chunk::adopt(std::string(kPiece, 'x')), kPiece));
  EXPECT_EQ(held.held(), std::uint64_t{4} << 20) << "a quarter as it is";
  EXPECT_EQ(held.most(kPiece), 64U * 1024);
  EXPECT_EQ(held.most(1000), 1000U);
  while (held.most(kPiece) > 16U * 1024)
    readers.push_back(held.hold(Chunk::adopt(std::string(kPiece, 'x')), kPiece));
  EXPECT_EQ(held.held(), std::uint64_t{8} << 20) << "another in pieces";
  EXPECT_EQ(held.hold(Chunk::adopt(std::string(kPiece, 'x')), kPiece).size(), 16U * 1024);
  readers.clear();
  EXPECT_EQ(held.most(kPiece), kPiece);
}

}  // namespace
}  // namespace freshet::storage
