// The directory stays within its limit and the stated slack, whatever is written how fast; and its files stay
// few, however slowly.
#include <algorithm>
#include <gtest/gtest.h>
#include <thread>

#include "storage/rocksdb/database.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/support/fault_env.h"
#include "tests/support/tsan.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

TEST(DiskBudget, IsDividedWithinTheLimit) {
  for (const std::uint64_t limit :
       {std::uint64_t{64} << 20, std::uint64_t{1} << 30, std::uint64_t{100} << 30}) {
    const DiskBudget budget = divide_budget(limit, 64 << 20);
    EXPECT_LT(budget.soft(limit / 20), limit);
    EXPECT_GE(budget.soft(limit / 20), limit * 8 / 10) << limit;
    EXPECT_EQ(budget.hard(), limit);
    EXPECT_LE(budget.wal, limit / 8);
    EXPECT_LE(limit / budget.body_buffer, 400U);
  }
}

TEST(DiskBudget, HoldsWhileMuchIsWrittenThrough) {
  const TemporaryDirectory directory;
  Counters counters;
  RocksdbOptions options;
  options.directory = directory.path() + "/store";
  options.byte_limit = 64ULL << 20;
  options.memory = 16ULL << 20;
  options.room_bound = Milliseconds{600'000};  // refused for want of room, not of time
  const auto store = RocksdbStore::open(options, {}, counters).take();
  const std::size_t sizes[] = {900, 60'000, 4000, 1'400'000, 300'000};
  const std::string body = test_body(1'400'000, 1);
  std::uint64_t most = 0;
  std::uint64_t written = 0;
  WaitingExecutor& executor = executor_of_this_thread();
  const std::uint64_t much = (tests::kUnderTsan ? 2 : 6) * options.byte_limit;
  for (unsigned i = 0; written < much; ++i) {
    const std::size_t size = sizes[i % std::size(sizes)];
    const CacheKey key = test_key("/" + std::to_string(i));
    written += size;
    const auto writer = store->begin(key, size);
    if (!writer) continue;
    if (!writer->append(Chunk::copy_of(std::string_view(body).substr(0, size)))) continue;
    bool told = false;
    writer->commit(test_head(key, size, 1, 1000), std::nullopt, executor, [&](bool) { told = true; });
    executor.run_until(told);
    // Every fourth is read again, and so copied forward.
    if (i % 4 == 0) static_cast<void>(find(*store, key));
    if (i % 16 == 0) most = std::max(most, directory_bytes(options.directory));
  }
  EXPECT_LE(most, options.byte_limit + options.byte_limit / 10);
  EXPECT_EQ(counters.get(Counter::kDiskWritesRefused), 0);
  EXPECT_GT(most, options.byte_limit / 2);
  EXPECT_GT(counters.get(Counter::kDiskCopiedForward), 0);
  EXPECT_GT(counters.get(Counter::kDiskFileBytes), counters.get(Counter::kDiskWriteBytes) / 2);
  store->settle();
  EXPECT_LE(directory_bytes(options.directory), options.byte_limit);
}

class DatabaseFiles : public testing::Test {
 protected:
  DatabaseFiles() {
    options_.directory = directory_.path() + "/store";
    options_.byte_limit = 16ULL << 20;
    options_.memory = 16ULL << 20;
    options_.most_body_files = 10;
    options_.env = env_.env();
    database_ = Database::open(options_, counters_).take();
  }
  void TearDown() override {
    env_.clear();
    database_ = nullptr;
  }
  void write(std::uint32_t size) {
    Database::Batch batch;
    const ChunkLabel label{++id_, digest128("key"), 0, size, BodyFamily::kNewcomers};
    batch.chunks.push_back({label, {Chunk::copy_of(test_body(size, 1))}});
    ASSERT_TRUE(database_->write(batch).ok());
  }
  std::vector<BodyFile> files() { return database_->body_files(BodyFamily::kNewcomers); }

  const TemporaryDirectory directory_;
  tests::FaultEnv env_;
  Counters counters_;
  DatabaseOptions options_;
  std::unique_ptr<Database> database_;
  std::uint64_t id_ = 0;
};

// RocksDB dropping one that is just being dropped would wait for ever for its own list of files.
TEST_F(DatabaseFiles, AreDroppedByUsAlone) {
  for (unsigned i = 0; i < 100; ++i) write(kBodyChunkSize);
  ASSERT_TRUE(database_->flush().ok());
  write(100);
  ASSERT_TRUE(database_->flush().ok());
  EXPECT_GT(database_->body_file_bytes(BodyFamily::kNewcomers), options_.byte_limit);
  EXPECT_EQ(files().front().lowest, 1U);
}

// The same where many small files are merged.
TEST_F(DatabaseFiles, AreNotMergedWhileOneIsDropped) {
  for (unsigned i = 0; i < 12; ++i) {
    write(100);
    ASSERT_TRUE(database_->flush().ok());
  }
  const BodyFile oldest = files().front();
  env_.inject({tests::Fault::What::kHold, {tests::FileOp::kSync}, {tests::FileKind::kManifest}});
  bool dropped = false;
  std::thread dropping([&] { dropped = database_->drop_file(oldest); });
  env_.wait_until_held(1);
  std::thread maintaining([&] { database_->maintain(); });
  for (unsigned i = 0; i < 20; ++i) write(1000);  // time for RocksDB to begin
  env_.clear();
  dropping.join();
  maintaining.join();
  EXPECT_TRUE(dropped);
  ASSERT_TRUE(database_->flush().ok());
  database_->maintain();
  write(100);
  ASSERT_TRUE(database_->flush().ok());
  EXPECT_EQ(counters_.get(Counter::kDiskErrors), 0);
  EXPECT_FALSE(database_->take_failure());
}

// Files that are cut short for another family's sake, many times over.
TEST(DiskBudget, ATrickleLeavesFewFiles) {
  const TemporaryDirectory directory;
  Counters counters;
  DatabaseOptions options;
  options.directory = directory.path() + "/store";
  options.byte_limit = 256ULL << 20;
  options.memory = 16ULL << 20;
  options.most_body_files = 40;
  const auto database = Database::open(options, counters).take();
  std::size_t most = 0;
  for (std::uint64_t id = 1; id <= 120; ++id) {
    Database::Batch batch;
    const ChunkLabel label{id, digest128("key"), 0, 100, BodyFamily::kNewcomers};
    batch.chunks.push_back({label, {Chunk::copy_of(test_body(100, 1))}});
    ASSERT_TRUE(database->write(batch).ok());
    ASSERT_TRUE(database->flush().ok());
    database->maintain();
    most = std::max(most, database->body_files(BodyFamily::kNewcomers).size());
  }
  EXPECT_LE(most, 50U);
  Chunk chunk;
  for (std::uint64_t id = 1; id <= 120; ++id) {
    const ChunkLabel label{id, digest128("key"), 0, 100, BodyFamily::kNewcomers};
    ASSERT_EQ(database->read_chunk(label, Database::Caching::kFill, chunk), ReadStatus::kFound) << id;
  }
}

// Two thousand clients that took the first bytes of a large response and read no further.
TEST(DiskBudget, ReadersThatStopHoldABoundedPartOfTheMemory) {
  const TemporaryDirectory directory;
  Counters counters;
  RocksdbOptions options;
  options.directory = directory.path() + "/store";
  options.byte_limit = 128ULL << 20;
  options.memory = 32ULL << 20;
  const auto store = RocksdbStore::open(options, {}, counters).take();
  constexpr std::size_t kSize = 1 << 20;
  constexpr unsigned kBodies = 64;
  for (unsigned i = 0; i < kBodies; ++i) {
    ASSERT_TRUE(
        put(*store, test_head(test_key("/" + std::to_string(i)), kSize, i, 1000), test_body(kSize, i)));
  }
  std::vector<Chunk> held;
  std::uint64_t bytes = 0;
  WaitingExecutor& executor = executor_of_this_thread();
  for (unsigned i = 0; i < 2000; ++i) {
    const VariantSetPtr found = find(*store, test_key("/" + std::to_string(i % kBodies)));
    ASSERT_NE(found, nullptr);
    bool told = false;
    found->front()->body()->read(0, executor, [&](Result<Chunk> chunk) {
      ASSERT_TRUE(chunk.ok());
      held.push_back(chunk.take());
      told = true;
    });
    executor.run_until(told);
    bytes += held.back().size();
  }
  EXPECT_LE(bytes, options.memory / 2 + std::uint64_t{2000} * 16 * 1024);
  EXPECT_EQ(store->held_bytes(), bytes);
  // Who reads on gets all of it, in smaller pieces.
  const VariantSetPtr found = find(*store, test_key("/1"));
  EXPECT_TRUE(read_body(*found->front()) == test_body(kSize, 1));
  held.clear();
  EXPECT_EQ(store->held_bytes(), 0U);
}

}  // namespace
}  // namespace freshet::storage
