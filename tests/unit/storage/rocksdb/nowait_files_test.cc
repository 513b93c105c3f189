#include "storage/rocksdb/nowait_files.h"

#include <gtest/gtest.h>
#include <rocksdb/file_system.h>

#include "tests/unit/storage/rocksdb/page_cache.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

class NoWaitFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(name_) << std::string(20'000, 'x') << "the end";
    ASSERT_TRUE(open().ok());
  }

  rocksdb::IOStatus open() { return env_->GetFileSystem()->NewRandomAccessFile(name_, {}, &file_, nullptr); }
  // Empty: it was refused.
  std::string read(std::uint64_t offset, std::size_t size) {
    std::string bytes(size, '\0');
    rocksdb::Slice result;
    const rocksdb::IOStatus status = file_->Read(offset, size, {}, &result, bytes.data(), nullptr);
    EXPECT_TRUE(status.ok() || status.IsBusy()) << status.ToString();
    return status.ok() ? result.ToString() : "";
  }

  const TemporaryDirectory directory_;
  const std::string name_ = directory_.path() + "/file";
  const std::unique_ptr<rocksdb::Env> env_ = make_nowait_env(*rocksdb::Env::Default());
  std::unique_ptr<rocksdb::FSRandomAccessFile> file_;
};

TEST_F(NoWaitFilesTest, ReadsWhatIsInMemory) {
  if (!page_cache_can_be_asked(directory_.path())) GTEST_SKIP() << "a file system without RWF_NOWAIT";
  const NoWaitScope scope(true);
  EXPECT_EQ(read(20'000, 7), "the end");
}

TEST_F(NoWaitFilesTest, RefusesWhatWouldWaitAndReadsItOutsideTheScope) {
  drop_from_page_cache(directory_.path());
  {
    const NoWaitScope scope(true);
    if (!read(20'000, 7).empty()) GTEST_SKIP() << "a file system that keeps all in memory";
    const NoWaitScope within(false);
    EXPECT_EQ(read(20'000, 7), "the end");
  }
  EXPECT_EQ(read(0, 3), "xxx");
}

// A short read means "not in memory" to the kernel and "end of file" to RocksDB: the first is to be assumed.
TEST_F(NoWaitFilesTest, RefusesToEndShort) {
  EXPECT_EQ(read(20'000, 100), "the end");
  const NoWaitScope scope(true);
  EXPECT_EQ(read(20'000, 100), "");
}

TEST_F(NoWaitFilesTest, OpensNothingWithinTheScope) {
  const NoWaitScope scope(true);
  EXPECT_TRUE(open().IsBusy());
}

}  // namespace
}  // namespace freshet::storage
