#include "storage/memory/entry_table.h"

#include <deque>
#include <gtest/gtest.h>
#include <set>

namespace freshet::storage {
namespace {

struct Entry {
  Digest128 digest;
  Entry* next_in_table = nullptr;
};

TEST(EntryTable, FindsWhatIsThereAndNothingElse) {
  EntryTable<Entry> table;
  EXPECT_EQ(table.find(Digest128{1, 1}), nullptr);
  std::deque<Entry> entries;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    // Many in one place.
    entries.push_back({Digest128{i, i % 7}, nullptr});
    table.insert(entries.back());
  }
  EXPECT_EQ(table.size(), 1000U);
  for (std::size_t i = 0; i < 1000; i += 3) table.remove(entries[i]);
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(table.find(entries[i].digest), i % 3 == 0 ? nullptr : &entries[i]) << i;
  }
  EXPECT_EQ(table.find(Digest128{1, 2}), nullptr);
  EXPECT_EQ(table.size(), 666U);
  std::set<Entry*> seen;
  table.for_each([&](Entry& entry) { EXPECT_TRUE(seen.insert(&entry).second); });
  EXPECT_EQ(seen.size(), 666U);
}

TEST(EntryTable, WhatIsVisitedMayBeDeleted) {
  EntryTable<Entry> table;
  for (std::uint64_t i = 0; i < 100; ++i) {
    table.insert(*std::make_unique<Entry>(Entry{Digest128{i, i % 3}, nullptr}).release());
  }
  int visited = 0;
  table.for_each([&](Entry& entry) {
    const std::unique_ptr<Entry> owned(&entry);
    ++visited;
  });
  EXPECT_EQ(visited, 100);
}

}  // namespace
}  // namespace freshet::storage
