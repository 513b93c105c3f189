// kill -9: what was visible before is there after. The test starts itself anew as the process to be killed,
// since RocksDB's threads do not survive a fork.
#include <csignal>
#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "storage/rocksdb/rocksdb_store.h"
#include "tests/contract/response_store_contract.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

constexpr const char* kDirectoryVariable = "FRESHET_TEST_CRASH_DIR";
constexpr unsigned kResponses = 40;

std::size_t size_of(unsigned i) {
  return i % 5 == 0 ? 700'000 : 100 + i;
}
CacheKey key_of(unsigned i) {
  return test_key("/crash/" + std::to_string(i));
}

std::unique_ptr<RocksdbStore> open_store(const std::string& directory, Counters& counters) {
  RocksdbOptions options;
  options.directory = directory;
  options.byte_limit = 128ULL << 20;
  options.memory = 16ULL << 20;
  options.loss_bound = Milliseconds{60'000};  // nothing is synced in between: the kill alone is tested
  Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options, {}, counters);
  FRESHET_CHECK(opened.ok());
  return opened.take();
}

// Runs only in the process that CrashTest starts.
TEST(RocksdbCrashChild, DISABLED_StoresAndIsKilled) {
  const char* directory = std::getenv(kDirectoryVariable);
  if (directory == nullptr) GTEST_SKIP();
  Counters counters;
  const auto store = open_store(directory, counters);
  const std::uint64_t id = store->reserve_ids("test", 100).value();
  EXPECT_EQ(id, 1U);
  for (unsigned i = 0; i < kResponses; ++i) {
    EXPECT_TRUE(put(*store, test_head(key_of(i), size_of(i), i, 1000), test_body(size_of(i), i)));
  }
  const auto open_writer = store->begin(test_key("/half"), std::nullopt);
  open_writer->append(Chunk::copy_of(test_body(900'000, 1)));
  if (HasFailure()) std::_Exit(1);
  ::kill(::getpid(), SIGKILL);
}

TEST(RocksdbCrash, WhatWasVisibleBeforeAKillIsThereAfter) {
  const TemporaryDirectory directory;
  ::setenv(kDirectoryVariable, directory.path().c_str(), 1);
  ::unsetenv("GTEST_TOTAL_SHARDS");  // the child has one test to run: no shard but the first would run it
  ::unsetenv("GTEST_SHARD_INDEX");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::execl("/proc/self/exe", "unit_tests", "--gtest_also_run_disabled_tests",
            "--gtest_filter=RocksdbCrashChild.DISABLED_StoresAndIsKilled", static_cast<char*>(nullptr));
    std::_Exit(2);
  }
  ::unsetenv(kDirectoryVariable);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;

  Counters counters;
  const auto store = open_store(directory.path(), counters);
  for (unsigned i = 0; i < kResponses; ++i) {
    const VariantSetPtr found = find(*store, key_of(i));
    ASSERT_NE(found, nullptr) << i;
    EXPECT_TRUE(read_body(*found->front()) == test_body(size_of(i), i)) << i;
  }
  EXPECT_EQ(find(*store, test_key("/half")), nullptr);
  EXPECT_EQ(store->reserve_ids("test", 1).value(), 101U);
}

}  // namespace
}  // namespace freshet::storage
