#include "storage/rocksdb/invalidation_database.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "storage/rocksdb/record.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

namespace files = std::filesystem;

class InvalidationDatabaseTest : public ::testing::Test {
 protected:
  void open() {
    log_ = nullptr;
    auto opened = InvalidationDatabase::open({log_directory()});
    ASSERT_TRUE(opened.ok()) << opened.error();
    log_ = opened.take();
  }
  [[nodiscard]] std::string log_directory() const { return directory_.path() + "/invalidations"; }
  [[nodiscard]] std::string open_error() const {
    auto opened = InvalidationDatabase::open({log_directory()});
    return opened.ok() ? "" : opened.error();
  }
  static ScopeRecord record(ScopeKind kind, std::string text, Sequence sequence,
                            Strength strength = Strength::kHard) {
    ScopeRecord made = records_of({{{kind, std::move(text)}}, strength}, sequence).front();
    return made;
  }
  void write(std::vector<ScopeRecord> newest, std::vector<ScopeName> gone = {}) {
    InvalidationLog::Batch batch;
    batch.newest = std::move(newest);
    batch.gone = std::move(gone);
    ASSERT_TRUE(log_->write(batch, true).ok());
  }
  // "kind strength number text" of each, sorted.
  [[nodiscard]] std::vector<std::string> contents() const {
    std::vector<std::string> lines;
    const std::vector<ScopeRecord> records = log_->records().take();
    for (const ScopeRecord& each : records) {
      lines.push_back(std::to_string(static_cast<int>(each.name.kind)) +
                      (each.strength == Strength::kHard ? " hard " : " soft ") +
                      std::to_string(each.sequence) + " " + each.text);
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }
  // Puts into the log's RocksDB what a later program might have put.
  void put_raw(const std::string& key, const std::string& value) {
    log_ = nullptr;
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, log_directory(), &raw).ok());
    EXPECT_TRUE(raw->Put({}, key, value).ok());
    EXPECT_TRUE(raw->Flush({}).ok());
    delete raw;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<InvalidationDatabase> log_;
};

using Lines = std::vector<std::string>;

TEST_F(InvalidationDatabaseTest, KeepsTheNewestOfEachScopeAcrossAnOpening) {
  open();
  const std::uint64_t id = log_->id();
  EXPECT_NE(id, 0U);
  EXPECT_EQ(contents(), Lines{});
  write({record(ScopeKind::kUrl, "http://a.test/1#x", 5), record(ScopeKind::kTag, "t", 5)});
  write({record(ScopeKind::kUrl, "http://a.test/1", 7), record(ScopeKind::kAll, "", 8, Strength::kSoft)});
  const std::vector<ScopeRecord> before = log_->records().value();
  open();
  EXPECT_EQ(log_->id(), id);
  EXPECT_EQ(contents(), (Lines{"0 soft 8 ", "3 hard 5 t", "4 hard 7 http://a.test/1"}));
  const std::vector<ScopeRecord> after = log_->records().value();
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].name, after[i].name);
    EXPECT_EQ(before[i].host, after[i].host);
  }
}

TEST_F(InvalidationDatabaseTest, AHardOneTakesTheSoftOneAwayAndGoneIsGone) {
  open();
  write({record(ScopeKind::kUrl, "http://a.test/1", 5, Strength::kSoft), record(ScopeKind::kTag, "t", 5)});
  write({record(ScopeKind::kUrl, "http://a.test/1", 6)});
  EXPECT_EQ(contents(), (Lines{"3 hard 5 t", "4 hard 6 http://a.test/1"}));
  write({record(ScopeKind::kUrl, "http://a.test/1", 7, Strength::kSoft)});
  EXPECT_EQ(contents(), (Lines{"3 hard 5 t", "4 hard 6 http://a.test/1", "4 soft 7 http://a.test/1"}));
  write({record(ScopeKind::kHost, "a.test:80", 7)}, {record(ScopeKind::kUrl, "http://a.test/1", 0).name});
  EXPECT_EQ(contents(), (Lines{"1 hard 7 a.test:80", "3 hard 5 t"}));
}

TEST_F(InvalidationDatabaseTest, WhatIsDroppedLeavesItsFloor) {
  open();
  for (Sequence i = 1; i <= 40'000; ++i) {
    InvalidationLog::Batch batch;
    batch.newest = {record(ScopeKind::kUrl, "http://a.test/" + std::to_string(i), i)};
    ASSERT_TRUE(log_->write(batch, false).ok());
  }
  write({record(ScopeKind::kTag, "t", 20, Strength::kSoft)});
  ASSERT_TRUE(log_->drop_older_than(39'999, 19).ok());
  EXPECT_EQ(contents(),
            (Lines{"0 hard 39999 ", "0 soft 19 ", "3 soft 20 t", "4 hard 40000 http://a.test/40000"}));
  ASSERT_TRUE(log_->drop_older_than(30, 25).ok());
  EXPECT_EQ(contents(), (Lines{"0 hard 39999 ", "0 soft 25 ", "4 hard 40000 http://a.test/40000"}))
      << "a floor never goes down";
}

TEST_F(InvalidationDatabaseTest, ReservedNumbersGoUpOnly) {
  open();
  EXPECT_EQ(log_->reserved(), 1U);
  InvalidationLog::Batch batch;
  batch.reserved = 1000;
  ASSERT_TRUE(log_->write(batch, true).ok());
  batch.reserved = 10;
  ASSERT_TRUE(log_->write(batch, true).ok());
  open();
  EXPECT_EQ(log_->reserved(), 1000U);
}

TEST_F(InvalidationDatabaseTest, AnotherProcessOrVersionIsRefused) {
  open();
  auto second = InvalidationDatabase::open({log_directory()});
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().find("in use"), std::string::npos) << second.error();
  EXPECT_NE(second.error().find(log_directory()), std::string::npos) << second.error();
  put_raw("format", encode_u32(9));
  const std::string error = open_error();
  EXPECT_NE(error.find("version 9"), std::string::npos) << error;
  EXPECT_NE(error.find("version 1"), std::string::npos) << error;
  EXPECT_FALSE(files::exists(log_directory() + ".damaged"));
}

TEST_F(InvalidationDatabaseTest, ADamagedLogIsSetAsideAndTheNewOneHasAnotherId) {
  open();
  const std::uint64_t id = log_->id();
  write({record(ScopeKind::kTag, "t", 5)});
  put_raw("s?", "what is this");
  open();
  EXPECT_NE(log_->id(), id);
  EXPECT_EQ(contents(), Lines{});
  EXPECT_TRUE(files::exists(log_directory() + ".damaged/CURRENT"));
  // And once more, over the one that stands aside.
  write({record(ScopeKind::kTag, "t", 5)});
  log_ = nullptr;
  std::ofstream(log_directory() + "/CURRENT") << "MANIFEST-99\n";
  open();
  EXPECT_EQ(contents(), Lines{});
}

// A flipped bit in a table, and one in the middle of RocksDB's log: neither may cost a purge silently.
TEST_F(InvalidationDatabaseTest, AFlippedBitIsFoundAtTheOpening) {
  for (const std::string ending : {".sst", ".log"}) {
    open();
    const std::uint64_t id = log_->id();
    for (Sequence i = 1; i < 50; ++i) write({record(ScopeKind::kTag, "t" + std::to_string(i), i)});
    if (ending == ".sst") put_raw("reserved", encode_u64(1));
    log_ = nullptr;
    std::string path;
    for (const auto& each : files::directory_iterator(log_directory())) {
      if (each.path().extension() == ending && each.file_size() > 500) path = each.path().string();
    }
    ASSERT_FALSE(path.empty()) << ending;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(300);
    file.put('\x55');
    file.close();
    open();
    EXPECT_NE(log_->id(), id) << ending;
  }
}

class RestoreTest : public InvalidationDatabaseTest {
 protected:
  // One run of the process: `use` gets what it has after the start.
  void run(const std::function<void(RocksdbStore&, Generations&)>& use = [](RocksdbStore&, Generations&) {}) {
    open();
    RocksdbOptions options;
    options.directory = directory_.path() + "/responses";
    options.byte_limit = 64ULL << 20;
    options.memory = 8ULL << 20;
    auto store = RocksdbStore::open(options, {}, counters_);
    ASSERT_TRUE(store.ok()) << store.error();
    Generations generations;
    const Status restored = restore_invalidations(**store, *log_, generations);
    ASSERT_TRUE(restored.ok()) << restored.error();
    use(**store, generations);
    (*store)->settle();
    store->reset();
    log_ = nullptr;
  }
  // As a program without a log would have left it.
  void put_old_state(const std::string& key, const std::string& value) {
    using rocksdb::ColumnFamilyDescriptor;
    const std::string path = directory_.path() + "/responses";
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, path, &names).ok());
    std::vector<ColumnFamilyDescriptor> families;
    for (const std::string& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* raw = nullptr;
    const rocksdb::Status opened = rocksdb::DB::Open({}, path, families, &handles, &raw);
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] != "state") continue;
      EXPECT_TRUE(raw->Put({}, handles[i], key, value).ok());
      EXPECT_TRUE(raw->Delete({}, handles[i], "invalidation-log").ok());
    }
    for (auto* each : handles) raw->DestroyColumnFamilyHandle(each);
    delete raw;
  }

  Counters counters_;
};

TEST_F(RestoreTest, NumbersAreAboveAllThatWereIssued) {
  Sequence first = 0;
  run([&](RocksdbStore&, Generations& generations) { first = generations.current(); });
  run([&](RocksdbStore&, Generations& generations) {
    EXPECT_GE(generations.current(), first + (Sequence{1} << 40U));
    EXPECT_GE(log_->reserved(), generations.current() + (Sequence{1} << 40U));
  });
}

TEST_F(RestoreTest, AStoreWithAnotherLogThanItsOwnForgetsWhatItHas) {
  const auto has = [](RocksdbStore& store) { return find(store, test_key("/a")) != nullptr; };
  run([&](RocksdbStore& store, Generations&) {
    ASSERT_TRUE(put(store, test_head(test_key("/a"), 5, 1, 1000), test_body(5, 1)));
  });
  run([&](RocksdbStore& store, Generations&) { EXPECT_TRUE(has(store)); });
  Sequence before = 0;
  run([&](RocksdbStore&, Generations& generations) { before = generations.current(); });
  files::remove_all(log_directory());
  run([&](RocksdbStore& store, Generations& generations) {
    EXPECT_FALSE(has(store));
    EXPECT_GT(generations.current(), before) << "the store knows what was issued";
    ASSERT_TRUE(put(store, test_head(test_key("/a"), 5, 1, 1000), test_body(5, 1)));
  });
  run([&](RocksdbStore& store, Generations&) { EXPECT_TRUE(has(store)); });
}

TEST_F(RestoreTest, WhatAnOlderProgramKeptOfTagsMovesIntoTheLog) {
  run([&](RocksdbStore& store, Generations&) {
    ASSERT_TRUE(put(store, test_head(test_key("/a"), 5, 1, 1000), test_body(5, 1)));
  });
  files::remove_all(log_directory());
  put_old_state("tag/" + head_key_prefix(digest128("group:a")), encode_u64(70));
  put_old_state("tag-floor", encode_u64(50));
  const auto standing = [](const Generations& generations, std::string tag, Sequence filled_at) {
    StoredHead head = test_head(test_key("/x"), 5, 1, 1000);
    head.filled_at = filled_at;
    head.tags = {std::move(tag)};
    return generations.standing(head);
  };
  // The second time they come from the log.
  for (int time = 0; time < 2; ++time) {
    run([&](RocksdbStore& store, Generations& generations) {
      EXPECT_NE(find(store, test_key("/a")), nullptr) << "it had no log that could be missing";
      EXPECT_EQ(standing(generations, "group:a", 69), Standing::kDead);
      EXPECT_EQ(standing(generations, "group:a", 70), Standing::kCurrent);
      EXPECT_EQ(standing(generations, "other", 49), Standing::kDead);
      EXPECT_EQ(standing(generations, "other", 50), Standing::kCurrent);
      EXPECT_TRUE(store.old_invalidations().value().empty());
    });
  }
}

}  // namespace
}  // namespace freshet::storage
