// The disk tier on a disk that fails: what fails is a miss or a refused write, counted and logged; nothing
// wrong is ever served; and when the fault passes, all works again without a restart.
#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>
#include <rocksdb/sst_file_reader.h>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "storage/base/hash.h"
#include "storage/rocksdb/invalidation_database.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "storage/tiered_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/support/fault_env.h"
#include "tests/support/responses.h"
#include "tests/support/soon.h"
#include "tests/support/tsan.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

using tests::FaultEnv;
using tests::FileKind;
using tests::FileOp;
using What = tests::Fault::What;

constexpr std::size_t kLarge = 600'000;  // three chunks

class FaultyDisk : public testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void TearDown() override { close(); }

  Status open(const std::string& directory) {
    RocksdbOptions options;
    options.directory = directory;
    options.byte_limit = 64ULL << 20;
    options.memory = 8ULL << 20;
    options.loss_bound = Milliseconds{20};
    options.close_bound = close_bound_;
    options.full_disk_bound = full_disk_bound_;
    options.env = env_.env();
    options.on_swept = [this](Sequence, Sequence, Sequence) { ++swept_; };
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options, {}, counters_);
    if (!opened.ok()) return Error{opened.error()};
    disk_ = opened.take();
    return {};
  }
  void reopen() {
    close();
    const Status opened = open(directory_.path());
    ASSERT_TRUE(opened.ok()) << opened.error();
  }
  // Faults end first: closing writes what waits.
  void close() {
    env_.clear();
    executor_of_this_thread().run_posted();
    disk_ = nullptr;
  }
  bool store(unsigned i, std::size_t size) {
    return put(*disk_, test_head(test_key("/" + std::to_string(i)), size, i, 1000), test_body(size, i));
  }
  // Nothing wrong; whether it is there.
  bool found(unsigned i, std::size_t size) {
    const VariantSetPtr variants = find(*disk_, test_key("/" + std::to_string(i)));
    if (variants == nullptr) return false;
    const std::optional<std::string> body = read_body(*variants->front());
    EXPECT_TRUE(!body || *body == test_body(size, i)) << i;
    return body.has_value();
  }
  // The store's own housekeeping sees to it that this comes to an end.
  void store_at_last(unsigned i, std::size_t size) {
    ASSERT_TRUE(tests::soon([&] { return store(i, size); })) << i;
  }
  // Others have: no byte more is taken, until clear().
  void fill_the_disk() {
    env_.inject({What::kNoSpace, {FileOp::kCreate, FileOp::kWrite}, {FileKind::kLog, FileKind::kTable}});
    ASSERT_TRUE(tests::soon([this] { return !store(100, kLarge); }));
  }
  void await_recovery() {
    store_at_last(1'000'000, 10);
    EXPECT_TRUE(found(1'000'000, 10));
  }
  [[nodiscard]] std::int64_t count(Counter counter) const { return counters_.get(counter); }

  FaultEnv env_;
  TemporaryDirectory directory_;
  Counters counters_;
  Milliseconds close_bound_{60'000};
  Milliseconds full_disk_bound_{600'000};
  std::atomic<int> swept_{0};
  std::unique_ptr<RocksdbStore> disk_;
};

struct Sweep {
  FileOp op;
  FileKind file;
  What what;
  std::uint64_t skip;
};
std::string sweep_name(const testing::TestParamInfo<Sweep>& info) {
  const char* ops[] = {"Create", "Write",         "Sync", "Read", "Rename",
                       "Remove", "SyncDirectory", "List", "Lock"};
  const char* files[] = {"Log", "Table", "Manifest", "Other"};
  const char* whats[] = {"NoSpace", "IoError", "HalfWritten", "FlippedBit", "Hold"};
  return std::string(whats[static_cast<int>(info.param.what)]) + ops[static_cast<int>(info.param.op)] +
         files[static_cast<int>(info.param.file)] + "After" + std::to_string(info.param.skip);
}

class FaultSweep : public FaultyDisk, public testing::WithParamInterface<Sweep> {};

// Whatever call fails, and however far the work has come.
TEST_P(FaultSweep, IsSurvivedAndPasses) {
  std::vector<std::pair<unsigned, std::size_t>> before;
  for (unsigned i = 0; i < 10; ++i) {
    const std::size_t size = i % 3 == 0 ? kLarge : 1000;
    ASSERT_TRUE(store(i, size));
    before.emplace_back(i, size);
  }
  disk_->settle();
  env_.inject({GetParam().what, {GetParam().op}, {GetParam().file}, GetParam().skip});
  // Enough for memtables to be flushed and tables to be compacted.
  for (unsigned i = 100; i < 130; ++i) {
    (void)store(i, i % 2 == 0 ? kLarge : 3000);
    disk_->settle();
  }
  for (const auto& [i, size] : before) (void)found(i, size);
  env_.clear();
  await_recovery();
  for (unsigned i = 200; i < 210; ++i) store_at_last(i, kLarge);
  const bool read_faults = GetParam().op == FileOp::kRead;
  for (const auto& [i, size] : before) EXPECT_TRUE(found(i, size) || read_faults) << i;
  for (unsigned i = 100; i < 130; ++i) (void)found(i, i % 2 == 0 ? kLarge : 3000);
  reopen();
  for (const auto& [i, size] : before) EXPECT_TRUE(found(i, size) || read_faults) << i;
  for (unsigned i = 200; i < 210; ++i) EXPECT_TRUE(found(i, kLarge)) << i;
}

std::vector<Sweep> all_of_them() {
  std::vector<Sweep> sweeps;
  for (const FileKind file : {FileKind::kLog, FileKind::kTable, FileKind::kManifest, FileKind::kOther}) {
    for (const FileOp op : {FileOp::kCreate, FileOp::kWrite, FileOp::kSync, FileOp::kRead, FileOp::kRename,
                            FileOp::kRemove, FileOp::kSyncDirectory}) {
      for (const What what : {What::kNoSpace, What::kIoError, What::kHalfWritten, What::kFlippedBit}) {
        if (what == What::kHalfWritten && op != FileOp::kWrite) continue;
        if (what == What::kFlippedBit && op != FileOp::kRead) continue;
        if (what == What::kNoSpace && (op == FileOp::kRead || op == FileOp::kRemove)) continue;
        if (op == FileOp::kSyncDirectory && file != FileKind::kOther) continue;
        if (op == FileOp::kRename && file != FileKind::kOther) continue;
        if (tests::kUnderTsan && what != What::kIoError) continue;
        sweeps.push_back({op, file, what, 0});
        if (!tests::kUnderTsan) sweeps.push_back({op, file, what, 3});
      }
    }
  }
  return sweeps;
}
INSTANTIATE_TEST_SUITE_P(Each, FaultSweep, testing::ValuesIn(all_of_them()), sweep_name);

// What was asked for on this thread, and is not waited for.
class Pending {
 public:
  explicit Pending(ResponseStore& store) : store_(store) {}
  // False: refused at once.
  bool store(unsigned i, std::size_t size) {
    const CacheKey key = test_key("/" + std::to_string(i));
    const std::unique_ptr<StoreWriter> writer = store_.begin(key, size);
    if (writer == nullptr || !writer->append(Chunk::copy_of(test_body(size, i)))) return false;
    writer->commit(test_head(key, size, i, 1000), std::nullopt, executor_of_this_thread(), [](bool) {});
    return true;
  }

 private:
  ResponseStore& store_;
};

TEST_F(FaultyDisk, AReadThatFailsIsAMissAndDeletesNothing) {
  for (unsigned i = 0; i < 40; ++i) ASSERT_TRUE(store(i, kLarge));  // most of it in tables
  reopen();
  env_.inject({What::kIoError, {FileOp::kRead}, {FileKind::kTable}});
  unsigned missed = 0;
  for (unsigned i = 0; i < 40; ++i) missed += found(i, kLarge) ? 0 : 1;
  EXPECT_GT(missed, 0U);
  EXPECT_GT(count(Counter::kDiskErrors), 0);
  env_.clear();
  for (unsigned i = 0; i < 40; ++i) EXPECT_TRUE(found(i, kLarge)) << i;
}

// What the sweep cannot read is not dead: its files stay, and so do the purges that might speak of it.
TEST_F(FaultyDisk, ASweepThatCannotReadForgetsAndDropsNothing) {
  for (unsigned i = 0; i < 40; ++i) ASSERT_TRUE(store(i, kLarge));
  reopen();
  const int before = swept_;
  env_.inject({What::kIoError, {FileOp::kRead}, {FileKind::kTable}});
  disk_->sweep();
  EXPECT_EQ(swept_, before);
  EXPECT_GT(count(Counter::kDiskErrors), 0);
  env_.clear();
  for (unsigned i = 0; i < 40; ++i) EXPECT_TRUE(found(i, kLarge)) << i;
  disk_->sweep();
  EXPECT_EQ(swept_, before + 1);
}

TEST_F(FaultyDisk, ABitFlippedOnTheWayIsAMissAndCounted) {
  for (unsigned i = 0; i < 40; ++i) ASSERT_TRUE(store(i, kLarge));
  reopen();
  env_.inject({What::kFlippedBit, {FileOp::kRead}, {FileKind::kTable}});
  unsigned missed = 0;
  for (unsigned i = 0; i < 40; ++i) missed += found(i, kLarge) ? 0 : 1;
  EXPECT_GT(missed, 0U);
  EXPECT_GT(count(Counter::kDiskCorrupt), 0);
  env_.clear();
  for (unsigned i = 0; i < 40; ++i) (void)found(i, kLarge);
  await_recovery();
}

// G6: two lines, whatever the number of failures in between.
TEST_F(FaultyDisk, SaysWhenItGoesOffAndWhenItComesBack) {
  testing::internal::CaptureStderr();
  env_.inject({What::kIoError, {FileOp::kWrite, FileOp::kSync}, {}});
  for (unsigned i = 0; i < 20; ++i) EXPECT_FALSE(store(i, 100));
  const std::int64_t errors = count(Counter::kDiskErrors);
  ASSERT_TRUE(tests::soon([&] { return count(Counter::kDiskErrors) >= errors + 5; }));  // so many tries
  env_.clear();
  await_recovery();
  const std::string log = testing::internal::GetCapturedStderr();
  const auto lines = [&log](const std::string& text) {
    std::size_t found = 0;
    for (std::size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(lines("off until the disk works again"), 1U) << log;
  EXPECT_EQ(lines("still off"), 1U) << log;
  EXPECT_EQ(lines("writes work again"), 1U) << log;
  EXPECT_GT(count(Counter::kDiskWritesRefused), 0);
}

TEST_F(FaultyDisk, MemoryServesOnWhileTheDiskFails) {
  Generations generations;
  MemoryStore memory(MemoryStoreOptions{}, {}, counters_);
  TieredStore tiered(memory, disk_.get(), generations, counters_);
  env_.inject({What::kNoSpace, {FileOp::kCreate, FileOp::kWrite}, {}});
  for (unsigned i = 0; i < 20; ++i) {
    const CacheKey key = test_key("/tiered/" + std::to_string(i));
    EXPECT_TRUE(put(tiered, test_head(key, 5000, i, 1000), test_body(5000, i)));
    const VariantSetPtr there = find(tiered, key);
    ASSERT_NE(there, nullptr);
    EXPECT_TRUE(read_body(*there->front()) == test_body(5000, i));
  }
  EXPECT_EQ(count(Counter::kDiskWrites), 0);
  env_.clear();
  await_recovery();
  EXPECT_GT(count(Counter::kDiskWrites), 0);
}

// What others fill the disk with costs a part of what is stored, and gives room for what waits in memory.
TEST_F(FaultyDisk, OnADiskThatStaysFullTheOldestGoes) {
  full_disk_bound_ = Milliseconds{0};
  reopen();
  for (unsigned i = 0; i < 60; ++i) ASSERT_TRUE(store(i, kLarge));
  // In use, but a copy of it would take room, not make any.
  EXPECT_TRUE(found(0, kLarge));
  disk_->settle();
  const std::uint64_t before = disk_->file_bytes();
  fill_the_disk();
  ASSERT_TRUE(tests::soon([&] { return disk_->file_bytes() < before; }));
  env_.clear();
  await_recovery();
  EXPECT_EQ(count(Counter::kDiskCopiedForward), 0);
  EXPECT_FALSE(found(0, kLarge));
  EXPECT_TRUE(found(59, kLarge));
  EXPECT_GE(disk_->file_bytes(), before / 2);
}

// However often it is full: a part of what is stored, once.
TEST_F(FaultyDisk, ADiskThatIsFullAgainAndAgainDoesNotTakeItAll) {
  full_disk_bound_ = Milliseconds{0};
  reopen();
  for (unsigned i = 0; i < 60; ++i) ASSERT_TRUE(store(i, kLarge));
  disk_->settle();
  const std::uint64_t before = disk_->file_bytes();
  for (int times = 0; times < 12; ++times) {
    fill_the_disk();
    for (int rounds = 0; rounds < 3; ++rounds) {
      const std::int64_t errors = count(Counter::kDiskErrors);
      ASSERT_TRUE(tests::soon([&] { return count(Counter::kDiskErrors) > errors; }));  // another try
      disk_->settle();
    }
    env_.clear();
    await_recovery();
  }
  EXPECT_FALSE(found(0, kLarge));
  EXPECT_GE(disk_->file_bytes(), before / 2);
}

// RocksDB may delete a file long after it was dropped: until then it is counted as one that goes, or all
// would go in its place.
TEST_F(FaultyDisk, FilesThatAreDeletedLateAreNotCountedTwice) {
  env_.inject({What::kIoError, {FileOp::kRemove}, {FileKind::kTable}});
  std::uint64_t most = 0;
  const auto has_dropped = [&] { return disk_->file_bytes() + 500'000 < most; };
  for (unsigned i = 0; i < 150 && !has_dropped(); ++i) {
    most = std::max(most, disk_->file_bytes());
    ASSERT_TRUE(store(i, kLarge)) << i;
    disk_->settle();
  }
  ASSERT_TRUE(has_dropped());
  for (int i = 0; i < 3; ++i) disk_->settle();
  EXPECT_GE(disk_->file_bytes(), std::uint64_t{32} << 20) << "half of the limit";
}

TEST_F(FaultyDisk, OpeningOnAFullDiskSaysSo) {
  close();
  for (const FileKind kind : {FileKind::kLog, FileKind::kManifest, FileKind::kOther}) {
    env_.inject({What::kNoSpace, {FileOp::kCreate, FileOp::kWrite}, {kind}});
    const Status opened = open(directory_.path());
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().find(directory_.path()), std::string::npos) << opened.error();
    EXPECT_NE(opened.error().find("No space left"), std::string::npos) << opened.error();
    env_.clear();
  }
  reopen();
  EXPECT_TRUE(store(1, kLarge));
}

// --- a power cut: G11, and nothing half

TEST_F(FaultyDisk, APowerCutTakesOnlyWhatWasNotSynced) {
  std::uint64_t reserved = 0;
  unsigned next = 0;
  const auto size = [](unsigned i) { return i % 4 == 0 ? kLarge : 2000 + i; };
  std::vector<unsigned> synced;
  const std::uint64_t cuts = tests::kUnderTsan ? 2 : 12;
  for (std::uint64_t seed = 0; seed < cuts; ++seed) {
    for (unsigned i = 0; i < 8; ++i, ++next) ASSERT_TRUE(store(next, size(next)));
    disk_->settle();
    for (unsigned i = 0; i < next; ++i) synced.push_back(i);
    const std::uint64_t first = disk_->reserve_ids("test", 10).value();
    EXPECT_GE(first, reserved);
    reserved = first + 10;
    Pending pending(*disk_);
    for (unsigned i = 0; i < 6; ++i, ++next) pending.store(next, size(next));

    const TemporaryDirectory other;
    const std::string copy = other.path() + "/copy";
    env_.copy_as_after_power_cut(directory_.path(), copy, seed);
    std::unique_ptr<RocksdbStore> running = std::exchange(disk_, nullptr);
    const Status opened = open(copy);
    ASSERT_TRUE(opened.ok()) << opened.error();
    EXPECT_TRUE(tests::files_named(other.path(), "copy.damaged", "").empty()) << seed;
    for (const unsigned i : synced) EXPECT_TRUE(found(i, size(i))) << "seed " << seed << ", " << i;
    for (unsigned i = 0; i < next; ++i) (void)found(i, size(i));
    EXPECT_GE(disk_->reserve_ids("test", 1).value(), reserved);
    // New bodies do not take the place of old ones.
    for (unsigned i = 0; i < 8; ++i) ASSERT_TRUE(store(10'000 + i, kLarge));
    for (const unsigned i : synced) EXPECT_TRUE(found(i, size(i))) << "seed " << seed << ", " << i;
    disk_ = std::move(running);
    disk_->settle();
    executor_of_this_thread().run_posted();
    synced.clear();
  }
}

// --- damage on disk

// The family that a table is of.
std::string family_of(const std::string& table) {
  rocksdb::SstFileReader reader{rocksdb::Options()};
  return reader.Open(table).ok() ? reader.GetTableProperties()->column_family_name : "";
}

class DamagedStore : public FaultyDisk {
 protected:
  // A store with much in tables and some in the log; closed.
  void SetUp() override {
    reopen();
    for (unsigned i = 0; i < 40; ++i) ASSERT_TRUE(store(i, kLarge));
    close();
    store_ = directory_.path() + "/store";
    std::filesystem::create_directory(store_);
    for (const std::string& file : tests::files_named(directory_.path(), "", "")) {
      if (file != store_) std::filesystem::rename(file, store_ + file.substr(directory_.path().size()));
    }
  }
  [[nodiscard]] std::string one(const std::string& beginning, const std::string& ending) const {
    const std::vector<std::string> found = tests::files_named(store_, beginning, ending);
    FRESHET_CHECK(!found.empty());
    return found.front();
  }
  [[nodiscard]] std::vector<std::string> moved_aside() const {
    return tests::files_named(directory_.path(), "store.damaged-", "");
  }
  // It opens, empty, beside what was moved away, and works.
  void expect_begun_anew() {
    const Status opened = open(store_);
    ASSERT_TRUE(opened.ok()) << opened.error();
    EXPECT_EQ(moved_aside().size(), 1U);
    for (unsigned i = 0; i < 40; ++i) EXPECT_FALSE(found(i, kLarge));
    for (unsigned i = 50; i < 90; ++i) EXPECT_TRUE(store(i, kLarge));
    for (unsigned i = 50; i < 90; ++i) EXPECT_TRUE(found(i, kLarge));
  }
  // It opens, and what it has is right.
  unsigned count_found() {
    const Status opened = open(store_);
    EXPECT_TRUE(opened.ok()) << opened.error();
    if (!opened.ok()) return 0;
    EXPECT_TRUE(moved_aside().empty());
    unsigned there = 0;
    for (unsigned i = 0; i < 40; ++i) there += found(i, kLarge) ? 1 : 0;
    // A compaction may have a damaged table in hand: then it goes with the next housekeeping.
    do store_at_last(50, kLarge);
    while (!found(50, kLarge));
    return there;
  }

  std::string store_;
};

TEST_F(DamagedStore, IsWholeBefore) {
  EXPECT_EQ(count_found(), 40U);
}
TEST_F(DamagedStore, ADamagedManifestMeansANewStore) {
  const std::string manifest = one("MANIFEST-", "");
  for (std::uint64_t at = 0; at < 60; at += 7) tests::flip_bit(manifest, at);
  expect_begun_anew();
}
TEST_F(DamagedStore, AMissingManifestMeansANewStore) {
  std::filesystem::remove(one("MANIFEST-", ""));
  expect_begun_anew();
}
TEST_F(DamagedStore, WithoutCurrentItIsANewStore) {
  std::filesystem::remove(store_ + "/CURRENT");
  expect_begun_anew();
}
TEST_F(DamagedStore, ADamagedCurrentMeansANewStore) {
  tests::flip_bit(store_ + "/CURRENT", 3);
  expect_begun_anew();
}
TEST_F(DamagedStore, AMissingTableIsMissesOfWhatItHeld) {
  std::filesystem::remove(one("", ".sst"));
  EXPECT_GT(count_found(), 0U);
}
TEST_F(DamagedStore, WithoutAnyTableOfHeadsItIsEmptyAndWorks) {
  for (const std::string& each : tests::files_named(store_, "", ".sst")) {
    if (family_of(each) == "responses") std::filesystem::resize_file(each, 10);
  }
  (void)count_found();
}
TEST_F(DamagedStore, WithoutItsStateItIsANewStore) {
  unsigned damaged = 0;
  for (const std::string& each : tests::files_named(store_, "", ".sst")) {
    if (family_of(each) != "state") continue;
    std::filesystem::resize_file(each, 10);
    ++damaged;
  }
  if (damaged == 0) GTEST_SKIP() << "all of it stands in the log";
  expect_begun_anew();
}
TEST_F(DamagedStore, OnlyTheLastDamagedOneIsKept) {
  std::filesystem::remove(store_ + "/CURRENT");
  expect_begun_anew();
  const std::string first = moved_aside().front();
  close();
  std::filesystem::remove(store_ + "/CURRENT");
  expect_begun_anew();
  EXPECT_NE(moved_aside().front(), first);
}
TEST_F(DamagedStore, FlippedBitsInATableAreMissesOfWhatItHeld) {
  const std::string table = one("", ".sst");
  const std::uint64_t size = std::filesystem::file_size(table);
  for (std::uint64_t at = 100; at < size; at += 50'000) tests::flip_bit(table, at);
  const unsigned left = count_found();
  EXPECT_GT(left, 0U);
  EXPECT_LT(left, 40U);
  EXPECT_GT(count(Counter::kDiskCorrupt), 0);
}
TEST_F(DamagedStore, ADamagedEndOfATableIsMissesOfWhatItHeld) {
  const std::string table = one("", ".sst");
  const std::uint64_t size = std::filesystem::file_size(table);
  for (std::uint64_t at = size - 60; at < size; at += 3) tests::flip_bit(table, at);
  EXPECT_GT(count_found(), 0U);
}
TEST_F(DamagedStore, AnEmptyTableIsMissesOfWhatItHeld) {
  std::filesystem::resize_file(one("", ".sst"), 0);
  EXPECT_GT(count_found(), 0U);
}
TEST_F(DamagedStore, ATornLogLosesItsEnd) {
  const std::vector<std::string> logs = tests::files_named(store_, "", ".log");
  ASSERT_FALSE(logs.empty());
  std::filesystem::resize_file(logs.back(), std::filesystem::file_size(logs.back()) / 2);
  EXPECT_GT(count_found(), 0U);
}
// Whatever RocksDB makes of it, the store comes up and serves nothing wrong.
TEST_F(DamagedStore, AFlippedBitAnywhereInTheLogIsSurvived) {
  const std::string saved = directory_.path() + "/saved";
  std::filesystem::rename(store_, saved);
  for (unsigned part = 0; part < 8; ++part) {
    close();
    std::filesystem::remove_all(store_);
    std::filesystem::copy(saved, store_);
    const std::string log = tests::files_named(store_, "", ".log").back();
    tests::flip_bit(log, part * std::filesystem::file_size(log) / 8 + 1);
    const Status opened = open(store_);
    ASSERT_TRUE(opened.ok()) << opened.error();
    for (unsigned i = 0; i < 40; ++i) (void)found(i, kLarge);
    EXPECT_TRUE(store(50, kLarge));
    EXPECT_TRUE(found(50, kLarge));
  }
}

TEST_F(FaultyDisk, ADamagedTableOfHeadsIsForgottenWhenItIsCompacted) {
  unsigned next = 0;
  const auto store_some = [&] {
    StoredHead head = test_head(test_key("/" + std::to_string(next)), 100, next, 1000);
    // Random, so that it is not packed.
    head.response.fields.add("X-Long", tests::patterned(30'000, next + 7));
    (void)put(*disk_, std::move(head), test_body(100, next));
    ++next;
  };
  std::string table;
  while (table.empty()) {
    store_some();
    for (const std::string& each : tests::files_named(directory_.path(), "", ".sst")) {
      if (family_of(each) == "responses") table = each;
    }
  }
  const unsigned damaged_before = next;
  for (std::uint64_t at = 100; at < 100'000; at += 1000) tests::flip_bit(table, at);
  while (count(Counter::kDiskCorrupt) == 0 && std::filesystem::exists(table)) store_some();
  while (std::filesystem::exists(table)) std::this_thread::yield();
  EXPECT_GT(count(Counter::kDiskCorrupt), 0);
  const unsigned forgotten_before = next;
  for (unsigned i = 0; i < 200; ++i) store_some();
  await_recovery();
  for (unsigned i = 0; i < damaged_before; ++i) (void)found(i, 100);
  for (unsigned i = forgotten_before; i < next; ++i) EXPECT_TRUE(found(i, 100)) << i;
  reopen();
  for (unsigned i = forgotten_before; i < next; ++i) EXPECT_TRUE(found(i, 100)) << i;
}

TEST_F(FaultyDisk, ItsFilesRemovedWhileItRuns) {
  for (unsigned i = 0; i < 20; ++i) ASSERT_TRUE(store(i, kLarge));
  testing::internal::CaptureStderr();
  std::error_code again;  // a file may appear meanwhile
  do std::filesystem::remove_all(directory_.path(), again);
  while (std::filesystem::exists(directory_.path()));
  while (disk_->begin(test_key("/x"), 1) != nullptr) std::this_thread::yield();
  for (unsigned i = 0; i < 20; ++i) (void)found(i, kLarge);
  disk_->remove(test_key("/1"));
  EXPECT_FALSE(found(1, kLarge));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("were removed while they were in use; restart to begin anew"), std::string::npos) << log;
  reopen();
  EXPECT_TRUE(store(1, kLarge));
  EXPECT_TRUE(found(1, kLarge));
}

// --- a slow disk

TEST_F(FaultyDisk, ASlowWriteBoundsWhatWaitsAndStopsNoLookUp) {
  for (unsigned i = 0; i < 4; ++i) ASSERT_TRUE(store(i, 1000));
  env_.inject({What::kHold, {FileOp::kWrite}, {FileKind::kLog}});
  Pending pending(*disk_);
  unsigned taken = 0;
  while (pending.store(100 + taken, kLarge)) ++taken;
  EXPECT_GT(count(Counter::kDiskWritesRefused), 0);
  EXPECT_LE(count(Counter::kDiskWriteBacklog), std::int64_t{64} << 20);
  EXPECT_GT(count(Counter::kDiskWriteBacklog), std::int64_t{32} << 20);
  env_.wait_until_held(1);
  for (unsigned i = 0; i < 4; ++i) EXPECT_TRUE(found(i, 1000));
  env_.clear();
  disk_->settle();
  EXPECT_EQ(count(Counter::kDiskWriteBacklog), 0);
  for (unsigned i = 0; i < taken; ++i) (void)found(100 + i, kLarge);
  EXPECT_TRUE(store(1000, kLarge));
}

// G4: what such a read brings is neither given out nor kept in memory.
TEST_F(FaultyDisk, APurgeBeatsAReadThatBeganBefore) {
  const std::vector<Scope> scopes = {{ScopeKind::kTag, "tag 0"},
                                     {ScopeKind::kPrefix, test_key("/1/").text},
                                     {ScopeKind::kUrl, test_key("/2/0").text},
                                     {ScopeKind::kAll, ""}};
  const auto key_of = [](std::size_t scope, unsigned i) {
    return test_key("/" + std::to_string(scope) + "/" + std::to_string(i));
  };
  constexpr unsigned kEach = 4;
  for (std::size_t scope = 0; scope < scopes.size(); ++scope) {
    for (unsigned i = 0; i < kEach; ++i) {
      StoredHead head = test_head(key_of(scope, i), kLarge, i, 1000);
      head.tags = {"tag " + std::to_string(scope)};
      ASSERT_TRUE(put(*disk_, std::move(head), test_body(kLarge, i)));
    }
  }
  Generations generations;
  for (std::size_t scope = 0; scope < scopes.size(); ++scope) {
    reopen();  // in tables, and no table is open yet
    MemoryStore memory(MemoryStoreOptions{}, {}, counters_);
    TieredStore tiered(memory, disk_.get(), generations, counters_);
    const unsigned reads = scopes[scope].kind == ScopeKind::kUrl ? 1 : kEach;
    env_.inject({What::kHold, {FileOp::kRead}, {FileKind::kTable}});
    unsigned answers = 0;
    unsigned found = 0;
    bool all_there = false;
    for (unsigned i = 0; i < reads; ++i) {
      tiered.lookup(key_of(scope, i), executor_of_this_thread(), [&](const VariantSetPtr& variants) {
        found += variants != nullptr ? 1 : 0;
        all_there = ++answers == reads;
      });
    }
    env_.wait_until_held(1);
    bool acknowledged = false;
    tiered.purge({{scopes[scope]}, Strength::kHard}, executor_of_this_thread(),
                 [&](const Acknowledgement&) { acknowledged = true; });
    executor_of_this_thread().run_until(acknowledged);
    EXPECT_EQ(answers, 0U);
    env_.clear();
    executor_of_this_thread().run_until(all_there);
    EXPECT_EQ(found, 0U) << scope;
    for (unsigned i = 0; i < reads; ++i) EXPECT_EQ(find(tiered, key_of(scope, i)), nullptr) << scope;
    if (scope == 2) {
      EXPECT_NE(find(tiered, key_of(scope, 1)), nullptr) << "another URL";
    }
    tiered.settle();
    executor_of_this_thread().run_posted();
  }
}

// The sync of the log holds up nobody who writes to it.
TEST_F(FaultyDisk, WritesGoOnWhileASyncIsStuck) {
  ASSERT_TRUE(store(1, kLarge));
  env_.inject({What::kHold, {FileOp::kSync}, {FileKind::kLog}, 0, 1});
  ASSERT_TRUE(store(2, 1000));
  env_.wait_until_held(1);
  for (unsigned i = 10; i < 20; ++i) EXPECT_TRUE(store(i, 1000));
  for (unsigned i = 10; i < 20; ++i) EXPECT_TRUE(found(i, 1000));
}

TEST_F(FaultyDisk, AStallOfRocksdbIsCountedAndPasses) {
  env_.inject({What::kHold, {FileOp::kWrite, FileOp::kCreate}, {FileKind::kTable}});
  Pending pending(*disk_);
  unsigned taken = 0;
  while (pending.store(taken, kLarge)) ++taken;
  ASSERT_TRUE(tests::soon([this] { return count(Counter::kDiskStalls) > 0; }));
  (void)disk_->try_lookup(test_key("/1"));
  env_.clear();
  disk_->settle();
  EXPECT_TRUE(store(1000, kLarge));
  EXPECT_TRUE(found(1000, kLarge));
}

// The end of the process waits for a slow disk no longer than it says.
TEST_F(FaultyDisk, ClosingDropsWhatASlowDiskHasNotTaken) {
  close();
  close_bound_ = Milliseconds{0};
  reopen();
  env_.inject({What::kHold, {FileOp::kWrite}, {FileKind::kLog}});
  Pending pending(*disk_);
  for (unsigned i = 0; i < 40; ++i) ASSERT_TRUE(pending.store(i, kLarge));
  env_.wait_until_held(1);
  RocksdbStore& closing = *disk_;
  std::thread closer([this] { disk_.reset(); });
  while (closing.begin(test_key("/x"), 1) != nullptr) std::this_thread::yield();
  const std::uint64_t before = env_.calls(FileOp::kWrite, FileKind::kLog);
  env_.clear();
  closer.join();
  // Those in the middle of it; not the three chunks of each of the forty.
  EXPECT_LT(env_.calls(FileOp::kWrite, FileKind::kLog), before + 60);
  executor_of_this_thread().run_posted();
  reopen();
  for (unsigned i = 0; i < 40; ++i) (void)found(i, kLarge);
  EXPECT_TRUE(store(1000, kLarge));
}

// --- the log of invalidations

class FaultyLog : public testing::Test {
 protected:
  Status open() {
    log_ = nullptr;
    Result<std::unique_ptr<InvalidationDatabase>> opened =
        InvalidationDatabase::open({.directory = directory_.path() + "/log", .env = env_.env()});
    if (!opened.ok()) return Error{opened.error()};
    log_ = opened.take();
    return {};
  }
  Status purge(Sequence sequence) {
    InvalidationLog::Batch batch;
    batch.newest.push_back(
        {{ScopeKind::kTag, digest128("tag " + std::to_string(sequence))}, Strength::kHard, sequence, {}, {}});
    batch.reserved = sequence;
    return log_->write(batch, /*synced=*/true);
  }
  // The purges of the log, by number.
  std::set<Sequence> purges() {
    std::set<Sequence> found;
    const auto records = log_->records();
    EXPECT_TRUE(records.ok());
    if (!records.ok()) return found;
    for (const ScopeRecord& each : records.value()) found.insert(each.sequence);
    return found;
  }

  FaultEnv env_;
  TemporaryDirectory directory_;
  std::unique_ptr<InvalidationDatabase> log_;
};

// G4, whatever fails and however often.
TEST_F(FaultyLog, WhatWasAcknowledgedIsThereAndTheRestRecovers) {
  ASSERT_TRUE(open().ok());
  const std::uint64_t id = log_->id();
  std::set<Sequence> acknowledged;
  Sequence next = 1;
  for (const FileOp op : {FileOp::kWrite, FileOp::kSync, FileOp::kCreate}) {
    for (const What what : {What::kNoSpace, What::kIoError, What::kHalfWritten}) {
      for (const std::uint64_t skip : {0, 1, 2}) {
        ASSERT_TRUE(open().ok());
        env_.inject({what, {op}, {FileKind::kLog, FileKind::kTable, FileKind::kManifest}, skip});
        for (int i = 0; i < 4; ++i, ++next) {
          if (purge(next).ok()) acknowledged.insert(next);
          if (i == 2) (void)log_->recover();  // while the disk still fails
        }
        env_.clear();
        ASSERT_TRUE(log_->recover().ok());
        const Status written = purge(next);
        ASSERT_TRUE(written.ok()) << written.error();
        acknowledged.insert(next++);
        const std::set<Sequence> there = purges();
        EXPECT_TRUE(std::includes(there.begin(), there.end(), acknowledged.begin(), acknowledged.end()));
      }
    }
  }
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(log_->id(), id);
  const std::set<Sequence> there = purges();
  EXPECT_TRUE(std::includes(there.begin(), there.end(), acknowledged.begin(), acknowledged.end()));
}

TEST_F(FaultyLog, APowerCutTakesNoAcknowledgedPurge) {
  ASSERT_TRUE(open().ok());
  std::set<Sequence> acknowledged;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Sequence next = seed + 1;
    ASSERT_TRUE(purge(next).ok());
    acknowledged.insert(next);
    const TemporaryDirectory other;
    env_.copy_as_after_power_cut(directory_.path() + "/log", other.path() + "/log", seed);
    auto cut = InvalidationDatabase::open({.directory = other.path() + "/log"});
    ASSERT_TRUE(cut.ok()) << cut.error();
    EXPECT_EQ(cut.value()->id(), log_->id());
    EXPECT_GE(cut.value()->reserved(), next);
    const auto records = cut.value()->records();
    ASSERT_TRUE(records.ok());
    EXPECT_GE(records.value().size(), acknowledged.size());
  }
}

// A restart on a full disk must not be the end of what was purged.
TEST_F(FaultyLog, AFullDiskAtTheStartIsNoDamage) {
  ASSERT_TRUE(open().ok());
  const std::uint64_t id = log_->id();
  ASSERT_TRUE(purge(7).ok());
  log_ = nullptr;
  for (const FileKind kind : {FileKind::kLog, FileKind::kManifest, FileKind::kOther}) {
    env_.inject({What::kNoSpace, {FileOp::kCreate, FileOp::kWrite}, {kind}});
    const Status opened = open();
    env_.clear();
    EXPECT_TRUE(opened.ok() || opened.error().find("No space left") != std::string::npos) << opened.error();
  }
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(log_->id(), id);
  EXPECT_EQ(purges(), std::set<Sequence>{7});
}

}  // namespace
}  // namespace freshet::storage
