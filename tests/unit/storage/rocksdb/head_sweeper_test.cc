// The sweep of the heads: what is dead goes, what is alive is counted, and space comes back after a purge.
#include <filesystem>
#include <gtest/gtest.h>
#include <limits>
#include <sys/stat.h>

#include "storage/rocksdb/database.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

class HeadSweeperTest : public testing::Test {
 protected:
  struct Swept {
    Sequence filled = 0;
    Sequence validated = 0;
    Sequence current = 0;
  };

  HeadSweeperTest() {
    options_.directory = directory_.path() + "/store";
    options_.byte_limit = 128ULL << 20;
    options_.memory = 16ULL << 20;
    options_.is_current = [this](const StoredHead& head) {
      return head.filled_at >= purged_ && (!most_ || head.key.digest.low % 4 == 0);
    };
    options_.current_sequence = [] { return Sequence{77}; };
    options_.on_swept = [this](Sequence filled, Sequence validated, Sequence current) {
      const MutexLock lock(mutex_);
      swept_ = {filled, validated, current};
    };
    open();
  }
  void open() {
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options_, {}, counters_);
    FRESHET_CHECK(opened.ok());
    store_ = opened.take();
  }
  void fill(unsigned from, unsigned to, std::size_t size) {
    for (unsigned i = from; i < to; ++i) {
      StoredHead head = test_head(test_key("/" + std::to_string(i)), size, i, 1000);
      head.filled_at = 10 + i;
      head.validated_at = 20 + i;
      ASSERT_TRUE(put(*store_, head, test_body(size, i)));
    }
  }
  unsigned hits(unsigned count, std::size_t size) {
    unsigned found = 0;
    for (unsigned i = 0; i < count; ++i) {
      const VariantSetPtr each = find(*store_, test_key("/" + std::to_string(i)));
      if (!each) continue;
      ++found;
      EXPECT_TRUE(read_body(*each->front()) == test_body(size, i));
    }
    return found;
  }
  std::uint64_t directory_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(options_.directory)) {
      struct stat found {};
      if (::stat(file.path().c_str(), &found) == 0)
        bytes += static_cast<std::uint64_t>(found.st_blocks) * 512;
    }
    return bytes;
  }
  Swept swept() {
    const MutexLock lock(mutex_);
    return swept_;
  }
  std::int64_t count(Counter counter) const { return counters_.get(counter); }

  TemporaryDirectory directory_;
  Counters counters_;
  RocksdbOptions options_;
  std::atomic<Sequence> purged_{0};
  std::atomic<bool> most_{false};
  Mutex mutex_;
  Swept swept_ GUARDED_BY(mutex_);
  std::unique_ptr<RocksdbStore> store_;
};

TEST_F(HeadSweeperTest, CountsTheLivingAndTellsTheOldest) {
  fill(0, 30, 100);
  store_->sweep();
  EXPECT_EQ(count(Counter::kDiskResponses), 30);
  EXPECT_EQ(swept().filled, 10U);
  EXPECT_EQ(swept().validated, 20U);
  EXPECT_EQ(swept().current, 77U);
  purged_ = 10 + 12;
  store_->sweep();
  EXPECT_EQ(count(Counter::kDiskResponses), 18);
  EXPECT_EQ(swept().filled, 22U);
  EXPECT_EQ(swept().validated, 32U);
  EXPECT_EQ(count(Counter::kDiskSwept), 12);
  // Their records are gone.
  purged_ = 0;
  EXPECT_EQ(hits(30, 100), 18U);
}

TEST_F(HeadSweeperTest, ManyDeadHeadsAreCompactedAway) {
  fill(0, 20, 100);
  store_ = nullptr;
  {
    DatabaseOptions options;
    options.directory = options_.directory;
    options.byte_limit = options_.byte_limit;
    options.memory = options_.memory;
    const auto database = Database::open(options, counters_).take();
    Database::Batch batch;
    for (unsigned i = 0; i < 40'000; ++i) {
      StoredHead head = test_head(test_key("/dead/" + std::to_string(i)), 0, i, 1000);
      head.body_id = 1;
      batch.head_puts.emplace_back(head_key(head.key.digest, variant_digest({})), encode_head(head));
    }
    ASSERT_TRUE(database->write(batch).ok());
  }
  purged_ = 1;
  open();
  store_->sweep();
  EXPECT_EQ(count(Counter::kDiskSwept), 40'000);
  EXPECT_EQ(count(Counter::kDiskResponses), 20);
  EXPECT_EQ(hits(20, 100), 20U);
}

TEST_F(HeadSweeperTest, NothingStoredHasNoOldest) {
  store_->sweep();
  EXPECT_EQ(swept().filled, std::numeric_limits<Sequence>::max());
}

TEST_F(HeadSweeperTest, SpaceComesBackAfterAPurgeOfAll) {
  constexpr unsigned kCount = 64;
  fill(0, kCount, 1 << 20);
  EXPECT_GT(directory_bytes(), 60ULL << 20);
  purged_ = 1000;
  store_->sweep();
  EXPECT_LT(directory_bytes(), 1ULL << 20);
  EXPECT_EQ(hits(kCount, 1 << 20), 0U);
  // And it goes on.
  purged_ = 0;
  fill(0, 3, 1 << 20);
  EXPECT_EQ(hits(kCount, 1 << 20), 3U);
}

// A purge of all takes what was there, not the beginning of what is being received.
TEST_F(HeadSweeperTest, ABodyThatIsBeingWrittenKeepsItsBeginning) {
  constexpr std::size_t kSize = 600'000;  // three chunks
  fill(0, 40, 1 << 20);
  const CacheKey key = test_key("/open");
  const std::string body = test_body(kSize, 1);
  const auto writer = store_->begin(key, std::nullopt);
  ASSERT_TRUE(writer->append(Chunk::copy_of(std::string_view(body).substr(0, 300'000))));
  purged_ = 1000;
  store_->sweep();
  ASSERT_TRUE(writer->append(Chunk::copy_of(std::string_view(body).substr(300'000))));
  StoredHead head = test_head(key, kSize, 1, 1000);
  head.filled_at = 2000;
  WaitingExecutor& executor = executor_of_this_thread();
  bool told = false;
  writer->commit(head, std::nullopt, executor, [&](bool stored) {
    EXPECT_TRUE(stored);
    told = true;
  });
  executor.run_until(told);
  const VariantSetPtr found = find(*store_, key);
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(read_body(*found->front()) == body);
  // With the next sweep the rest goes.
  store_->sweep();
  EXPECT_LT(directory_bytes(), 12ULL << 20);
  EXPECT_NE(find(*store_, key), nullptr);
}

// What is to be reclaimed ends where a body is being written: its beginning cannot be copied yet.
TEST_F(HeadSweeperTest, GivesUpWhatABodyThatIsBeingWrittenIsIn) {
  constexpr unsigned kCount = 300;
  constexpr std::size_t kSize = 100'000;
  const CacheKey key = test_key("/open");
  auto writer = store_->begin(key, std::nullopt);
  ASSERT_TRUE(writer->append(Chunk::copy_of(test_body(300'000, 1))));
  fill(0, kCount, kSize);
  most_ = true;
  store_->sweep();
  EXPECT_GT(directory_bytes(), kCount * kSize) << "in the oldest file, before all others";
  EXPECT_GT(hits(kCount, kSize), 0U);
  writer = nullptr;
  store_->sweep();
  EXPECT_LT(directory_bytes(), kCount * kSize / 2 + (12ULL << 20));
  EXPECT_EQ(count(Counter::kDiskCorrupt), 0);
}

TEST_F(HeadSweeperTest, SpaceComesBackWhereAQuarterIsLeft) {
  constexpr unsigned kCount = 300;
  constexpr std::size_t kSize = 100'000;
  fill(0, kCount, kSize);
  unsigned left = 0;
  for (unsigned i = 0; i < kCount; ++i) {
    left += test_key("/" + std::to_string(i)).digest.low % 4 == 0 ? 1 : 0;
  }
  most_ = true;
  store_->sweep();
  // All but the last files, the log and the memtables.
  EXPECT_LT(directory_bytes(), left * kSize + (12ULL << 20));
  EXPECT_EQ(hits(kCount, kSize), left);
  EXPECT_EQ(count(Counter::kDiskCorrupt), 0);
}

}  // namespace
}  // namespace freshet::storage
