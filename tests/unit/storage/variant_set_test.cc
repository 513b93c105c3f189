#include "storage/variant_set.h"

#include <gtest/gtest.h>

#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

StoredResponsePtr numbered(int i) {
  return tests::response_of({tests::key_of("/a"), i, std::to_string(i)});
}

TEST(VariantSet, OneTakesNoMemoryOfItsOwn) {
  const StoredResponsePtr one = numbered(1);
  const VariantSet set{one};
  EXPECT_EQ(set.size(), 1U);
  EXPECT_EQ(set.front(), one);
  EXPECT_EQ(set.back(), one);
  EXPECT_EQ(set.memory_size(), 0U);
  EXPECT_EQ(one.use_count(), 2);
}

TEST(VariantSet, SeveralKeepTheirOrderAndAreSharedByCopies) {
  const std::vector<StoredResponsePtr> list{numbered(3), numbered(2), numbered(1)};
  VariantSet copy;
  {
    const VariantSet set(list);
    copy = set;
    EXPECT_EQ(copy.begin(), set.begin()) << "the same list";
    EXPECT_EQ(list.front().use_count(), 2) << "a copy counts the list alone";
  }
  EXPECT_TRUE(std::equal(copy.begin(), copy.end(), list.begin(), list.end()));
  EXPECT_EQ(copy[1], list[1]);
  EXPECT_EQ(copy.back(), list[2]);
  EXPECT_GE(copy.memory_size(), 3 * sizeof(StoredResponsePtr));
  copy = VariantSet();
  EXPECT_EQ(list.front().use_count(), 1);
}

TEST(VariantSet, WhoHoldsOneOfSeveralDoesNotHoldTheOthers) {
  StoredResponsePtr kept;
  std::weak_ptr<const StoredResponse> other;
  {
    const VariantSet set{numbered(2), numbered(1)};
    kept = set.front();
    other = set.back();
  }
  EXPECT_TRUE(other.expired());
  EXPECT_EQ(kept.use_count(), 1);
}

TEST(VariantSet, WhatWasMovedFromIsEmpty) {
  VariantSet from{numbered(2), numbered(1)};
  VariantSet to = std::move(from);
  EXPECT_EQ(to.size(), 2U);
  // NOLINTBEGIN(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(from.size(), 0U);
  VariantSet third;
  third = std::move(to);
  EXPECT_EQ(to.size(), 0U);
  EXPECT_EQ(to.memory_size(), 0U);
  // NOLINTEND(bugprone-use-after-move,clang-analyzer-cplusplus.Move)
  EXPECT_EQ(third.size(), 2U);
}

TEST(VariantSet, NoneIsNull) {
  EXPECT_TRUE(VariantSet().empty());
  EXPECT_EQ(VariantSet().size(), 0U);
  EXPECT_EQ(make_variants({}), nullptr);
  EXPECT_EQ(make_variants({}).get(), nullptr);
  EXPECT_FALSE(VariantSetPtr());
  EXPECT_TRUE(make_variants({numbered(1)}));
}

TEST(VariantSet, EqualWhereTheSameResponsesStandInTheSameOrder) {
  const StoredResponsePtr one = numbered(1);
  const StoredResponsePtr two = numbered(2);
  EXPECT_EQ((VariantSet{two, one}), (VariantSet{two, one}));
  EXPECT_FALSE((VariantSet{two, one}) == (VariantSet{one, two}));
  EXPECT_FALSE((VariantSet{two, one}) == VariantSet{two});
  EXPECT_EQ(VariantSet(), VariantSet());
}

}  // namespace
}  // namespace freshet::storage
