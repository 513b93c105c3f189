#include "storage/rocksdb/removals.h"

#include <gtest/gtest.h>

namespace freshet::storage {
namespace {

const Digest128 kKey{1, 2};
const Digest128 kOther{2, 2};

TEST(Removals, HidesAKeyUntilTheDeleteIsApplied) {
  Removals removals;
  const Removals::Ticket ticket = removals.remove_all(kKey);
  EXPECT_TRUE(removals.view(kKey).all_gone);
  EXPECT_FALSE(removals.view(kOther).all_gone);
  removals.applied(kKey, ticket);
  EXPECT_FALSE(removals.view(kKey).all_gone);
}

TEST(Removals, StaysUntilTheNewestIsApplied) {
  Removals removals;
  const Removals::Ticket first = removals.remove_all(kKey);
  const Removals::Ticket second = removals.remove_all(kKey);
  removals.applied(kKey, first);
  EXPECT_TRUE(removals.view(kKey).all_gone);
  removals.applied(kKey, second);
  EXPECT_FALSE(removals.view(kKey).all_gone);
}

TEST(Removals, TellsAReadThatARemovalLanded) {
  Removals removals;
  const Removals::View before = removals.view(kKey);
  EXPECT_TRUE(removals.unchanged(kKey, before));
  removals.remove_body(kKey, 7);
  EXPECT_FALSE(removals.unchanged(kKey, before));
  EXPECT_EQ(removals.view(kKey).bodies_gone, std::vector<std::uint64_t>{7});
  removals.body_applied(kKey, 7);
  EXPECT_TRUE(removals.view(kKey).bodies_gone.empty());
  // Still: the read began before it.
  EXPECT_FALSE(removals.unchanged(kKey, before));
}

TEST(Removals, SupersedesOnlyWhatWasBegunBefore) {
  Removals removals;
  const Removals::Ticket before = removals.next_ticket();
  removals.remove_all(kKey);
  const Removals::Ticket after = removals.next_ticket();
  EXPECT_TRUE(removals.supersedes(kKey, before));
  EXPECT_FALSE(removals.supersedes(kKey, after));
  EXPECT_FALSE(removals.supersedes(kOther, before));
}

}  // namespace
}  // namespace freshet::storage
