#include "storage/base/ghosts.h"

#include <gtest/gtest.h>
#include <string>

namespace freshet::storage {
namespace {

TEST(Ghosts, AreTakenOnce) {
  Ghosts ghosts(1 << 12);
  const Digest128 key = digest128("a");
  EXPECT_FALSE(ghosts.take(key));
  ghosts.add(key);
  EXPECT_FALSE(ghosts.take(digest128("b")));
  EXPECT_TRUE(ghosts.take(key));
  EXPECT_FALSE(ghosts.take(key));
}

TEST(Ghosts, AreForgottenForOthers) {
  Ghosts ghosts(1 << 4);
  const auto nth = [](int number) { return digest128("key " + std::to_string(number)); };
  ghosts.add(nth(0));
  for (int i = 1; i < 1000; ++i) ghosts.add(nth(i));
  EXPECT_FALSE(ghosts.take(nth(0)));
  EXPECT_TRUE(ghosts.take(nth(999)));
}

}  // namespace
}  // namespace freshet::storage
