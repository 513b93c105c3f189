// What stays on disk when the limit is reached, and that nothing that happens to a response while its body is
// being copied forward is lost or undone by the copy.
#include <fstream>
#include <gtest/gtest.h>
#include <pthread.h>
#include <string>
#include <string_view>
#include <thread>

#include "storage/rocksdb/database.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "storage/rocksdb/used_bodies.h"
#include "tests/contract/response_store_contract.h"
#include "tests/support/soon.h"
#include "tests/unit/storage/rocksdb/temporary_directory.h"

namespace freshet::storage {
namespace {

constexpr std::size_t kSize = 600'000;  // three chunks
constexpr std::size_t kOnceSize = 1'500'000;
constexpr std::size_t kLargeSize = 2'090'000;  // as large as is copied with this limit
constexpr std::size_t kPassingSize = 2'000'000;
constexpr unsigned kMostPasses = 2000;  // of anything that passes by in one test

class DiskEvictionTest : public testing::Test {
 protected:
  DiskEvictionTest() {
    options_.directory = directory_.path() + "/store";
    options_.byte_limit = 64ULL << 20;
    options_.memory = 16ULL << 20;
    options_.loss_bound = Milliseconds{20};
    // However slow the disk is: a copy that comes late is dropped.
    options_.room_bound = Milliseconds{600'000};
    options_.is_current = [this](const StoredHead& head) { return is_current(head); };
  }
  // Its threads ask is_current().
  void TearDown() override {
    let_go();
    store_ = nullptr;
  }

  void open() {
    Result<std::unique_ptr<RocksdbStore>> opened = RocksdbStore::open(options_, {}, counters_);
    ASSERT_TRUE(opened.ok()) << opened.error();
    store_ = opened.take();
  }
  void reopen() {
    store_ = nullptr;
    open();
  }
  std::int64_t count(Counter counter) const { return counters_.get(counter); }
  bool put_simple(const CacheKey& key, std::size_t size, unsigned seed) {
    return put(*store_, test_head(key, size, seed, 1000), test_body(size, seed));
  }
  // One that nobody asks for.
  void pass_by(bool settled = true) {
    ++passed_;
    static_cast<void>(put_simple(test_key("/passes/" + std::to_string(passed_)), kPassingSize, passed_));
    if (settled) store_->settle();
  }
  void pass_by(int times) {
    for (int i = 0; i < times; ++i) pass_by();
  }
  bool has(const CacheKey& key, unsigned seed, std::size_t size = kSize) {
    const VariantSetPtr found = find(*store_, key);
    if (!found) return false;
    const auto body = read_body(*found->front());
    EXPECT_TRUE(body == test_body(size, seed));
    return true;
  }

  // Stops the evictor as soon as it has read the head of that response, before it copies the body; what goes
  // by meanwhile are responses that nobody asks for.
  void stop_in_copy_of(const CacheKey& key) {
    {
      const MutexLock lock(mutex_);
      held_ = key.text;
      arrived_ = false;
    }
    // Near the limit the evictor is waited for: while it is held nothing makes room, and who passes by would
    // wait for some.
    while (bytes_on_disk() + (12ULL << 20) < options_.byte_limit && passed_ < kMostPasses) pass_by(false);
    while (!has_arrived()) {
      ASSERT_LT(++passed_, kMostPasses) << "the evictor does not come to " << key.text;
      static_cast<void>(put_simple(test_key("/passes/" + std::to_string(passed_)), kSize, passed_));
      await_evictor();
    }
  }
  void go_on() {
    let_go();
    store_->settle();
  }

  // With a file of nobody's: whoever waits for room finds none until files are dropped.
  void fill_directory() const {
    std::ofstream(options_.directory + "/filler") << std::string(options_.byte_limit / 4, 'x');
  }

  // Asks for the write of one more response that nobody asks for, and does not wait for it. False: it could
  // not.
  [[nodiscard]] bool ask_for_one() {
    const CacheKey key = test_key("/passes/asked/" + std::to_string(asked_ + 1));
    const auto writer = store_->begin(key, kSize);
    if (writer == nullptr || asked_ == kMostPasses) return false;
    ++asked_;
    (void)writer->append(Chunk::copy_of(test_body(kSize, asked_)));
    writer->commit(test_head(key, kSize, asked_, 1000), std::nullopt, executor_of_this_thread(),
                   [this](bool stored) {
                     ++told_;
                     stored_ += stored ? 1 : 0;
                     all_told_ = told_ == asked_;
                   });
    all_told_ = false;
    return true;
  }
  void await_all_asked() { executor_of_this_thread().run_until(all_told_); }
  [[nodiscard]] std::uint64_t bytes_on_disk() const { return directory_bytes(options_.directory); }

  TemporaryDirectory directory_;
  Counters counters_;
  RocksdbOptions options_;
  unsigned asked_ = 0;
  unsigned told_ = 0;
  unsigned stored_ = 0;
  bool all_told_ = true;
  std::atomic<Sequence> purged_{0};
  // Called at the first head of the next look-up on this thread; tells whether that head is current.
  std::function<bool()> in_look_up_;
  const std::thread::id test_thread_ = std::this_thread::get_id();
  std::unique_ptr<RocksdbStore> store_;
  unsigned passed_ = 0;

 private:
  [[nodiscard]] bool has_arrived() {
    const MutexLock lock(mutex_);
    return arrived_;
  }
  // Until it has done what there is to do, or is held.
  void await_evictor() {
    {
      const MutexLock lock(mutex_);
      settled_ = false;
    }
    settling_ = std::thread([this] {
      store_->settle();
      const MutexLock lock(mutex_);
      settled_ = true;
      changed_.notify_all();
    });
    {
      const MutexLock lock(mutex_);
      while (!settled_ && !arrived_) changed_.wait(mutex_);
      if (arrived_) return;
    }
    settling_.join();
  }
  void let_go() {
    {
      const MutexLock lock(mutex_);
      held_.clear();
      changed_.notify_all();
    }
    if (settling_.joinable()) settling_.join();
  }
  // Compactions ask too.
  static bool is_evictor() {
    char name[16] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    return std::string_view(name) == "freshet-evict";
  }
  bool is_current(const StoredHead& head) {
    if (in_look_up_ && std::this_thread::get_id() == test_thread_)
      return std::exchange(in_look_up_, nullptr)();
    const MutexLock lock(mutex_);
    if (head.key.text == held_ && !arrived_ && is_evictor()) {
      arrived_ = true;
      changed_.notify_all();
      while (!held_.empty()) changed_.wait(mutex_);
    }
    return head.filled_at >= purged_ || head.key.text.find("/passes/") != std::string::npos;
  }

  Mutex mutex_;
  CondVar changed_;
  std::string held_ GUARDED_BY(mutex_);
  bool arrived_ GUARDED_BY(mutex_) = false;
  bool settled_ GUARDED_BY(mutex_) = false;
  std::thread settling_;
};

TEST_F(DiskEvictionTest, WhatWasReadOutlivesWhatWasNot) {
  open();
  const CacheKey hot = test_key("/hot");
  const CacheKey small = test_key("/hot/small");
  const CacheKey cold = test_key("/cold");
  ASSERT_TRUE(put_simple(cold, kSize, 1));
  ASSERT_TRUE(put_simple(hot, kSize, 2));
  ASSERT_TRUE(put_simple(small, 900, 3));
  EXPECT_TRUE(has(hot, 2));
  EXPECT_TRUE(has(small, 3, 900));
  pass_by(40);
  EXPECT_TRUE(has(hot, 2));
  EXPECT_TRUE(has(small, 3, 900));
  EXPECT_FALSE(has(cold, 1));
  EXPECT_GE(count(Counter::kDiskCopiedForward), 2);
  EXPECT_GE(count(Counter::kDiskCopiedBytes), std::int64_t{kSize} + 900);
  // Its new place is on disk.
  reopen();
  EXPECT_TRUE(has(hot, 2));
  EXPECT_TRUE(has(small, 3, 900));
  EXPECT_EQ(count(Counter::kDiskCorrupt), 0);
}

TEST_F(DiskEvictionTest, APeekIsNoUse) {
  open();
  const CacheKey key = test_key("/peeked");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  bool told = false;
  store_->peek(key, executor_of_this_thread(), [&](const VariantSetPtr& found) {
    EXPECT_TRUE(found);
    told = true;
  });
  executor_of_this_thread().run_until(told);
  pass_by(40);
  EXPECT_FALSE(has(key, 1)) << "it goes as what nobody reads";
}

TEST_F(DiskEvictionTest, WhatIsStillReadGoesRoundAndRound) {
  open();
  const CacheKey hot = test_key("/hot");
  ASSERT_TRUE(put_simple(hot, kSize, 1));
  // Others that were read once fill the main family, so that it turns over too.
  for (unsigned i = 0; i < 90; ++i) {
    const CacheKey once = test_key("/once/" + std::to_string(i));
    static_cast<void>(put_simple(once, kOnceSize, i));
    static_cast<void>(find(*store_, once));
    EXPECT_TRUE(has(hot, 1)) << i;
    store_->settle();
  }
  EXPECT_FALSE(has(test_key("/once/0"), 0, kOnceSize));
}

TEST_F(DiskEvictionTest, WhatIsInMemoryStaysOnDisk) {
  const CacheKey key = test_key("/in-memory");
  options_.is_in_memory = [&](const Digest128& digest) { return digest == key.digest; };
  open();
  ASSERT_TRUE(put_simple(key, kSize, 1));
  pass_by(40);
  EXPECT_TRUE(has(key, 1));
}

TEST_F(DiskEvictionTest, WhoComesBackSoonIsNoNewcomer) {
  open();
  const CacheKey key = test_key("/back");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  pass_by(40);
  ASSERT_FALSE(has(key, 1));
  ASSERT_TRUE(put_simple(key, kSize, 2));
  const std::int64_t copied = count(Counter::kDiskCopiedForward);
  pass_by(25);
  EXPECT_TRUE(has(key, 2));
  EXPECT_EQ(count(Counter::kDiskCopiedForward), copied);
}

// Between the reading of its head and the look at its place. That of an earlier process is known to be gone
// from its number alone.
TEST_F(DiskEvictionTest, ALookUpFollowsTheCopy) {
  const CacheKey key = test_key("/pair");
  options_.is_in_memory = [&](const Digest128& digest) { return digest == key.digest; };
  open();
  for (const char* language : {"de", "en"}) {
    StoredHead head = test_head(key, kSize, 1, 1000);
    head.selecting = {{"accept-language", language}};
    ASSERT_TRUE(put(*store_, std::move(head), test_body(kSize, 1)));
  }
  reopen();
  ASSERT_EQ(find(*store_, key)->size(), 2U);
  const std::int64_t copied = count(Counter::kDiskCopiedForward);
  in_look_up_ = [&] {
    while (count(Counter::kDiskCopiedForward) < copied + 2 && passed_ < kMostPasses) pass_by();
    pass_by(6);  // the file that they were in is gone
    return false;
  };
  const VariantSetPtr found = find(*store_, key);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->size(), 2U);
}

TEST_F(DiskEvictionTest, ALargeBodyIsCopiedToo) {
  open();
  const CacheKey key = test_key("/large");
  ASSERT_TRUE(put_simple(key, kLargeSize, 1));
  EXPECT_TRUE(has(key, 1, kLargeSize));
  pass_by(40);
  EXPECT_TRUE(has(key, 1, kLargeSize));
}

// The evictor is held, and a third of the limit asked for.
TEST_F(DiskEvictionTest, WritesWaitForRoomAndAreNotRefused) {
  options_.room_bound = Milliseconds{600'000};
  open();
  const CacheKey hot = test_key("/hot");
  ASSERT_TRUE(put_simple(hot, 900, 1));
  EXPECT_TRUE(has(hot, 1, 900));
  stop_in_copy_of(hot);
  for (int i = 0; i < 36; ++i) ASSERT_TRUE(ask_for_one());
  EXPECT_LE(bytes_on_disk(), options_.byte_limit + options_.byte_limit / 10);
  go_on();
  await_all_asked();
  EXPECT_EQ(stored_, 36U);
  EXPECT_EQ(count(Counter::kDiskWritesRefused), 0);
  ASSERT_TRUE(tests::soon([this] { return count(Counter::kDiskWriteBacklog) == 0; }));
  EXPECT_LE(bytes_on_disk(), options_.byte_limit);
}

TEST_F(DiskEvictionTest, WhatFindsNoRoomForLongIsRefusedUntilThereIsSome) {
  options_.room_bound = Milliseconds{20};
  open();
  const CacheKey hot = test_key("/hot");
  ASSERT_TRUE(put_simple(hot, 900, 1));
  EXPECT_TRUE(has(hot, 1, 900));
  stop_in_copy_of(hot);
  for (int i = 0; i < 36; ++i) ASSERT_TRUE(ask_for_one());
  await_all_asked();
  EXPECT_LT(stored_, 36U);
  EXPECT_GT(count(Counter::kDiskWritesRefused), 0);
  // Given back right after the word of it.
  ASSERT_TRUE(tests::soon([this] { return count(Counter::kDiskWriteBacklog) == 0; }));
  EXPECT_LE(bytes_on_disk(), options_.byte_limit + options_.byte_limit / 10);
  go_on();
  const CacheKey after = test_key("/after");
  ASSERT_TRUE(tests::soon([&] { return put_simple(after, kSize, 2); }));
  EXPECT_TRUE(has(after, 2));
}

// A head takes the place of another: it is written where bodies are refused.
TEST_F(DiskEvictionTest, AHeadIsFreshenedWhereBodiesFindNoRoom) {
  options_.room_bound = Milliseconds{20};
  open();
  const CacheKey hot = test_key("/hot");
  ASSERT_TRUE(put_simple(hot, 900, 1));
  const StoredResponsePtr old = find(*store_, hot)->front();
  stop_in_copy_of(hot);
  for (int i = 0; i < 36; ++i) ASSERT_TRUE(ask_for_one());
  await_all_asked();
  const std::int64_t refused = count(Counter::kDiskWritesRefused);
  EXPECT_GT(refused, 0);
  StoredHead head = old->head();
  head.response_time = wall_from_seconds(4000);
  store_->freshen(old, std::make_shared<const StoredResponse>(head, old->body(), Describe()));
  EXPECT_EQ(count(Counter::kDiskWritesRefused), refused);
  go_on();
  const VariantSetPtr found = find(*store_, hot);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->front()->head().response_time, wall_from_seconds(4000));
}

// Half of what may wait to be written waits for room when the second body would be copied.
TEST_F(DiskEvictionTest, CopiesThatThereIsNoTimeForAreCounted) {
  options_.room_bound = Milliseconds{600'000};
  options_.backlog_limit = 4ULL << 20;
  open();
  const CacheKey first = test_key("/first");
  const CacheKey second = test_key("/second");
  for (const CacheKey& key : {first, second}) {
    ASSERT_TRUE(put_simple(key, 900, 1));
    EXPECT_TRUE(has(key, 1, 900));
  }
  stop_in_copy_of(first);
  EXPECT_EQ(count(Counter::kDiskCopiesDropped), 0);
  fill_directory();
  const auto much_waits = [this] {
    return store_->lacks_room() &&
           count(Counter::kDiskWriteBacklog) >= static_cast<std::int64_t>(options_.backlog_limit) * 3 / 4;
  };
  while (!much_waits() && ask_for_one()) executor_of_this_thread().run_posted();
  ASSERT_TRUE(tests::soon(much_waits)) << asked_ << " asked for";
  go_on();
  await_all_asked();
  EXPECT_GE(count(Counter::kDiskCopiesDropped), 1);
  EXPECT_TRUE(has(first, 1, 900));
  EXPECT_FALSE(has(second, 1, 900));
}

// Little waits, but it has found no room for as long as it may wait.
TEST_F(DiskEvictionTest, ThereIsNoTimeForCopiesWhereOneHasWaitedForLong) {
  options_.room_bound = Milliseconds{20};
  open();
  const CacheKey first = test_key("/first");
  const CacheKey second = test_key("/second");
  for (const CacheKey& key : {first, second}) {
    ASSERT_TRUE(put_simple(key, 900, 1));
    EXPECT_TRUE(has(key, 1, 900));
  }
  stop_in_copy_of(first);
  fill_directory();
  // The housekeeping has to see it first.
  do {
    ASSERT_TRUE(ask_for_one());
    await_all_asked();
  } while (stored_ == asked_);
  EXPECT_EQ(count(Counter::kDiskCopiesDropped), 0);
  go_on();
  EXPECT_GE(count(Counter::kDiskCopiesDropped), 1);
  EXPECT_FALSE(has(second, 1, 900));
}

// All of it is in memory, so all of it would be copied for ever, each body being more than half of its file:
// what was copied too much is a debt of the files that go next.
TEST_F(DiskEvictionTest, TheMainFamilyMakesRoomWhateverIsInUse) {
  options_.room_bound = Milliseconds{20'000};
  options_.is_in_memory = [](const Digest128&) { return true; };
  open();
  constexpr unsigned kCount = 90;
  for (unsigned i = 0; i < kCount; ++i)
    ASSERT_TRUE(put_simple(test_key("/" + std::to_string(i)), kLargeSize, i)) << i;
  EXPECT_EQ(count(Counter::kDiskWritesRefused), 0);
  EXPECT_EQ(count(Counter::kDiskCopiesDropped), 0) << "there was time";
  EXPECT_GT(count(Counter::kDiskCopiedForward), 0);
  // Each body once on its way to the main family, and there at most as much again as goes.
  EXPECT_LE(count(Counter::kDiskCopiedBytes), std::int64_t{2} * kCount * kLargeSize);
}

// Opened with a smaller limit, the directory is over it: that alone is no reason to lose what is in use.
TEST_F(DiskEvictionTest, ASmallerLimitTakesWhatIsNotUsed) {
  open();
  unsigned in_use = 0;
  for (unsigned i = 0; i < 80; ++i) {
    const std::string path = (i % 8 == 0 ? "/used/" : "/passes/") + std::to_string(i);
    ASSERT_TRUE(put_simple(test_key(path), kSize, i));
  }
  store_ = nullptr;
  options_.byte_limit = 32ULL << 20;
  options_.is_in_memory = [](const Digest128& key) {
    for (unsigned i = 0; i < 80; i += 8) {
      if (test_key("/used/" + std::to_string(i)).digest == key) return true;
    }
    return false;
  };
  open();
  store_->settle();
  EXPECT_LE(bytes_on_disk(), options_.byte_limit);
  for (unsigned i = 0; i < 80; i += 8) in_use += has(test_key("/used/" + std::to_string(i)), i) ? 1U : 0U;
  EXPECT_EQ(in_use, 10U);
}

TEST_F(DiskEvictionTest, AFreshenedHeadIsNotUndoneByTheCopy) {
  open();
  const CacheKey key = test_key("/freshened");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  const StoredResponsePtr old = find(*store_, key)->front();
  stop_in_copy_of(key);
  StoredHead head = old->head();
  head.response_time = wall_from_seconds(4000);
  store_->freshen(old, std::make_shared<const StoredResponse>(head, old->body(), Describe()));
  ASSERT_TRUE(tests::soon([this] { return count(Counter::kDiskHeadRewrites) > 0; }));
  go_on();
  pass_by(5);
  ASSERT_TRUE(has(key, 1));
  EXPECT_EQ(find(*store_, key)->front()->head().response_time, wall_from_seconds(4000));
  EXPECT_GE(count(Counter::kDiskCopiedForward), 1);
  // And the other way round: what is known from before the copy can be freshened after it.
  head.response_time = wall_from_seconds(5000);
  store_->freshen(old, std::make_shared<const StoredResponse>(head, old->body(), Describe()));
  store_->settle();
  ASSERT_TRUE(has(key, 1));
  EXPECT_EQ(find(*store_, key)->front()->head().response_time, wall_from_seconds(5000));
}

TEST_F(DiskEvictionTest, AReplacementIsNotUndoneByTheCopy) {
  open();
  const CacheKey key = test_key("/replaced");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  ASSERT_TRUE(has(key, 1));
  stop_in_copy_of(key);
  // Where the disk is behind, one may be refused.
  ASSERT_TRUE(tests::soon([&] { return put_simple(key, 5000, 2); }));
  go_on();
  EXPECT_TRUE(has(key, 2, 5000));
  reopen();
  EXPECT_TRUE(has(key, 2, 5000));
}

TEST_F(DiskEvictionTest, ARemovalIsNotUndoneByTheCopy) {
  open();
  const CacheKey key = test_key("/removed");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  ASSERT_TRUE(has(key, 1));
  stop_in_copy_of(key);
  store_->remove(key);
  go_on();
  EXPECT_FALSE(has(key, 1));
  reopen();
  EXPECT_FALSE(has(key, 1));
}

TEST_F(DiskEvictionTest, APurgeIsNotUndoneByTheCopy) {
  open();
  const CacheKey key = test_key("/purged");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  ASSERT_TRUE(has(key, 1));
  stop_in_copy_of(key);
  purged_ = 1000;
  go_on();
  EXPECT_EQ(count(Counter::kDiskCopiedForward), 0);
  EXPECT_FALSE(has(key, 1));
}

TEST_F(DiskEvictionTest, AllVariantsFollowTheirBody) {
  open();
  const CacheKey key = test_key("/shared");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  const StoredResponsePtr old = find(*store_, key)->front();
  stop_in_copy_of(key);
  StoredHead head = old->head();
  head.selecting = {{"accept-language", "de"}};
  store_->add_variant(old, std::make_shared<const StoredResponse>(head, old->body(), Describe()));
  ASSERT_TRUE(tests::soon([this] { return count(Counter::kDiskHeadRewrites) > 0; }));
  go_on();
  pass_by(5);
  const VariantSetPtr found = find(*store_, key);
  ASSERT_NE(found, nullptr);
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ((*found)[0]->body(), (*found)[1]->body());
  EXPECT_TRUE(read_body(*(*found)[1]) == test_body(kSize, 1));
}

TEST_F(DiskEvictionTest, AReaderInTheMiddleFollowsTheCopy) {
  open();
  const CacheKey key = test_key("/being-read");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  const StoredResponsePtr held = find(*store_, key)->front();
  const std::int64_t copied = count(Counter::kDiskCopiedForward);
  Chunk chunk;
  ASSERT_EQ(held->body()->try_read(0, chunk), StoredBody::TryRead::kData);
  for (; count(Counter::kDiskCopiedForward) == copied; pass_by()) ASSERT_LT(passed_, kMostPasses);
  pass_by(6);  // the file that it was in is gone
  EXPECT_EQ(chunk.view(), test_body(kSize, 1).substr(0, chunk.size()));
  EXPECT_TRUE(read_body(*held) == test_body(kSize, 1));
}

// It was replaced, so nothing keeps the old body: the reader's transfer ends, and never with wrong bytes.
TEST_F(DiskEvictionTest, AReaderOfAReplacedBodyEndsVisibly) {
  open();
  const CacheKey key = test_key("/being-replaced");
  ASSERT_TRUE(put_simple(key, kSize, 1));
  const StoredResponsePtr held = find(*store_, key)->front();
  ASSERT_TRUE(put_simple(key, kSize, 2));
  EXPECT_TRUE(read_body(*held) == test_body(kSize, 1));
  pass_by(40);
  EXPECT_FALSE(read_body(*held).has_value());
  // Which must not harm the new one.
  ASSERT_TRUE(put_simple(key, kSize, 3));
  EXPECT_FALSE(read_body(*held).has_value());
  EXPECT_TRUE(has(key, 3));
}

TEST_F(DiskEvictionTest, ABodyThatGrowsSlowlyKeepsItsBeginning) {
  open();
  const CacheKey key = test_key("/slow");
  const std::string body = test_body(kSize, 1);
  unsigned others = 0;
  const auto read_once = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const CacheKey once = test_key("/once/" + std::to_string(++others));
      static_cast<void>(put_simple(once, kOnceSize, others));
      static_cast<void>(find(*store_, once));
      store_->settle();
    }
  };
  read_once(45);  // the main family has something to give
  const auto writer = store_->begin(key, std::nullopt);
  ASSERT_TRUE(writer->append(Chunk::copy_of(std::string_view(body).substr(0, 300'000))));
  read_once(7);
  ASSERT_TRUE(writer->append(Chunk::copy_of(std::string_view(body).substr(300'000))));
  WaitingExecutor& executor = executor_of_this_thread();
  bool told = false;
  writer->commit(test_head(key, kSize, 1, 1000), std::nullopt, executor, [&](bool stored) {
    EXPECT_TRUE(stored);
    told = true;
  });
  executor.run_until(told);
  EXPECT_TRUE(has(key, 1));
}

// Ids are given before the bytes are written, by several threads.
TEST(DatabaseFloor, WhatIsWrittenLateIsNotGoneWithAnOlderFile) {
  const TemporaryDirectory directory;
  Counters counters;
  DatabaseOptions options;
  options.directory = directory.path();
  options.byte_limit = 64ULL << 20;
  options.memory = 16ULL << 20;
  const auto database = Database::open(options, counters).take();
  database->begin_bodies_at(1'000'000);
  const auto write = [&](std::uint64_t id) {
    Database::Batch batch;
    batch.chunks.push_back({{id, test_key("/").digest, 0, 3}, {Chunk::copy_of("abc")}});
    ASSERT_TRUE(database->write(batch).ok());
  };
  for (const std::uint64_t id : {1'000'000, 1'000'020}) {
    write(id);
    ASSERT_TRUE(database->flush().ok());
  }
  ASSERT_TRUE(database->drop_file(database->body_files(BodyFamily::kNewcomers).front()));
  const BodyPlace late{BodyFamily::kNewcomers, 1'000'010};
  write(late.id);
  EXPECT_FALSE(database->is_gone(late));
  // What no writer can still have is.
  EXPECT_TRUE(database->is_gone({BodyFamily::kNewcomers, 500'000}));
}

TEST(UsedBodies, RemembersEachAlone) {
  UsedBodies used(1 << 16);
  used.mark(5);
  used.mark(70);
  EXPECT_TRUE(used.is_marked(5));
  EXPECT_FALSE(used.is_marked(6));
  used.clear(5);
  EXPECT_FALSE(used.is_marked(5));
  EXPECT_TRUE(used.is_marked(70));
}

}  // namespace
}  // namespace freshet::storage
