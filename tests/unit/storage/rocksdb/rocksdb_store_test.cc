#include "storage/rocksdb/rocksdb_store.h"

#include <fstream>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "storage/comparing_writer.h"
#include "storage/rocksdb/database.h"
#include "tests/contract/response_store_contract.h"
#include "tests/support/soon.h"
#include "tests/unit/storage/rocksdb/page_cache.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

class RocksdbStoreTest : public testing::Test {
 protected:
  RocksdbStoreTest() {
    options_.directory = directory_.path() + "/store";
    options_.byte_limit = 128ULL << 20;
    options_.memory = 16ULL << 20;
    options_.loss_bound = Milliseconds{20};
  }

  void open() {
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options_, describe_, counters_);
    ASSERT_TRUE(opened.ok()) << opened.error();
    store_ = opened.take();
  }
  void reopen() {
    store_ = nullptr;
    open();
  }
  std::string open_error() {
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options_, describe_, counters_);
    return opened.ok() ? "" : opened.error();
  }
  std::int64_t count(Counter counter) const { return counters_.get(counter); }

  // Writes the number of the format, while the store is closed.
  void set_format(std::uint32_t version) {
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(
                    {}, options_.directory,
                    {{"default", {}}, {"responses", {}}, {"bodies", {}}, {"bodies_main", {}}, {"state", {}}},
                    &families, &db)
                    .ok());
    ASSERT_TRUE(db->Put({}, families.back(), "format", encode_u32(version)).ok());
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    delete db;
  }
  std::uint32_t format() {
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* db = nullptr;
    EXPECT_TRUE(
        rocksdb::DB::OpenForReadOnly({}, options_.directory, {{"default", {}}, {"state", {}}}, &families, &db)
            .ok());
    std::string found;
    EXPECT_TRUE(db->Get({}, families[1], "format", &found).ok());
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    delete db;
    return decode_u32(found).value_or(0);
  }

  // The database alone, while the store is closed.
  std::unique_ptr<Database> open_database() {
    DatabaseOptions options;
    options.directory = options_.directory;
    options.byte_limit = options_.byte_limit;
    options.memory = options_.memory;
    Result<std::unique_ptr<Database>> opened = Database::open(options, counters_);
    EXPECT_TRUE(opened.ok());
    return opened.ok() ? opened.take() : nullptr;
  }

  bool put_simple(const CacheKey& key, std::size_t size, unsigned seed) {
    return put(*store_, test_head(key, size, seed, 1000), test_body(size, seed));
  }

  TemporaryDirectory directory_;
  Counters counters_;
  RocksdbOptions options_;
  Describe describe_;
  std::unique_ptr<RocksdbStore> store_;
};

// Lets a test hold the lane of a key: the hook of the first response waits here.
class Gate {
 public:
  void pass() {
    const MutexLock lock(mutex_);
    arrived_ = true;
    changed_.notify_all();
    while (!open_) changed_.wait(mutex_);
  }
  void wait_for_arrival() {
    const MutexLock lock(mutex_);
    while (!arrived_) changed_.wait(mutex_);
  }
  void open() {
    const MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool arrived_ GUARDED_BY(mutex_) = false;
  bool open_ GUARDED_BY(mutex_) = false;
};

TEST_F(RocksdbStoreTest, IsWarmAfterReopening) {
  open();
  const CacheKey small = test_key("/small");
  const CacheKey large = test_key("/large");
  const CacheKey gone = test_key("/gone");
  ASSERT_TRUE(put_simple(small, 100, 1));
  ASSERT_TRUE(put_simple(large, 900'000, 2));
  ASSERT_TRUE(put_simple(gone, 100, 3));
  store_->remove(gone);
  reopen();
  ASSERT_NE(find(*store_, small), nullptr);
  EXPECT_EQ(read_body(*find(*store_, small)->front()), test_body(100, 1));
  ASSERT_NE(find(*store_, large), nullptr);
  EXPECT_TRUE(read_body(*find(*store_, large)->front()) == test_body(900'000, 2));
  EXPECT_EQ(find(*store_, gone), nullptr);
}

TEST_F(RocksdbStoreTest, GivesSmallBodiesInMemoryAndLargeOnesFromDisk) {
  open();
  constexpr std::size_t kSmall = std::size_t{16} * 1024;
  ASSERT_TRUE(put_simple(test_key("/s"), kSmall, 1));
  ASSERT_TRUE(put_simple(test_key("/m"), kSmall + 1, 2));
  ASSERT_TRUE(put_simple(test_key("/p"), kBodyChunkSize, 3));
  ASSERT_TRUE(put_simple(test_key("/l"), kBodyChunkSize + 1, 4));
  const auto body = [this](const char* path) { return find(*store_, test_key(path))->front()->body(); };
  EXPECT_GE(body("/s")->memory_size(), kSmall);
  EXPECT_FALSE(body("/s")->pins_memory());
  for (const char* one_piece : {"/m", "/p"}) {
    EXPECT_EQ(body(one_piece)->memory_size(), 0U) << one_piece;
    EXPECT_TRUE(body(one_piece)->pins_memory()) << one_piece;
  }
  EXPECT_LT(body("/l")->memory_size(), 1000U);
  EXPECT_TRUE(body("/l")->on_disk());
  EXPECT_FALSE(body("/l")->pins_memory());
}

TEST_F(RocksdbStoreTest, WhatWasFoundWholeIsReadAgainWhereItWas) {
  open();
  ASSERT_TRUE(put_simple(test_key("/m"), 100'000, 1));
  ASSERT_TRUE(put_simple(test_key("/l"), 600'000, 2));
  reopen();
  const auto one = find(*store_, test_key("/m"))->front()->body()->without_pin();
  const auto several = find(*store_, test_key("/l"))->front()->body();
  EXPECT_TRUE(read_body(*find(*store_, test_key("/l"))->front()) == test_body(600'000, 2));
  Chunk chunk;
  for (int i = 0; i < 3; ++i) {
    for (const std::size_t offset : {0U, 10U, 99'999U}) {
      ASSERT_EQ(one->try_read(offset, chunk), StoredBody::TryRead::kData);
      EXPECT_TRUE(chunk.view() == std::string_view(test_body(100'000, 1)).substr(offset));
      EXPECT_GE(store_->held_bytes(), chunk.size()) << "it counts as long as somebody has it";
    }
    for (const std::size_t offset : {std::size_t{0}, std::size_t{kBodyChunkSize} + 5, std::size_t{599'999}}) {
      ASSERT_EQ(several->try_read(offset, chunk), StoredBody::TryRead::kData);
      EXPECT_TRUE(std::string_view(test_body(600'000, 2)).substr(offset).substr(0, chunk.size()) ==
                  chunk.view());
    }
  }
  chunk = {};
  EXPECT_EQ(store_->held_bytes(), 0U);
  EXPECT_EQ(one->try_read(100'000, chunk), StoredBody::TryRead::kFailed);
}

// What is in the page cache was changed, so the bytes that were found whole are not there any more.
TEST_F(RocksdbStoreTest, AFileThatSomebodyTouchedIsVerifiedAgain) {
  options_.memory = 2ULL << 20;  // RocksDB's own cache keeps little
  open();
  const CacheKey key = test_key("/touched");
  ASSERT_TRUE(put_simple(key, 100'000, 1));
  reopen();
  const auto body = find(*store_, key)->front()->body()->without_pin();
  Chunk chunk;
  ASSERT_EQ(body->try_read(0, chunk), StoredBody::TryRead::kData);
  chunk = {};
  for (const auto& file : std::filesystem::directory_iterator(options_.directory)) {
    if (file.path().extension() != ".sst" || file.file_size() < 100'000) continue;
    const auto table = TableFile::open(file.path());
    for (const TableFile::Stamp before = table->stamp(); table->stamp() == before;) {
      std::fstream out(file.path(), std::ios::in | std::ios::out | std::ios::binary);
      for (std::streamoff at = 10'000; at < 100'000; at += 10'000) out.seekp(at).put('#');
    }
  }
  // What RocksDB itself still has in memory is whole.
  if (body->try_read(0, chunk) == StoredBody::TryRead::kData) {
    EXPECT_TRUE(chunk.view() == test_body(100'000, 1));
  }
}

TEST_F(RocksdbStoreTest, ABodyThatWasReadWithItsHeadIsReadFromAnyPlaceWithoutIo) {
  open();
  ASSERT_TRUE(put_simple(test_key("/m"), 100'000, 1));
  const auto body = find(*store_, test_key("/m"))->front()->body();
  drop_from_page_cache(options_.directory);
  for (const std::size_t offset : {0U, 1U, 99'999U}) {
    Chunk chunk;
    ASSERT_EQ(body->try_read(offset, chunk), StoredBody::TryRead::kData);
    EXPECT_TRUE(chunk.view() == std::string_view(test_body(100'000, 1)).substr(offset)) << offset;
  }
  EXPECT_EQ(store_->held_bytes(), 100'000U) << "pinned once";
}

TEST_F(RocksdbStoreTest, WhereMuchIsPinnedABodyIsReadInPieces) {
  open();
  ASSERT_TRUE(put_simple(test_key("/m"), kBodyChunkSize, 1));
  std::vector<VariantSetPtr> readers;
  while (store_->held_bytes() + kBodyChunkSize <= options_.memory / 4) {
    readers.push_back(find(*store_, test_key("/m")));
    ASSERT_LE(readers.size(), options_.memory / kBodyChunkSize) << "each pins a chunk";
  }
  const auto body = find(*store_, test_key("/m"))->front()->body();
  Chunk chunk;
  ASSERT_EQ(body->try_read(0, chunk), StoredBody::TryRead::kData);
  EXPECT_LT(chunk.size(), kBodyChunkSize);
  EXPECT_TRUE(read_body(*find(*store_, test_key("/m"))->front()) == test_body(kBodyChunkSize, 1));
}

TEST_F(RocksdbStoreTest, ReadsFromTheFilesAskForIoFirst) {
  open();
  const CacheKey key = test_key("/cold");
  ASSERT_TRUE(put_simple(key, 1000, 1));
  reopen();  // recovery writes what was in memory to files; RocksDB's cache is empty
  drop_from_page_cache(options_.directory);
  EXPECT_EQ(store_->try_lookup(key).found, ResponseStore::Found::kNeedsIo);
  EXPECT_NE(find(*store_, key), nullptr);
  EXPECT_EQ(store_->try_lookup(key).found, ResponseStore::Found::kYes);
}

TEST_F(RocksdbStoreTest, ReadsWhatIsInThePageCacheAtOnce) {
  open();
  ASSERT_TRUE(put_simple(test_key("/opens-the-table"), 100'000, 1));
  ASSERT_TRUE(put_simple(test_key("/warm"), 100'000, 2));
  reopen();
  if (!page_cache_can_be_asked(options_.directory)) GTEST_SKIP() << "a file system without RWF_NOWAIT";
  ASSERT_NE(find(*store_, test_key("/opens-the-table")), nullptr);
  const ResponseStore::LookupResult found = store_->try_lookup(test_key("/warm"));
  ASSERT_EQ(found.found, ResponseStore::Found::kYes);
  EXPECT_EQ(read_body(*found.variants->front()), test_body(100'000, 2));
}

TEST_F(RocksdbStoreTest, FreshensWithoutABodyByte) {
  open();
  const CacheKey key = test_key("/fresh");
  ASSERT_TRUE(put_simple(key, 400'000, 1));
  const std::int64_t written = count(Counter::kDiskWriteBytes);
  EXPECT_EQ(written, 400'000);
  const StoredResponsePtr old = find(*store_, key)->front();
  StoredHead head = old->head();
  head.response_time = wall_from_seconds(4000);
  store_->freshen(old, std::make_shared<const StoredResponse>(head, old->body(), Describe()));
  store_->settle();
  EXPECT_EQ(count(Counter::kDiskWriteBytes), written);
  EXPECT_EQ(count(Counter::kDiskHeadRewrites), 1);
  EXPECT_EQ(find(*store_, key)->front()->head().body_id, old->head().body_id);
}

// The stored body is read from the files, the prefix of what differs copied from there.
TEST_F(RocksdbStoreTest, ComparesWithoutWritingABodyByte) {
  open();
  const CacheKey key = test_key("/compared");
  const std::string body = test_body(20'000'000, 1);
  ASSERT_TRUE(put(*store_, test_head(key, body.size(), 1, 1000), body));
  reopen();
  WaitingExecutor& executor = executor_of_this_thread();
  const auto compare = [&](const std::string& bytes) {
    const StoredResponsePtr old = find(*store_, key)->front();
    ComparingWriter writer(old, [&] { return store_->begin(key, std::nullopt); }, executor, {}, {});
    for (std::size_t at = 0; at < bytes.size(); at += 100'000) {
      const bool taken = writer.append(Chunk::copy_of(std::string_view(bytes).substr(at, 100'000)));
      EXPECT_TRUE(taken);
      if (!taken) break;
      // As a loop would: what is behind comes along.
      EXPECT_TRUE(tests::soon([&] {
        executor.run_posted();
        return writer.readable() >= at || writer.body_id() != 0;
      }));
    }
    bool told = false;
    writer.commit(test_head(key, bytes.size(), 2, 2000), std::nullopt, executor, [&](bool stored) {
      EXPECT_TRUE(stored);
      told = true;
    });
    executor.run_until(told);
    return writer.equal();
  };
  const std::int64_t written = count(Counter::kDiskWriteBytes);
  EXPECT_TRUE(compare(body));
  EXPECT_EQ(count(Counter::kDiskWriteBytes), written);
  EXPECT_EQ(count(Counter::kDiskHeadRewrites), 0);
  std::string changed = body;
  changed.back() = '#';
  EXPECT_FALSE(compare(changed));
  EXPECT_EQ(count(Counter::kDiskWriteBytes), written + 20'000'000);
  EXPECT_TRUE(read_body(*find(*store_, key)->front()) == changed);
}

// A tier above asks for the id before it commits, and keeps its own copy under it.
TEST_F(RocksdbStoreTest, TellsTheBodyIdBeforeTheCommit) {
  open();
  const CacheKey key = test_key("/id");
  const auto writer = store_->begin(key, std::nullopt);
  const std::uint64_t id = writer->body_id();
  EXPECT_NE(id, 0U);
  WaitingExecutor& executor = executor_of_this_thread();
  bool told = false;
  writer->commit(test_head(key, 0, 1, 1000), std::nullopt, executor, [&](bool) { told = true; });
  executor.run_until(told);
  EXPECT_EQ(find(*store_, key)->front()->head().body_id, id);
}

TEST_F(RocksdbStoreTest, ADroppedWriterLeavesNoHeadBehind) {
  open();
  const CacheKey key = test_key("/aborted");
  {
    const auto writer = store_->begin(key, std::nullopt);
    writer->append(Chunk::copy_of(test_body(900'000, 1)));
  }
  reopen();
  EXPECT_EQ(find(*store_, key), nullptr);
  EXPECT_EQ(count(Counter::kDiskWrites), 0);
  EXPECT_EQ(count(Counter::kDiskWriteBacklog), 0);
}

TEST_F(RocksdbStoreTest, ABodyOfTheWrongLengthIsNotStored) {
  open();
  const CacheKey key = test_key("/short");
  EXPECT_FALSE(put(*store_, test_head(key, 11, 1, 1000), test_body(10, 1)));
  EXPECT_EQ(find(*store_, key), nullptr);
}

TEST_F(RocksdbStoreTest, ReadsBackWhatIsWrittenWhileItGrows) {
  open();
  const CacheKey key = test_key("/growing");
  const auto writer = store_->begin(key, std::nullopt);
  const std::string body = test_body(3 * kBodyChunkSize + 10, 1);
  EXPECT_EQ(writer->readable(), 0U);
  ASSERT_TRUE(writer->append(Chunk::copy_of(body)));
  store_->settle();
  EXPECT_EQ(writer->readable(), 3U * kBodyChunkSize);
  const auto written = writer->written_body();
  EXPECT_TRUE(read_body(*written, writer->readable()) == body.substr(0, writer->readable()));
  Chunk chunk;
  ASSERT_EQ(written->try_read(kBodyChunkSize + 5, chunk), StoredBody::TryRead::kData);
  EXPECT_EQ(chunk.view(), std::string_view(body).substr(kBodyChunkSize + 5, kBodyChunkSize - 5));
  EXPECT_EQ(written->try_read(writer->readable(), chunk), StoredBody::TryRead::kFailed);
}

TEST_F(RocksdbStoreTest, ARemovalWinsOverAReadInProgress) {
  const CacheKey key = test_key("/race");
  bool armed = false;
  // The head is described when it has been read and before the look-up ends.
  describe_ = [&](const StoredHead&) -> std::unique_ptr<const DerivedFacts> {
    if (std::exchange(armed, false)) store_->remove(key);
    return nullptr;
  };
  open();
  ASSERT_TRUE(put_simple(key, 10, 1));
  armed = true;
  EXPECT_EQ(find(*store_, key), nullptr);
  EXPECT_FALSE(armed);
}

TEST_F(RocksdbStoreTest, AskedForEachHeadWhetherItIsStillCurrent) {
  std::atomic<Sequence> purged{0};
  options_.is_current = [&](const StoredHead& head) { return head.filled_at >= purged; };
  open();
  const CacheKey key = test_key("/purged");
  StoredHead head = test_head(key, 10, 1, 1000);
  head.filled_at = 5;
  ASSERT_TRUE(put(*store_, head, test_body(10, 1)));
  EXPECT_NE(find(*store_, key), nullptr);
  purged = 6;
  EXPECT_EQ(find(*store_, key), nullptr);
  EXPECT_FALSE(put(*store_, head, test_body(10, 1)));
  // And its record is gone for good.
  store_->settle();
  purged = 0;
  EXPECT_EQ(find(*store_, key), nullptr);
}

TEST_F(RocksdbStoreTest, RefusesWhatTheBacklogCannotTake) {
  options_.backlog_limit = 600 * 1024;
  Gate gate;
  options_.is_current = [&](const StoredHead& head) {
    if (head.filled_at == 77) gate.pass();
    return true;
  };
  open();
  const CacheKey key = test_key("/busy");
  StoredHead first = test_head(key, 10, 1, 1000);
  first.filled_at = 77;
  WaitingExecutor& executor = executor_of_this_thread();
  bool told = false;
  const auto blocker = store_->begin(key, std::nullopt);
  ASSERT_TRUE(blocker->append(Chunk::copy_of(test_body(10, 1))));
  blocker->commit(first, std::nullopt, executor, [&](bool stored) { told = stored; });
  gate.wait_for_arrival();

  const auto writer = store_->begin(key, std::nullopt);
  const std::string body = test_body(2'000'000, 2);
  EXPECT_FALSE(writer->append(Chunk::copy_of(body)));
  EXPECT_FALSE(writer->append(Chunk::copy_of("more")));
  EXPECT_GT(count(Counter::kDiskWriteBacklog), 256 * 1024);
  EXPECT_LE(count(Counter::kDiskWriteBacklog), 600 * 1024);
  EXPECT_EQ(count(Counter::kDiskWritesRefused), 1);
  bool refused_told = false;
  writer->commit(test_head(key, body.size(), 2, 1001), std::nullopt, executor, [&](bool stored) {
    EXPECT_FALSE(stored);
    refused_told = true;
  });
  executor.run_until(refused_told);
  gate.open();
  executor.run_until(told);
  store_->settle();
  EXPECT_EQ(count(Counter::kDiskWriteBacklog), 0);
  EXPECT_EQ(find(*store_, key)->front()->head().body_size, 10U);
}

TEST_F(RocksdbStoreTest, RefusesABodyThatWouldDropItsOwnBeginning) {
  options_.byte_limit = 16ULL << 20;
  open();
  EXPECT_EQ(store_->begin(test_key("/huge"), 12ULL << 20), nullptr);
  const auto writer = store_->begin(test_key("/huge"), std::nullopt);
  const Chunk mebibyte = Chunk::copy_of(test_body(1 << 20, 1));
  bool taken = true;
  for (int i = 0; i < 12 && taken; ++i) taken = writer->append(mebibyte);
  EXPECT_FALSE(taken);
}

TEST_F(RocksdbStoreTest, ReservedIdsAreNeverGivenTwice) {
  open();
  const std::uint64_t first = store_->reserve_ids("x", 10).value();
  EXPECT_EQ(store_->reserve_ids("x", 5).value(), first + 10);
  reopen();
  EXPECT_EQ(store_->reserve_ids("x", 1).value(), first + 15);
  EXPECT_EQ(store_->reserve_ids("y", 1).value(), 1U);
}

TEST_F(RocksdbStoreTest, RefusesAnUnknownFormatVersionNamingBoth) {
  open();
  store_ = nullptr;
  set_format(42);
  const std::string error = open_error();
  EXPECT_NE(error.find(options_.directory), std::string::npos) << error;
  EXPECT_NE(error.find("version 42"), std::string::npos) << error;
  EXPECT_NE(error.find("version " + std::to_string(kFormatVersion)), std::string::npos) << error;
}

TEST_F(RocksdbStoreTest, MigratesAStoreOfVersionOne) {
  open();
  const CacheKey key = test_key("/old");
  ASSERT_TRUE(put_simple(key, 100, 1));
  const StoredHead head = find(*store_, key)->front()->head();
  store_ = nullptr;
  {
    // As version 1 wrote it: form 1, without the list of tags.
    std::string record = encode_head(head);
    record.resize(record.size() - 8 - 4);
    record[0] = 1;
    record += encode_u64(digest128(record).low);
    Database::Batch batch;
    batch.head_puts.emplace_back(head_key(key.digest, variant_digest({})), record);
    ASSERT_TRUE(open_database()->write(batch).ok());
  }
  set_format(1);
  open();
  ASSERT_NE(find(*store_, key), nullptr);
  EXPECT_EQ(read_body(*find(*store_, key)->front()), test_body(100, 1));
  store_ = nullptr;
  EXPECT_EQ(format(), kFormatVersion);
}

TEST_F(RocksdbStoreTest, MigratesAStoreOfVersionTwo) {
  open();
  const CacheKey key = test_key("/one-family");
  ASSERT_TRUE(put_simple(key, 900'000, 1));
  store_ = nullptr;
  set_format(2);
  {
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(
                    {}, options_.directory,
                    {{"default", {}}, {"responses", {}}, {"bodies", {}}, {"bodies_main", {}}, {"state", {}}},
                    &families, &db)
                    .ok());
    ASSERT_TRUE(db->DropColumnFamily(families[3]).ok());
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    delete db;
  }
  open();
  ASSERT_NE(find(*store_, key), nullptr);
  EXPECT_TRUE(read_body(*find(*store_, key)->front()) == test_body(900'000, 1));
  store_ = nullptr;
  EXPECT_EQ(format(), kFormatVersion);
}

TEST_F(RocksdbStoreTest, VariantsThatShareABodyAreThereAfterReopening) {
  open();
  const CacheKey key = test_key("/two-heads");
  const std::size_t sizes[] = {100, 900'000};
  for (const std::size_t size : sizes) {
    ASSERT_TRUE(put_simple(key, size, 1));
    const std::int64_t written = count(Counter::kDiskWriteBytes);
    StoredResponsePtr old = find(*store_, key)->front();
    StoredHead head = old->head();
    head.selecting = {{"accept-language", "de"}};
    store_->add_variant(old, std::make_shared<const StoredResponse>(head, old->body(), Describe()));
    store_->settle();
    EXPECT_EQ(count(Counter::kDiskWriteBytes), written);
    old = nullptr;  // bodies keep the files open
    reopen();
    const VariantSetPtr found = find(*store_, key);
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->size(), 2U);
    EXPECT_EQ((*found)[0]->body(), (*found)[1]->body());
    for (const StoredResponsePtr& each : *found) EXPECT_TRUE(read_body(*each) == test_body(size, 1));
    store_->remove(key);
  }
}

// One is no longer current; the other goes on to use the body.
TEST_F(RocksdbStoreTest, ADeadHeadLeavesTheBodyToAnother) {
  options_.is_current = [](const StoredHead& head) { return head.tags.empty(); };
  open();
  const CacheKey key = test_key("/one-dead");
  ASSERT_TRUE(put_simple(key, 900'000, 1));
  const StoredHead head = find(*store_, key)->front()->head();
  store_ = nullptr;
  {
    StoredHead dead = head;
    dead.selecting = {{"accept-language", "de"}};
    dead.tags = {"group:dead"};
    Database::Batch batch;
    batch.head_puts.emplace_back(head_key(key.digest, variant_digest(dead.selecting)), encode_head(dead));
    ASSERT_TRUE(open_database()->write(batch).ok());
  }
  open();
  ASSERT_NE(find(*store_, key), nullptr);
  store_->settle();
  VariantSetPtr found = find(*store_, key);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->size(), 1U);
  EXPECT_TRUE(read_body(*found->front()) == test_body(900'000, 1));
  found = nullptr;
  store_ = nullptr;
  std::string record;
  EXPECT_EQ(
      open_database()->read_head(head_key(key.digest, variant_digest({{"accept-language", "de"}})), record),
      ReadStatus::kMissing);
}

TEST_F(RocksdbStoreTest, RefusesAStoreWithFamiliesItDoesNotKnow) {
  open();
  store_ = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::DB* db = nullptr;
  rocksdb::DBOptions options;
  options.create_missing_column_families = true;
  ASSERT_TRUE(rocksdb::DB::Open(options, options_.directory,
                                {{"default", {}},
                                 {"responses", {}},
                                 {"bodies", {}},
                                 {"bodies_main", {}},
                                 {"state", {}},
                                 {"tomorrow", {}}},
                                &families, &db)
                  .ok());
  for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  delete db;
  EXPECT_NE(open_error().find("format version"), std::string::npos);
}

TEST_F(RocksdbStoreTest, RefusesADirectoryInUse) {
  open();
  const std::string error = open_error();
  EXPECT_NE(error.find(options_.directory), std::string::npos) << error;
  EXPECT_NE(error.find("in use"), std::string::npos) << error;
}

TEST_F(RocksdbStoreTest, RefusesWhatIsNoDirectory) {
  std::ofstream(options_.directory) << "a file";
  EXPECT_NE(open_error().find(options_.directory), std::string::npos);
}

TEST_F(RocksdbStoreTest, RefusesATinyLimit) {
  options_.byte_limit = 1 << 20;
  EXPECT_NE(open_error().find("at least"), std::string::npos);
}

TEST_F(RocksdbStoreTest, ADamagedHeadIsAMissAndRemoved) {
  open();
  const CacheKey key = test_key("/bad-head");
  ASSERT_TRUE(put_simple(key, 10, 1));
  store_ = nullptr;
  const std::string at = head_key(key.digest, variant_digest({}));
  {
    const auto database = open_database();
    std::string record;
    ASSERT_EQ(database->read_head(at, record), ReadStatus::kFound);
    record[20] = static_cast<char>(record[20] ^ 1);
    Database::Batch batch;
    batch.head_puts.emplace_back(at, record);
    ASSERT_TRUE(database->write(batch).ok());
  }
  open();
  EXPECT_EQ(find(*store_, key), nullptr);
  EXPECT_GE(count(Counter::kDiskCorrupt), 1);
  store_ = nullptr;
  std::string record;
  EXPECT_EQ(open_database()->read_head(at, record), ReadStatus::kMissing);
}

TEST_F(RocksdbStoreTest, AChunkOfAnotherResponseIsAMissAndTheHeadRemoved) {
  open();
  const CacheKey key = test_key("/bad-chunk");
  ASSERT_TRUE(put_simple(key, 10, 1));
  const std::uint64_t id = find(*store_, key)->front()->head().body_id;
  store_ = nullptr;
  {
    Database::Batch batch;
    batch.chunks.push_back({{id, test_key("/other").digest, 0, 10}, {Chunk::copy_of(test_body(10, 9))}});
    ASSERT_TRUE(open_database()->write(batch).ok());
  }
  open();
  EXPECT_EQ(find(*store_, key), nullptr);
  EXPECT_EQ(count(Counter::kDiskCorrupt), 1);
  store_->settle();
  EXPECT_EQ(find(*store_, key), nullptr);
  EXPECT_EQ(count(Counter::kDiskCorrupt), 1);
}

TEST_F(RocksdbStoreTest, AFlippedBitInAFileIsAMiss) {
  open();
  const CacheKey key = test_key("/flipped");
  ASSERT_TRUE(put_simple(key, 200'000, 1));
  store_ = nullptr;
  open_database().reset();  // recovery writes the chunk to a file
  std::filesystem::path largest;
  for (const auto& file : std::filesystem::directory_iterator(options_.directory)) {
    if (file.path().extension() != ".sst") continue;
    if (largest.empty() || file.file_size() > std::filesystem::file_size(largest)) largest = file.path();
  }
  std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100'000);
  file.put('#');
  file.close();
  open();
  EXPECT_EQ(find(*store_, key), nullptr);
  EXPECT_EQ(count(Counter::kDiskCorrupt), 1);
  ASSERT_TRUE(put_simple(key, 100, 2));
  EXPECT_NE(find(*store_, key), nullptr);
}

// RocksDB opens only some tables at start; a read of the cache alone cannot tell what is in the others.
TEST_F(RocksdbStoreTest, ServesWhatIsInTablesThatAreNotOpen) {
  options_.max_open_files = 20;
  constexpr unsigned kFiles = 40;
  const auto key = [](unsigned i) { return test_key("/file/" + std::to_string(i)); };
  for (unsigned i = 0; i < kFiles; ++i) {
    reopen();  // recovery makes a file of each round's log
    ASSERT_TRUE(put_simple(key(i), 2000 + i, i));
  }
  reopen();
  for (unsigned i = 0; i < kFiles; ++i) {
    static_cast<void>(store_->try_lookup(key(i)));
    const VariantSetPtr found = find(*store_, key(i));
    ASSERT_NE(found, nullptr) << i;
    EXPECT_EQ(read_body(*found->front()), test_body(2000 + i, i));
  }
  EXPECT_EQ(count(Counter::kDiskCorrupt), 0);
}

TEST_F(RocksdbStoreTest, ALostChunkInTheMiddleEndsTheReadAndRemovesTheResponse) {
  open();
  const CacheKey key = test_key("/hole");
  ASSERT_TRUE(put_simple(key, 3 * kBodyChunkSize, 1));
  const std::uint64_t id = find(*store_, key)->front()->head().body_id;
  store_ = nullptr;
  {
    Database::Batch batch;
    batch.chunks.push_back({{id, key.digest, 1, 4}, {Chunk::copy_of("shrt")}});
    ASSERT_TRUE(open_database()->write(batch).ok());
  }
  open();
  const VariantSetPtr found = find(*store_, key);
  ASSERT_NE(found, nullptr);
  EXPECT_FALSE(read_body(*found->front()).has_value());
  EXPECT_EQ(find(*store_, key), nullptr);
}

TEST_F(RocksdbStoreTest, KeepsServingWhileTheOldestIsDropped) {
  options_.byte_limit = 16ULL << 20;
  open();
  constexpr unsigned kCount = 80;
  for (unsigned i = 0; i < kCount; ++i) {
    ASSERT_TRUE(put_simple(test_key("/n/" + std::to_string(i)), 600'000, i));
    store_->settle();  // a slow disk must not refuse the next
    const VariantSetPtr newest = find(*store_, test_key("/n/" + std::to_string(i)));
    ASSERT_NE(newest, nullptr);
    EXPECT_TRUE(read_body(*newest->front()) == test_body(600'000, i));
    // An older one may be dropped under the reader; what is read is right or fails.
    const VariantSetPtr older = find(*store_, test_key("/n/" + std::to_string(i / 2)));
    const auto body = older ? read_body(*older->front()) : std::nullopt;
    EXPECT_TRUE(!body || *body == test_body(600'000, i / 2));
  }
  EXPECT_EQ(find(*store_, test_key("/n/0")), nullptr);
  EXPECT_GT(count(Counter::kDiskEvictions), 0);
  store_ = nullptr;  // ends what RocksDB does behind
  std::uint64_t on_disk = 0;
  for (const auto& file : std::filesystem::directory_iterator(options_.directory))
    on_disk += file.file_size();
  EXPECT_LE(on_disk, options_.byte_limit);
  open();
  EXPECT_LE(store_->file_bytes(), options_.byte_limit);
  EXPECT_EQ(find(*store_, test_key("/n/0")), nullptr);
  // What is found is there to its last chunk: nothing is being dropped any more.
  unsigned hits = 0;
  for (unsigned i = 0; i < kCount; ++i) {
    const VariantSetPtr found = find(*store_, test_key("/n/" + std::to_string(i)));
    if (!found) continue;
    ++hits;
    EXPECT_TRUE(read_body(*found->front()) == test_body(600'000, i)) << i;
  }
  EXPECT_GT(hits, 5U);
  EXPECT_LT(hits, kCount / 2);
  EXPECT_NE(find(*store_, test_key("/n/" + std::to_string(kCount - 1))), nullptr);
}

TEST_F(RocksdbStoreTest, BodiesThatAreHeldOutliveTheStore) {
  open();
  ASSERT_TRUE(put_simple(test_key("/held"), 600'000, 1));
  const StoredResponsePtr held = find(*store_, test_key("/held"))->front();
  Chunk chunk;
  ASSERT_EQ(held->body()->try_read(0, chunk), StoredBody::TryRead::kData);
  store_ = nullptr;
  EXPECT_EQ(chunk.view(), std::string_view(test_body(600'000, 1)).substr(0, kBodyChunkSize));
}

}  // namespace
}  // namespace freshet::storage
