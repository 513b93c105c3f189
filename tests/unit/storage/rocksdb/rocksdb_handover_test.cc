// The directory goes from one store to the next while bodies are being read: what was given out is still
// read, whole, whatever the next owner does to the files.
#include <gtest/gtest.h>

#include "storage/rocksdb/record.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

class RocksdbHandover : public testing::Test {
 protected:
  std::unique_ptr<RocksdbStore> open() {
    RocksdbOptions options;
    options.directory = directory_.path() + "/store";
    options.byte_limit = 16ULL << 20;
    options.memory = 4ULL << 20;
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options, Describe{}, counters_);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error());
    return opened.ok() ? opened.take() : nullptr;
  }
  static void put_simple(RocksdbStore& store, const CacheKey& key, std::size_t size, unsigned seed) {
    ASSERT_TRUE(put(store, test_head(key, size, seed, 1000), test_body(size, seed)));
  }

  TemporaryDirectory directory_;
  Counters counters_;
};

TEST_F(RocksdbHandover, WhatWasGivenOutIsReadWhileTheNextOwnerTurnsItsFilesOver) {
  const std::size_t size = 3 * kBodyChunkSize + 17;
  const CacheKey key = test_key("/large");
  auto old = open();
  put_simple(*old, key, size, 7);
  const VariantSetPtr found = find(*old, key);
  ASSERT_NE(found, nullptr);
  int passed = 0;
  const Status released = old->release([&passed] { ++passed; });
  ASSERT_TRUE(released.ok()) << released.error();
  EXPECT_EQ(passed, 1);
  const auto next = open();
  ASSERT_NE(next, nullptr);
  EXPECT_NE(find(*next, key), nullptr);
  // Several times what fits.
  for (unsigned i = 0; i < 60; ++i)
    put_simple(*next, test_key("/filler" + std::to_string(i)), 4 * kBodyChunkSize, i);
  next->settle();
  EXPECT_EQ(find(*next, key), nullptr) << "its file is to be gone for this test to mean anything";
  EXPECT_TRUE(read_body(*found->front()->body(), size) == test_body(size, 7));
}

TEST_F(RocksdbHandover, WhatIsBeingWrittenIsReadBackAsFarAsItCame) {
  auto old = open();
  const auto writer = old->begin(test_key("/growing"), std::nullopt);
  const std::string body = test_body(2 * kBodyChunkSize + 10, 1);
  ASSERT_TRUE(writer->append(Chunk::copy_of(body)));
  old->settle();
  const auto written = writer->written_body();
  ASSERT_TRUE(old->release([] {}).ok());
  EXPECT_FALSE(writer->append(Chunk::copy_of(body)) && old->begin(test_key("/next"), std::nullopt));
  EXPECT_TRUE(read_body(*written, writer->readable()) == body.substr(0, writer->readable()));
}

TEST_F(RocksdbHandover, AllThatWasVisibleIsTheNextOwners) {
  auto old = open();
  for (unsigned i = 0; i < 200; ++i) put_simple(*old, test_key("/" + std::to_string(i)), 1000 + i, i);
  old->flush();
  put_simple(*old, test_key("/last"), 1000, 1);
  ASSERT_TRUE(old->release([] {}).ok());
  const auto next = open();
  ASSERT_NE(next, nullptr);
  for (unsigned i = 0; i < 200; ++i) EXPECT_NE(find(*next, test_key("/" + std::to_string(i))), nullptr);
  EXPECT_NE(find(*next, test_key("/last")), nullptr);
  old = nullptr;
  EXPECT_NE(find(*next, test_key("/last")), nullptr);
}

}  // namespace
}  // namespace freshet::storage
