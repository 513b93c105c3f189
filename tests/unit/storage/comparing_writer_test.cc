#include "storage/comparing_writer.h"

#include <gtest/gtest.h>

#include "storage/fill.h"
#include "storage/tiered_store.h"
#include "tests/support/fake_disk.h"
#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using tests::bytes_of;
using tests::head_of;
using tests::key_of;
using tests::patterned;

constexpr std::size_t kMiB = std::size_t{1} << 20U;

// A body that answers in pieces, later if the test says so, until it fails.
class SlowBody final : public StoredBody {
 public:
  explicit SlowBody(std::string bytes) : bytes_(std::move(bytes)) {}

  TryRead try_read(std::uint64_t offset, Chunk& chunk) const override {
    if (blocks) return TryRead::kWouldBlock;
    const Result<Chunk> got = piece(offset);
    if (got.ok()) chunk = got.value();
    return got.ok() ? TryRead::kData : TryRead::kFailed;
  }
  void read(std::uint64_t offset, Executor& executor,
            std::function<void(Result<Chunk>)> done) const override {
    ++reads;
    executor.post([got = piece(offset), done = std::move(done)] { done(got); });
  }
  [[nodiscard]] std::size_t memory_size() const override { return 0; }

  bool blocks = false;
  std::uint64_t fails_at = ~std::uint64_t{0};
  std::size_t piece_size = 70'000;
  mutable int reads = 0;

 private:
  [[nodiscard]] Result<Chunk> piece(std::uint64_t offset) const {
    if (offset >= fails_at || offset >= bytes_.size()) return Error{"gone"};
    const std::size_t at = static_cast<std::size_t>(offset);
    return Chunk::copy_of(std::string_view(bytes_).substr(at, piece_size - at % piece_size));
  }

  const std::string bytes_;
};

class ComparingWriterTest : public ::testing::Test {
 protected:
  // The stored response, and a writer that compares with it.
  void begin(std::string stored) {
    StoredHead head = head_of({key_of("/a"), 100, "", 1, 77});
    head.body_size = stored.size();
    body_ = std::make_shared<SlowBody>(std::move(stored));
    old_ = std::make_shared<const StoredResponse>(std::move(head), body_, Describe{});
    renew();
  }
  void renew() {
    writer_ = std::make_unique<ComparingWriter>(
        old_, [this] { return store_->begin(key_of("/a"), {}); }, executor_, [this] { ++differences_; },
        [this](StoredHead head) {
          EXPECT_FALSE(stored_) << "before the answer";
          equal_head_ = std::move(head);
        });
  }
  bool append(std::string_view bytes, std::size_t piece = 16'384) {
    bool taken = true;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
      taken = writer_->append(Chunk::copy_of(bytes.substr(0, piece)));
    }
    return taken;
  }
  void commit(const std::string& bytes, bool whole = false) {
    StoredHead head = head_of({key_of("/a"), 200});
    head.body_size = bytes.size();
    std::optional<ChunkList> chunks;
    if (whole) chunks = ChunkList{Chunk::copy_of(bytes)};
    writer_->commit(std::move(head), std::move(chunks), executor_, [this](bool stored) {
      EXPECT_FALSE(stored_) << "once";
      stored_ = stored;
    });
  }
  void expect_equal() {
    executor_.run();
    EXPECT_EQ(stored_, true);
    ASSERT_TRUE(equal_head_.has_value());
    EXPECT_EQ(equal_head_->response_time, wall_from_seconds(200));
    EXPECT_EQ(differences_, 0);
    EXPECT_TRUE(disk_.written.empty()) << "no writer was begun";
    EXPECT_TRUE(writer_->equal());
  }
  void expect_written(const std::string& bytes) {
    executor_.run();
    EXPECT_EQ(stored_, true);
    EXPECT_FALSE(equal_head_.has_value());
    EXPECT_EQ(differences_, 1);
    ASSERT_EQ(disk_.written.size(), 1U);
    EXPECT_TRUE(disk_.written.front()->bytes == bytes);
    EXPECT_FALSE(writer_->equal());
    ASSERT_NE(disk_.variants_of(key_of("/a")), nullptr);
  }

  tests::ManualExecutor executor_;
  tests::FakeDisk disk_;
  ResponseStore* store_ = &disk_;
  std::shared_ptr<SlowBody> body_;
  StoredResponsePtr old_;
  int differences_ = 0;
  std::optional<StoredHead> equal_head_;
  std::optional<bool> stored_;
  std::unique_ptr<ComparingWriter> writer_;
};

TEST_F(ComparingWriterTest, EqualBytesWriteNothing) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{70'000}, kMiB}) {
    for (const bool blocks : {false, true}) {
      const std::string bytes = patterned(size);
      begin(bytes);
      body_->blocks = blocks;
      EXPECT_TRUE(append(bytes));
      commit(bytes);
      expect_equal();
      EXPECT_EQ(writer_->readable(), size);
      EXPECT_EQ(writer_->body_id(), 0U);
      body_->blocks = false;
      EXPECT_TRUE(bytes_of(*writer_->written_body(), size) == bytes);
      EXPECT_EQ(body_->reads > 0, blocks && size > 0);
      stored_.reset();
      equal_head_.reset();
    }
  }
}

// The first difference wherever it is, the stored body at once or later.
class ComparingWriterDifference : public ComparingWriterTest,
                                  public ::testing::WithParamInterface<std::tuple<int, bool, std::size_t>> {};

TEST_P(ComparingWriterDifference, IsWrittenWithTheEqualPrefix) {
  const auto [kind, blocks, piece] = GetParam();
  const std::string stored = patterned(300'000);
  std::string bytes = stored;
  switch (kind) {
    case 0:
      bytes.front() ^= 1;
      break;
    case 1:
      bytes[bytes.size() / 2] ^= 1;
      break;
    case 2:
      bytes.back() ^= 1;
      break;
    case 3:
      bytes.resize(bytes.size() - 1);
      break;
    case 4:
      bytes += "more";
      break;
    case 5:
      bytes.clear();
      break;
    default:
      bytes = patterned(100'000, 9);
      break;
  }
  begin(stored);
  body_->blocks = blocks;
  EXPECT_TRUE(append(bytes, piece));
  commit(bytes);
  expect_written(bytes);
}

INSTANTIATE_TEST_SUITE_P(Places, ComparingWriterDifference,
                         ::testing::Combine(::testing::Range(0, 7), ::testing::Bool(),
                                            ::testing::Values(std::size_t{999}, std::size_t{kMiB})));

TEST_F(ComparingWriterTest, AnEmptyStoredBodyDiffersFromAnyOther) {
  begin("");
  EXPECT_TRUE(append("x"));
  commit("x");
  expect_written("x");
}

// append() is called under the fill's lock.
TEST_F(ComparingWriterTest, CallsNothingBackFromAppend) {
  begin("abc");
  EXPECT_TRUE(append("abX"));
  EXPECT_EQ(differences_, 0);
  EXPECT_TRUE(disk_.written.empty());
  executor_.run();
  EXPECT_EQ(differences_, 1);
  EXPECT_EQ(disk_.written.size(), 1U);
  EXPECT_EQ(writer_->body_id(), 1U);
  // From now on it forwards.
  EXPECT_TRUE(append("def"));
  EXPECT_EQ(disk_.written.front()->bytes, "abXdef");
  commit("abXdef");
  expect_written("abXdef");
}

// Readers that are behind have the body from before the difference, and go on with it.
TEST_F(ComparingWriterTest, OneBodyReadsThePrefixAndWhatWasWritten) {
  const std::string stored = patterned(200'000);
  const std::string bytes = stored.substr(0, 150'000) + patterned(150'000, 5);
  begin(stored);
  const auto body = writer_->written_body();
  EXPECT_EQ(writer_->readable(), 0U);
  EXPECT_TRUE(append(std::string_view(bytes).substr(0, 140'000)));
  EXPECT_EQ(writer_->readable(), 140'000U);
  Chunk chunk;
  EXPECT_EQ(body->try_read(140'000, chunk), StoredBody::TryRead::kFailed) << "not what is stored behind it";
  EXPECT_TRUE(append(std::string_view(bytes).substr(140'000)));
  const std::uint64_t prefix = writer_->readable();
  EXPECT_GE(prefix, 150'000U);
  executor_.run();
  EXPECT_EQ(writer_->readable(), prefix);
  disk_.written.front()->readable = 290'000;
  EXPECT_EQ(writer_->readable(), 290'000U);
  EXPECT_TRUE(bytes_of(*body, 290'000) == bytes.substr(0, 290'000));
  std::string read;
  while (read.size() < 290'000) {
    body->read(read.size(), executor_, [&](const Result<Chunk>& got) { read.append(got.value().view()); });
    executor_.run();
  }
  EXPECT_TRUE(read == bytes.substr(0, 290'000));
}

TEST_F(ComparingWriterTest, GivesUpWhereTooMuchWaits) {
  const std::string bytes = patterned(6 * kMiB);
  for (const bool whole : {false, true}) {
    begin(bytes);
    body_->blocks = true;
    EXPECT_TRUE(append(std::string_view(bytes).substr(0, 4 * kMiB)));
    EXPECT_FALSE(append(std::string_view(bytes).substr(4 * kMiB)));
    EXPECT_FALSE(append("x"));
    commit(bytes, whole);
    executor_.run();
    EXPECT_EQ(stored_, whole) << "what was kept whole is stored as new";
    EXPECT_EQ(disk_.written.size(), whole ? 1U : 0U);
    EXPECT_EQ(differences_, 0);
    EXPECT_FALSE(equal_head_.has_value());
    stored_.reset();
  }
}

TEST_F(ComparingWriterTest, AsksForAPauseWhileMuchWaits) {
  const std::string bytes = patterned(3 * kMiB);
  begin(bytes);
  body_->blocks = true;
  int rooms = 0;
  EXPECT_TRUE(append(std::string_view(bytes).substr(0, kMiB)));
  EXPECT_FALSE(writer_->wants_pause());
  EXPECT_TRUE(append(std::string_view(bytes).substr(kMiB, 1)));
  EXPECT_TRUE(writer_->wants_pause());
  writer_->when_room([&] { ++rooms; });
  EXPECT_EQ(rooms, 0);
  executor_.run();
  EXPECT_EQ(rooms, 1);
  EXPECT_FALSE(writer_->wants_pause());
  // Given up, it wants none either.
  EXPECT_TRUE(append(std::string_view(bytes).substr(kMiB + 1)));
  writer_->when_room([&] { ++rooms; });
  body_->fails_at = 2 * kMiB;
  executor_.run();
  EXPECT_EQ(rooms, 2);
  EXPECT_FALSE(append("x"));
  EXPECT_FALSE(writer_->wants_pause());
}

// However slowly the stored body is read and however late the difference comes, nothing is given up: the fill
// pauses, with a reader at its heels too.
TEST_F(ComparingWriterTest, AFillPausesUntilItHasCaughtUp) {
  for (const bool keeps_whole : {false, true}) {
    const std::string stored = patterned(12 * kMiB);
    std::string bytes = stored;
    bytes.back() ^= 1;
    begin(stored);
    body_->blocks = true;
    FillBudget budget(64 * kMiB);
    const auto fill =
        std::make_shared<Fill>(FillOptions{bytes.size(), keeps_whole ? 64 * kMiB : 0, 512 * 1024}, budget);
    fill->write_to(std::move(writer_));
    const auto reader = fill->open_reader(executor_, [] {});
    bool paused = false;
    int pauses = 0;
    std::uint64_t read = 0;
    for (std::size_t at = 0; at < bytes.size(); at += 100'000) {
      const auto appetite =
          fill->append(std::string_view(bytes).substr(at, 100'000), executor_, [&] { paused = false; });
      paused = appetite == Fill::Appetite::kPause;
      if (paused) ++pauses;
      Chunk chunk;
      while (reader->read(read, kMiB, chunk) == Fill::Read::kData) read += chunk.size();
      if (paused) executor_.run();
      ASSERT_FALSE(paused) << at;
      ASSERT_TRUE(fill->can_be_stored()) << at;
    }
    EXPECT_GT(pauses, 5);
    Fill::Sealed sealed = fill->seal({});
    writer_.reset(static_cast<ComparingWriter*>(sealed.writer.release()));
    commit(bytes);
    executor_.run();
    EXPECT_EQ(stored_, true);
    EXPECT_TRUE(disk_.written.back()->bytes == bytes);
    stored_.reset();
  }
}

// A writer that says by the test's hand what it has written.
class PacedWriter final : public tests::FakeWriter {
 public:
  PacedWriter(std::shared_ptr<tests::WrittenBody> body, std::function<void()>& written)
      : FakeWriter(std::move(body), ~std::size_t{0}), written_(written) {}
  void when_written(Executor& /*executor*/, std::function<void()> done) override {
    written_ = std::move(done);
  }

 private:
  std::function<void()>& written_;
};

// A reader that is behind a disk slower than the origin: the pause lasts until the disk has followed.
TEST_F(ComparingWriterTest, WhatDiffersIsPacedByTheWriterThatTakesIt) {
  begin("stored");
  std::function<void()> written;
  const auto on_disk = std::make_shared<tests::WrittenBody>();
  FillBudget budget(64 * kMiB);
  const auto fill = std::make_shared<Fill>(FillOptions{{}, 0, 512 * 1024}, budget);
  fill->write_to(std::make_unique<ComparingWriter>(
      old_, [&] { return std::make_unique<PacedWriter>(on_disk, written); }, executor_, nullptr, nullptr));
  const auto behind = fill->open_reader(executor_, [] {});
  int rooms = 0;
  auto appetite = Fill::Appetite::kMore;
  for (int i = 0; i < 64 && appetite == Fill::Appetite::kMore; ++i) {
    appetite = fill->append(patterned(256 * 1024), executor_, [&] { ++rooms; });
    executor_.run();
  }
  EXPECT_EQ(appetite, Fill::Appetite::kPause);
  EXPECT_EQ(rooms, 0);
  ASSERT_TRUE(written);
  on_disk->readable = on_disk->bytes.size();
  written();
  executor_.run();
  EXPECT_EQ(rooms, 1);
}

TEST_F(ComparingWriterTest, DroppedItDoesNothingMore) {
  const std::string bytes = patterned(200'000);
  for (const bool differs : {false, true}) {
    for (const bool blocks : {false, true}) {
      begin(bytes);
      const std::weak_ptr<SlowBody> stored = body_;
      body_->blocks = blocks;
      EXPECT_TRUE(append(differs ? "#" + bytes : bytes));
      body_ = nullptr;
      old_ = nullptr;
      writer_ = nullptr;
      executor_.run();
      EXPECT_EQ(differences_, 0);
      EXPECT_TRUE(disk_.written.empty());
      EXPECT_TRUE(stored.expired());
    }
  }
}

TEST_F(ComparingWriterTest, OnceCommittedItNeedsItsOwnerNoLonger) {
  const std::string bytes = patterned(200'000);
  for (const bool differs : {false, true}) {
    begin(bytes);
    body_->blocks = true;
    std::string sent = bytes;
    if (differs) sent.back() ^= 1;
    EXPECT_TRUE(append(sent));
    commit(sent);
    EXPECT_FALSE(stored_);
    writer_ = nullptr;
    executor_.run();
    EXPECT_EQ(stored_, true);
    EXPECT_EQ(equal_head_.has_value(), !differs);
    EXPECT_EQ(differences_, differs ? 1 : 0);
    stored_.reset();
    equal_head_.reset();
  }
}

TEST_F(ComparingWriterTest, AStoredBodyThatIsLostAtOnceIsReplaced) {
  for (const bool blocks : {false, true}) {
    begin("stored");
    body_->blocks = blocks;
    body_->fails_at = 0;
    EXPECT_TRUE(append("stored"));
    commit("stored");
    executor_.run();
    EXPECT_EQ(stored_, true);
    EXPECT_EQ(disk_.written.back()->bytes, "stored");
    stored_.reset();
  }
}

TEST_F(ComparingWriterTest, AStoredBodyThatIsLostLaterIsARefusal) {
  const std::string bytes = patterned(200'000);
  for (const bool whole : {false, true}) {
    begin(bytes);
    body_->fails_at = 100'000;
    EXPECT_FALSE(append(bytes));
    commit(bytes, whole);
    executor_.run();
    EXPECT_EQ(stored_, whole);
    stored_.reset();
  }
}

TEST_F(ComparingWriterTest, APrefixThatIsLostIsARefusal) {
  const std::string bytes = patterned(200'000);
  begin(bytes);
  EXPECT_TRUE(append(std::string_view(bytes).substr(0, 199'999)));
  EXPECT_TRUE(append("#"));
  body_->fails_at = 100'000;
  executor_.run();
  EXPECT_EQ(differences_, 1);
  EXPECT_FALSE(append("more"));
  commit(bytes);
  executor_.run();
  EXPECT_EQ(stored_, false);
  EXPECT_EQ(disk_.variants_of(key_of("/a")), nullptr);
}

TEST_F(ComparingWriterTest, AStoreThatTakesNothingIsARefusal) {
  disk_.takes_writes = false;
  begin("abc");
  EXPECT_TRUE(append("abX"));
  executor_.run();
  EXPECT_FALSE(append("more"));
  commit("abXmore", true);
  executor_.run();
  EXPECT_EQ(stored_, false);
}

// Without a disk a writer refuses all bytes and takes the whole.
TEST_F(ComparingWriterTest, MemoryAloneTakesTheWhole) {
  Counters counters;
  MemoryStore memory({}, {}, counters);
  Generations generations;
  TieredStore tiered(memory, nullptr, generations, counters);
  for (ResponseStore* store : {static_cast<ResponseStore*>(&memory), static_cast<ResponseStore*>(&tiered)}) {
    for (const std::string sent : {"stored", "storeX", "Xtored", "stor"}) {
      store->remove(key_of("/a"));
      store_ = store;
      begin("stored");
      append(sent);
      executor_.run();
      commit(sent, true);
      executor_.run();
      EXPECT_EQ(stored_, true);
      EXPECT_EQ(writer_->equal(), sent == "stored");
      const auto found = store->try_lookup(key_of("/a")).variants;
      ASSERT_EQ(found != nullptr, sent != "stored");
      if (found) {
        EXPECT_EQ(bytes_of(*found->front()->body(), 100), sent);
      }
      stored_.reset();
    }
  }
}

// With a fill above: what is equal leaves memory, and a reader that is behind gets it from the stored body.
TEST_F(ComparingWriterTest, AFillReadsBackThroughIt) {
  const std::string stored = patterned(3 * kMiB);
  std::string bytes = stored;
  bytes[2 * kMiB] ^= 1;
  begin(stored);
  body_->piece_size = kMiB;
  FillBudget budget(64 * kMiB);
  const auto fill = std::make_shared<Fill>(FillOptions{bytes.size(), 0, 512 * 1024}, budget);
  fill->write_to(std::move(writer_));
  const auto reader = fill->open_reader(executor_, [] {});
  for (std::size_t at = 0; at < bytes.size(); at += 16'384) {
    EXPECT_EQ(fill->append(std::string_view(bytes).substr(at, 16'384), executor_, [] {}),
              Fill::Appetite::kMore);
    executor_.run();
    if (!disk_.written.empty()) disk_.written.front()->readable = disk_.written.front()->bytes.size();
  }
  EXPECT_EQ(differences_, 1);
  EXPECT_LT(budget.used(), 2 * kMiB);
  std::string read;
  while (read.size() < bytes.size()) {
    Chunk chunk;
    const Fill::Read result = reader->read(read.size(), bytes.size(), chunk);
    if (result == Fill::Read::kBehind) {
      ASSERT_EQ(fill->written_body()->try_read(read.size(), chunk), StoredBody::TryRead::kData);
    } else {
      ASSERT_EQ(result, Fill::Read::kData);
    }
    read.append(chunk.view());
  }
  EXPECT_TRUE(read == bytes);
  Fill::Sealed sealed = fill->seal({});
  writer_.reset(static_cast<ComparingWriter*>(sealed.writer.release()));
  commit(bytes);
  expect_written(bytes);
}

}  // namespace
}  // namespace freshet::storage
