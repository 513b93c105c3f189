// The disk tier on a disk that fails: what fails is a miss or a refused write, counted and logged; nothing
// wrong is ever served; and when the fault passes, all works again without a restart.
#include <gtest/gtest.h>
#include <thread>

#include "storage/rocksdb/rocksdb_store.h"
#include "storage/tiered_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/support/fault_env.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

using tests::Fault;
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
    options.env = env_.env();
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
    while (!store(i, size)) std::this_thread::yield();
  }
  void await_recovery() {
    store_at_last(1'000'000, 10);
    EXPECT_TRUE(found(1'000'000, 10));
  }
  [[nodiscard]] std::int64_t count(Counter counter) const { return counters_.get(counter); }

  FaultEnv env_;
  TemporaryDirectory directory_;
  Counters counters_;
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
        for (const std::uint64_t skip : {0, 3}) sweeps.push_back({op, file, what, skip});
      }
    }
  }
  return sweeps;
}
INSTANTIATE_TEST_SUITE_P(Each, FaultSweep, testing::ValuesIn(all_of_them()), sweep_name);

}  // namespace
}  // namespace freshet::storage
