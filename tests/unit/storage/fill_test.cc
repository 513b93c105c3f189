#include "storage/fill.h"

#include <gtest/gtest.h>
#include <limits>

#include "tests/support/fake_disk.h"
#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using tests::FakeWriter;
using tests::ManualExecutor;
using tests::patterned;
using tests::WrittenBody;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kPiece = 256 * kKiB;
constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

class FillTest : public ::testing::Test {
 protected:
  std::shared_ptr<Fill> make(FillOptions options) { return std::make_shared<Fill>(options, budget_); }
  // keep_whole_limit that nothing reaches.
  std::shared_ptr<Fill> make_whole(std::optional<std::uint64_t> size = {}) {
    return make({size, 64 * kPiece, 2 * kPiece});
  }
  std::shared_ptr<Fill> make_windowed(std::optional<std::uint64_t> size = 64 * kPiece) {
    return make({size, 0, 2 * kPiece});
  }

  std::shared_ptr<WrittenBody> write_to_disk(Fill& fill, std::size_t limit = kUnlimited) {
    auto body = std::make_shared<WrittenBody>();
    fill.write_to(std::make_unique<FakeWriter>(body, limit));
    return body;
  }

  Fill::Appetite append(Fill& fill, std::string_view bytes) {
    return fill.append(bytes, executor_, [this] { ++rooms_; });
  }

  std::unique_ptr<FillReader> open(Fill& fill) {
    return fill.open_reader(executor_, [this] { ++wakes_; });
  }

  // Reads on from `offset` until there is nothing now; the last answer is returned.
  static Fill::Read drain(FillReader& reader, std::string& bytes, std::size_t most = kUnlimited) {
    for (;;) {
      Chunk chunk;
      const Fill::Read read = reader.read(bytes.size(), most, chunk);
      if (read != Fill::Read::kData) return read;
      EXPECT_FALSE(chunk.empty());
      EXPECT_LE(chunk.size(), most);
      bytes.append(chunk.view());
    }
  }

  FillBudget budget_{std::numeric_limits<std::size_t>::max() / 2};
  ManualExecutor executor_;
  int rooms_ = 0;
  int wakes_ = 0;
};

TEST_F(FillTest, ReadersOfDifferentPaceEachGetTheWholeBody) {
  const std::string body = patterned(300 * kKiB);
  const auto fill = make_whole();
  const auto quick = open(*fill);
  const auto slow = open(*fill);
  std::string by_quick;
  std::string by_slow;
  for (std::size_t at = 0; at < body.size(); at += 10 * kKiB) {
    EXPECT_EQ(append(*fill, std::string_view(body).substr(at, 10 * kKiB)), Fill::Appetite::kMore);
    EXPECT_EQ(drain(*quick, by_quick), Fill::Read::kWait);
    EXPECT_EQ(by_quick.size(), std::min(at + 10 * kKiB, body.size()));
  }
  (void)fill->seal({});
  EXPECT_EQ(drain(*slow, by_slow, 777), Fill::Read::kEnd);
  EXPECT_EQ(drain(*quick, by_quick), Fill::Read::kEnd);
  EXPECT_TRUE(by_quick == body);
  EXPECT_TRUE(by_slow == body);
}

TEST_F(FillTest, AReaderThatComesAfterSealingReadsFromTheBeginning) {
  const std::string body = patterned(100 * kKiB);
  const auto fill = make_whole();
  (void)append(*fill, body);
  (void)fill->seal({});
  const auto late = open(*fill);
  ASSERT_NE(late, nullptr);
  std::string read;
  EXPECT_EQ(drain(*late, read), Fill::Read::kEnd);
  EXPECT_TRUE(read == body);
}

TEST_F(FillTest, AReaderMayBeginInTheMiddle) {
  const std::string body = patterned(100 * kKiB);
  const auto fill = make_whole();
  (void)append(*fill, body);
  const auto reader = open(*fill);
  Chunk chunk;
  ASSERT_EQ(reader->read(50 * kKiB + 1, 100, chunk), Fill::Read::kData);
  EXPECT_TRUE(chunk.view() == std::string_view(body).substr(50 * kKiB + 1, chunk.size()));
}

TEST_F(FillTest, AWaitingReaderIsWokenOnceByAPostedTask) {
  const auto fill = make_whole();
  const auto reader = open(*fill);
  Chunk chunk;
  EXPECT_EQ(reader->read(0, 10, chunk), Fill::Read::kWait);
  (void)append(*fill, "a");
  (void)append(*fill, "b");
  EXPECT_EQ(wakes_, 0) << "never from inside append()";
  EXPECT_EQ(executor_.run(), 1U);
  EXPECT_EQ(wakes_, 1);
  (void)fill->seal({});
  EXPECT_EQ(executor_.run(), 0U) << "it does not wait: it has not come to the end";
}

TEST_F(FillTest, SealingAndFailingWakeWhoWaits) {
  for (const bool sealed : {true, false}) {
    const auto fill = make_whole();
    const auto reader = open(*fill);
    Chunk chunk;
    EXPECT_EQ(reader->read(0, 10, chunk), Fill::Read::kWait);
    if (sealed) {
      (void)fill->seal({});
    } else {
      fill->fail();
    }
    EXPECT_EQ(executor_.run(), 1U);
    EXPECT_EQ(reader->read(0, 10, chunk), sealed ? Fill::Read::kEnd : Fill::Read::kFailed);
  }
  EXPECT_EQ(wakes_, 2);
}

TEST_F(FillTest, AWakeThatIsPostedDoesNothingOnceItsReaderIsClosed) {
  const auto fill = make_whole();
  auto reader = open(*fill);
  Chunk chunk;
  EXPECT_EQ(reader->read(0, 10, chunk), Fill::Read::kWait);
  (void)append(*fill, "a");
  reader.reset();
  EXPECT_EQ(executor_.run(), 1U);
  EXPECT_EQ(wakes_, 0);
  EXPECT_EQ(fill->reader_count(), 0U);
}

TEST_F(FillTest, WhatIsThereIsReadBeforeAFailureShows) {
  const auto fill = make_whole();
  const auto reader = open(*fill);
  (void)append(*fill, "half of");
  fill->fail();
  fill->fail();
  EXPECT_EQ(fill->state(), Fill::State::kFailed);
  std::string read;
  EXPECT_EQ(drain(*reader, read), Fill::Read::kFailed);
  EXPECT_EQ(read, "half of");
}

TEST_F(FillTest, TheTrailersAreThereOnceSealed) {
  const auto fill = make_whole();
  HeaderFields trailers;
  trailers.add("X-Sum", "1");
  (void)fill->seal(std::move(trailers));
  EXPECT_EQ(fill->trailers().wire(), "X-Sum: 1\r\n");
}

TEST_F(FillTest, GivesTheDigestOfAllThatCameIfAsked) {
  const std::string body = patterned(700 * kKiB);
  for (const bool whole : {true, false}) {
    FillOptions options{{}, whole ? 64 * kPiece : 0, 2 * kPiece};
    options.hash = true;
    const auto fill = make(options);
    (void)append(*fill, std::string_view(body).substr(0, 100));
    (void)append(*fill, "");
    (void)append(*fill, std::string_view(body).substr(100));
    EXPECT_EQ(fill->seal({}).digest, digest128(body));
  }
  FillOptions options;
  options.hash = true;
  EXPECT_EQ(make(options)->seal({}).digest, digest128(""));
  EXPECT_EQ(make_whole()->seal({}).digest, std::nullopt);
}

TEST_F(FillTest, AKnownSizeIsSealedWithoutACopy) {
  const std::string body = patterned(kPiece + 1000);
  const auto fill = make_whole(body.size());
  const auto reader = open(*fill);
  (void)append(*fill, std::string_view(body).substr(0, 1000));
  (void)append(*fill, std::string_view(body).substr(1000));
  EXPECT_EQ(budget_.used(), body.size()) << "allocated exactly";
  Chunk first;
  ASSERT_EQ(reader->read(0, kUnlimited, first), Fill::Read::kData);
  const Fill::Sealed sealed = fill->seal({});
  ASSERT_TRUE(sealed.whole);
  EXPECT_EQ(sealed.size, body.size());
  EXPECT_EQ(sealed.whole->front().data(), first.data());
  EXPECT_EQ(total_size(*sealed.whole), body.size());
  EXPECT_TRUE(tests::bytes_of(*make_memory_body(*sealed.whole), body.size()) == body);
}

TEST_F(FillTest, AnUnknownSizeIsSealedByteExact) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, 16 * kKiB, 16 * kKiB + 1, 5 * kPiece + 3}) {
    const std::string body = patterned(size);
    const auto fill = make_whole();
    (void)append(*fill, body);
    const Fill::Sealed sealed = fill->seal({});
    ASSERT_TRUE(sealed.whole);
    EXPECT_EQ(sealed.size, size);
    EXPECT_EQ(total_size(*sealed.whole), size);
    EXPECT_TRUE(tests::bytes_of(*make_memory_body(*sealed.whole), size) == body);
  }
}

TEST_F(FillTest, ABodyLongerThanAnnouncedIsStillReadWhole) {
  const std::string body = patterned(1000);
  const auto fill = make_whole(10);
  const auto reader = open(*fill);
  (void)append(*fill, body);
  const Fill::Sealed sealed = fill->seal({});
  EXPECT_EQ(sealed.size, body.size());
  std::string read;
  EXPECT_EQ(drain(*reader, read), Fill::Read::kEnd);
  EXPECT_TRUE(read == body);
}

TEST_F(FillTest, TheBudgetIsGivenBackWhateverTheEnd) {
  for (const int end : {0, 1, 2}) {
    auto fill = end == 2 ? make_windowed() : make_whole();
    auto reader = open(*fill);
    (void)append(*fill, patterned(3 * kPiece));
    EXPECT_GE(budget_.used(), 3 * kPiece);
    if (end == 0) (void)fill->seal({});
    if (end == 1) fill->fail();
    reader.reset();
    fill.reset();
    EXPECT_EQ(budget_.used(), 0U);
  }
}

TEST_F(FillTest, OverTheBudgetNothingIsKeptWhole) {
  FillBudget small(kPiece);
  const auto fill = std::make_shared<Fill>(FillOptions{std::nullopt, kUnlimited, 2 * kPiece}, small);
  (void)append(*fill, patterned(8 * kPiece));
  EXPECT_LE(small.used(), 4 * kPiece);
  EXPECT_FALSE(fill->seal({}).whole);
}

// Else a few slow readers of large bodies would keep every small one out of the memory tier.
TEST_F(FillTest, OverTheBudgetWhatFitsTheWindowIsKeptWhole) {
  FillBudget small(kPiece);
  small.take(2 * kPiece);
  const auto fill = std::make_shared<Fill>(FillOptions{std::nullopt, 64 * kPiece, 2 * kPiece}, small);
  EXPECT_EQ(append(*fill, patterned(64 * kKiB)), Fill::Appetite::kMore);
  EXPECT_TRUE(fill->seal({}).whole);
}

TEST(FillBudgetTest, IsExhaustedOverItsLimitAndOverdrawnOverTwiceOfIt) {
  FillBudget budget(100);
  budget.take(100);
  EXPECT_FALSE(budget.exhausted());
  budget.take(100);
  EXPECT_TRUE(budget.exhausted());
  EXPECT_FALSE(budget.overdrawn());
  budget.take(1);
  EXPECT_TRUE(budget.overdrawn());
  budget.give(201);
  EXPECT_FALSE(budget.exhausted());
}

TEST_F(FillTest, ABodyOverTheLimitIsNotKeptWhole) {
  const auto known = make({std::uint64_t{101}, 100, 2 * kPiece});
  (void)append(*known, patterned(101));
  EXPECT_FALSE(known->seal({}).whole);
  const auto unknown = make({std::nullopt, 100, 2 * kPiece});
  (void)append(*unknown, patterned(101));
  EXPECT_FALSE(unknown->seal({}).whole);
  const auto fits = make({std::nullopt, 100, 2 * kPiece});
  (void)append(*fits, patterned(100));
  EXPECT_TRUE(fits->seal({}).whole);
}

TEST_F(FillTest, InWindowModeMemoryIsAWindowAndOnePiece) {
  const std::string body = patterned(16 * kPiece);
  const auto fill = make_windowed(body.size());
  const auto reader = open(*fill);
  std::string read;
  for (std::size_t at = 0; at < body.size(); at += 48 * kKiB) {
    EXPECT_EQ(append(*fill, std::string_view(body).substr(at, 48 * kKiB)), Fill::Appetite::kMore);
    EXPECT_EQ(drain(*reader, read), Fill::Read::kWait);
    EXPECT_LE(budget_.used(), 3 * kPiece);
  }
  EXPECT_FALSE(fill->seal({}).whole);
  EXPECT_EQ(drain(*reader, read), Fill::Read::kEnd);
  EXPECT_TRUE(read == body);
}

TEST_F(FillTest, TheWriterPausesForTheSlowestReaderAndIsResumedOnce) {
  const auto fill = make_windowed();
  const auto quick = open(*fill);
  const auto slow = open(*fill);
  std::string by_quick;
  std::string by_slow;
  (void)append(*fill, patterned(2 * kPiece));
  (void)drain(*quick, by_quick);
  EXPECT_EQ(append(*fill, "x"), Fill::Appetite::kPause);
  (void)drain(*quick, by_quick);
  executor_.run();
  EXPECT_EQ(rooms_, 0);
  (void)drain(*slow, by_slow, 1);
  EXPECT_EQ(rooms_, 0) << "posted, not called";
  executor_.run();
  EXPECT_EQ(rooms_, 1);
  EXPECT_TRUE(by_slow == by_quick);
  EXPECT_EQ(append(*fill, "y"), Fill::Appetite::kMore);
}

TEST_F(FillTest, ClosingTheSlowestReaderResumesTheWriter) {
  const auto fill = make_windowed();
  auto slow = open(*fill);
  EXPECT_EQ(append(*fill, patterned(3 * kPiece)), Fill::Appetite::kPause);
  slow.reset();
  executor_.run();
  EXPECT_EQ(rooms_, 1);
}

TEST_F(FillTest, ACaughtUpReaderAndAPausedWriterNeverBothWait) {
  const auto fill = make_windowed();
  const auto reader = open(*fill);
  std::string read;
  // Whatever the size of an append, a reader that has read all of it leaves room.
  for (const std::size_t size : {kPiece, 2 * kPiece + 1, 7 * kPiece, std::size_t{1}}) {
    const bool paused = append(*fill, patterned(size)) == Fill::Appetite::kPause;
    const int rooms = rooms_;
    EXPECT_EQ(drain(*reader, read), Fill::Read::kWait);
    executor_.run();
    EXPECT_EQ(rooms_ - rooms, paused ? 1 : 0);
  }
}

TEST_F(FillTest, WithoutReadersNothingIsHeldUp) {
  const auto fill = make_windowed();
  for (int i = 0; i < 40; ++i) EXPECT_EQ(append(*fill, patterned(kPiece)), Fill::Appetite::kMore);
  EXPECT_LE(budget_.used(), 3 * kPiece);
  EXPECT_EQ(open(*fill), nullptr) << "the beginning is gone";
}

// An executor that has stopped destroys what is posted, and with it perhaps the flight: whose destructor
// fails the fill.
TEST_F(FillTest, RoomIsPostedWithoutTheLock) {
  struct AtEnd {
    std::shared_ptr<Fill> fill;
    explicit AtEnd(std::shared_ptr<Fill> which) : fill(std::move(which)) {}
    AtEnd(const AtEnd&) = delete;
    AtEnd& operator=(const AtEnd&) = delete;
    ~AtEnd() { fill->fail(); }
  };
  const auto fill = make_windowed();
  auto reader = open(*fill);
  auto handle = std::make_shared<AtEnd>(fill);
  EXPECT_EQ(fill->append(patterned(3 * kPiece), executor_, [handle] { (void)handle; }),
            Fill::Appetite::kPause);
  handle.reset();
  executor_.stop();
  reader.reset();
  EXPECT_EQ(fill->state(), Fill::State::kFailed);
}

TEST_F(FillTest, AnEndedFillKeepsNothingOfThePausedWriter) {
  for (const bool sealed : {true, false}) {
    const auto fill = make_windowed();
    const auto reader = open(*fill);
    auto handle = std::make_shared<int>(1);
    EXPECT_EQ(fill->append(patterned(3 * kPiece), executor_, [handle] { (void)handle; }),
              Fill::Appetite::kPause);
    const std::weak_ptr<int> weak = handle;
    handle.reset();
    if (sealed) {
      (void)fill->seal({});
    } else {
      fill->fail();
    }
    EXPECT_TRUE(weak.expired());
  }
}

TEST_F(FillTest, TheWriterGetsTheBodyInOrderAndIsGivenBack) {
  const std::string body = patterned(3 * kPiece + 5);
  const auto fill = make_whole();
  const auto written = write_to_disk(*fill);
  EXPECT_TRUE(fill->can_be_stored());
  for (std::size_t at = 0; at < body.size(); at += 1000) {
    (void)append(*fill, std::string_view(body).substr(at, 1000));
  }
  const Fill::Sealed sealed = fill->seal({});
  EXPECT_NE(sealed.writer, nullptr);
  EXPECT_TRUE(written->bytes == body);
}

TEST_F(FillTest, WithADiskTheWindowDropsAndWhoIsBehindReadsItBack) {
  const std::string body = patterned(12 * kPiece);
  const auto fill = make_windowed(body.size());
  const auto written = write_to_disk(*fill);
  const auto slow = open(*fill);
  for (std::size_t at = 0; at < body.size(); at += kPiece) {
    EXPECT_EQ(append(*fill, std::string_view(body).substr(at, kPiece)), Fill::Appetite::kMore);
    written->readable = written->bytes.size();
    EXPECT_LE(budget_.used(), 3 * kPiece);
  }
  Chunk chunk;
  EXPECT_EQ(slow->read(0, kPiece, chunk), Fill::Read::kBehind);
  const auto late = open(*fill);
  ASSERT_NE(late, nullptr);
  EXPECT_EQ(late->read(0, kPiece, chunk), Fill::Read::kBehind);
  std::string read = tests::bytes_of(*fill->written_body(), 11 * kPiece);
  read.resize(11 * kPiece);
  EXPECT_EQ(drain(*slow, read), Fill::Read::kWait);
  EXPECT_TRUE(read == body);
}

// A reader that joins later begins at 0, and may find there only what memory or the disk has.
TEST_F(FillTest, WithADiskNothingLeavesTheWindowThatCannotBeReadBack) {
  const std::string body = patterned(8 * kPiece);
  const auto fill = make_windowed(body.size());
  const auto written = write_to_disk(*fill);
  const auto quick = open(*fill);
  std::string by_quick;
  for (std::size_t at = 0; at < body.size(); at += kPiece) {
    (void)append(*fill, std::string_view(body).substr(at, kPiece));
    (void)drain(*quick, by_quick);
  }
  written->readable = 3 * kPiece;
  (void)append(*fill, "");
  const Fill::Sealed sealed = fill->seal({});
  (void)drain(*quick, by_quick);
  EXPECT_TRUE(by_quick == body);
  const auto late = open(*fill);
  ASSERT_NE(late, nullptr);
  std::string read = tests::bytes_of(*fill->written_body(), 3 * kPiece);
  EXPECT_EQ(drain(*late, read), Fill::Read::kEnd);
  EXPECT_TRUE(read == body);
}

// Two stalled clients before a disk that is slower than the origin must not fill the memory of all.
TEST_F(FillTest, AReaderThatIsBehindASlowDiskPausesTheOriginUntilTheDiskHasFollowed) {
  const auto fill = make_windowed(64 * kPiece);
  const auto written = write_to_disk(*fill);
  const auto slow = open(*fill);
  int taken = 0;
  Fill::Appetite appetite = Fill::Appetite::kMore;
  while (appetite == Fill::Appetite::kMore && taken < 64) {
    appetite = append(*fill, patterned(kPiece));
    ++taken;
  }
  EXPECT_EQ(appetite, Fill::Appetite::kPause);
  EXPECT_EQ(taken, 17) << "4 MiB are not written yet, and one piece more";
  EXPECT_LE(budget_.used(), 17 * kPiece);
  written->readable = written->bytes.size();
  executor_.run();
  EXPECT_EQ(rooms_, 1);
  EXPECT_LE(budget_.used(), 3 * kPiece);
  EXPECT_EQ(append(*fill, patterned(kPiece)), Fill::Appetite::kMore);
}

// A writer whose own room and whose disk come one after the other.
class FullWriter final : public FakeWriter {
 public:
  struct Said {
    bool full = true;
    std::function<void()> room;
    std::function<void()> written;
  };
  FullWriter(std::shared_ptr<WrittenBody> body, Said& said)
      : FakeWriter(std::move(body), kUnlimited), said_(said) {}
  [[nodiscard]] bool wants_pause() const override { return said_.full; }
  void when_room(std::function<void()> room) override { said_.room = std::move(room); }
  void when_written(Executor& /*executor*/, std::function<void()> done) override {
    said_.written = std::move(done);
  }

 private:
  Said& said_;
};

TEST_F(FillTest, AWriterThatHasRoomBeforeItsDiskHasIsWokenByTheDisk) {
  const auto fill = make_windowed(64 * kPiece);
  const auto body = std::make_shared<WrittenBody>();
  FullWriter::Said said;
  fill->write_to(std::make_unique<FullWriter>(body, said));
  const auto slow = open(*fill);
  EXPECT_EQ(append(*fill, patterned(18 * kPiece)), Fill::Appetite::kPause);
  said.full = false;
  ASSERT_TRUE(said.room);
  said.room();
  executor_.run();
  EXPECT_EQ(rooms_, 0) << "too much is not written yet";
  ASSERT_TRUE(said.written);
  body->readable = body->bytes.size();
  said.written();
  executor_.run();
  EXPECT_EQ(rooms_, 1);
}

TEST_F(FillTest, WhereAllReadersKeepUpASlowDiskPausesNobody) {
  const auto fill = make_windowed(64 * kPiece);
  (void)write_to_disk(*fill);
  const auto quick = open(*fill);
  std::string read;
  for (int i = 0; i < 24; ++i) {
    EXPECT_EQ(append(*fill, patterned(kPiece)), Fill::Appetite::kMore);
    (void)drain(*quick, read);
  }
}

TEST_F(FillTest, OverTheBudgetASlowDiskPausesTheOriginWhereReadersKeepUpToo) {
  const auto fill = make_windowed(64 * kPiece);
  const auto written = write_to_disk(*fill);
  const auto quick = open(*fill);
  std::string read;
  std::size_t taken = 0;
  while (taken < 20) {
    EXPECT_EQ(append(*fill, patterned(kPiece)), Fill::Appetite::kMore);
    (void)drain(*quick, read);
    ++taken;
  }
  budget_.take(kUnlimited / 2);
  EXPECT_EQ(append(*fill, patterned(kPiece)), Fill::Appetite::kPause);
  written->readable = written->bytes.size();
  executor_.run();
  EXPECT_EQ(rooms_, 1);
  EXPECT_EQ(append(*fill, patterned(kPiece)), Fill::Appetite::kMore);
  EXPECT_EQ(append(*fill, patterned(2 * kPiece)), Fill::Appetite::kPause) << "512 KiB and more";
  budget_.give(kUnlimited / 2);
}

TEST_F(FillTest, ARefusingWriterLeavesAWholeBodyForMemory) {
  const std::string body = patterned(2 * kPiece);
  const auto fill = make_whole();
  (void)write_to_disk(*fill, 100);
  (void)append(*fill, std::string_view(body).substr(0, kPiece));
  (void)append(*fill, std::string_view(body).substr(kPiece));
  EXPECT_TRUE(fill->can_be_stored());
  const Fill::Sealed sealed = fill->seal({});
  EXPECT_NE(sealed.writer, nullptr);
  ASSERT_TRUE(sealed.whole);
  EXPECT_EQ(total_size(*sealed.whole), body.size());
}

TEST_F(FillTest, ARefusingWriterInWindowModeIsDroppedAndTheSlowestReaderPausesTheOrigin) {
  const auto fill = make_windowed();
  const auto written = write_to_disk(*fill, 4 * kPiece);
  const auto reader = open(*fill);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(append(*fill, patterned(kPiece)), Fill::Appetite::kMore);
  written->readable = kPiece;
  EXPECT_TRUE(fill->can_be_stored());
  EXPECT_EQ(append(*fill, "x"), Fill::Appetite::kPause);
  EXPECT_FALSE(fill->can_be_stored());
  EXPECT_EQ(written.use_count(), 2) << "the writer is gone; the fill's readers may still read the body";
  std::string read;
  EXPECT_EQ(drain(*reader, read), Fill::Read::kWait);
  executor_.run();
  EXPECT_EQ(rooms_, 1);
  EXPECT_EQ(read.size(), 4 * kPiece + 1);
  (void)append(*fill, patterned(2 * kPiece));
  EXPECT_EQ(open(*fill), nullptr) << "the beginning is neither here nor on disk";
}

// It was refused while the body was still to be kept whole; then the body outgrew the limit.
TEST_F(FillTest, AWriterThatRefusedEarlierIsDroppedWhenTheBodyIsNotKeptWhole) {
  const auto fill = make({std::nullopt, kPiece, 2 * kPiece});
  (void)write_to_disk(*fill, 100);
  const auto reader = open(*fill);
  EXPECT_EQ(append(*fill, patterned(kPiece)), Fill::Appetite::kMore);
  EXPECT_TRUE(fill->can_be_stored());
  EXPECT_EQ(append(*fill, patterned(2 * kPiece)), Fill::Appetite::kPause);
  EXPECT_FALSE(fill->can_be_stored());
  EXPECT_EQ(fill->seal({}).writer, nullptr);
}

TEST_F(FillTest, FailingDropsTheWriter) {
  const auto fill = make_whole();
  const auto written = write_to_disk(*fill);
  (void)append(*fill, "half");
  fill->fail();
  EXPECT_FALSE(fill->can_be_stored());
  EXPECT_EQ(written.use_count(), 2);
}

}  // namespace
}  // namespace freshet::storage
