#include "storage/rocksdb/table_file.h"

#include <fstream>
#include <gtest/gtest.h>

#include "storage/rocksdb/nowait_files.h"
#include "tests/unit/storage/rocksdb/page_cache.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

class TableFileTest : public testing::Test {
 protected:
  void SetUp() override { std::ofstream(name_) << std::string(600'000, 'x') << "the end"; }

  const TemporaryDirectory directory_;
  const std::string name_ = directory_.path() + "/file";
};

TEST_F(TableFileTest, ReadsWhatThePageCacheHas) {
  if (!page_cache_can_be_asked(directory_.path())) GTEST_SKIP() << "a file system without RWF_NOWAIT";
  const auto file = TableFile::open(name_);
  ASSERT_NE(file, nullptr);
  std::string bytes(7, '\0');
  EXPECT_TRUE(file->read_now(600'000, 7, bytes.data()));
  EXPECT_EQ(bytes, "the end");
  EXPECT_FALSE(file->read_now(600'001, 7, bytes.data())) << "behind the end";
  drop_from_page_cache(directory_.path());
  if (file->read_now(0, 7, bytes.data())) GTEST_SKIP() << "a file system that keeps all in memory";
}

TEST_F(TableFileTest, TellsThatSomebodyTouchedTheFile) {
  const auto file = TableFile::open(name_);
  const TableFile::Stamp before = file->stamp();
  EXPECT_NE(before, 0);
  EXPECT_EQ(file->stamp(), before);
  while (file->stamp() == before) std::ofstream(name_, std::ios::app) << '.';
  const TableFile::Stamp appended = file->stamp();
  while (file->stamp() == appended) std::filesystem::create_hard_link(name_, name_ + "2");
  EXPECT_EQ(TableFile::open(name_ + "3"), nullptr);
}

TEST_F(TableFileTest, TheLastReadTellsWhereBytesStand) {
  const auto env = make_nowait_env(*rocksdb::Env::Default());
  std::unique_ptr<rocksdb::RandomAccessFile> opened;
  ASSERT_TRUE(env->NewRandomAccessFile(name_, &opened, {}).ok());
  std::string bytes(20, '\0');
  rocksdb::Slice result;
  const LastRead outer;
  {
    const LastRead last;
    EXPECT_EQ(last.place_of(bytes.data(), 1), std::nullopt);
    ASSERT_TRUE(opened->Read(599'990, 17, &result, bytes.data()).ok());
    const auto place = last.place_of(result.data() + 10, 7);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->offset, 600'000U);
    EXPECT_EQ(place->stamp, TableFile::open(name_)->stamp());
    EXPECT_EQ(last.place_of(result.data() + 10, 8), std::nullopt) << "not all of it was read";
    EXPECT_EQ(last.place_of(name_.data(), 1), std::nullopt);
    EXPECT_FALSE(place->file.expired());
    EXPECT_NE(place->trusted(place->read + FilePlace::kTrusted - Milliseconds{1}), nullptr);
    EXPECT_EQ(place->trusted(place->read + FilePlace::kTrusted), nullptr)
        << "it may have been read anew since";
    opened = nullptr;
    EXPECT_TRUE(place->file.expired()) << "nobody holds on to a file that was dropped";
  }
  EXPECT_EQ(outer.place_of(result.data(), 1), std::nullopt);
}

}  // namespace
}  // namespace freshet::storage
