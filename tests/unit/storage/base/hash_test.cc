#include "storage/base/hash.h"

#include <gtest/gtest.h>

#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

// The digest stands in records on disk: it must never change.
TEST(Hash, IsXxh3With128Bits) {
  EXPECT_EQ(digest128("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ((Digest128{1, 0xff}).hex(), "000000000000000100000000000000ff");
}

TEST(Hash, PieceByPieceIsTheSame) {
  const std::string bytes = tests::patterned(100000);
  StreamDigest stream;
  for (std::size_t at = 0; at < bytes.size(); at += 777) {
    stream.update(std::string_view(bytes).substr(at, 777));
    if (at == 777) {
      EXPECT_EQ(stream.digest(), digest128(std::string_view(bytes).substr(0, 2 * 777)));
    }
  }
  stream.update({});
  const StreamDigest moved = std::move(stream);
  EXPECT_EQ(moved.digest(), digest128(bytes));
  EXPECT_NE(moved.digest(), digest128(std::string_view(bytes).substr(1)));
}

}  // namespace
}  // namespace freshet::storage
