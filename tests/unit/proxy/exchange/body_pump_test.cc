// Where the pump gets its bytes from, and that it asks for no others.
#include "proxy/exchange/body_pump.h"

#include <gtest/gtest.h>

#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::proxy {
namespace {

using storage::Chunk;

// A body on disk, in blocks, that remembers where it was read.
class BlockedBody final : public storage::StoredBody {
 public:
  explicit BlockedBody(std::string bytes) : bytes_(std::move(bytes)) {}

  TryRead try_read(std::uint64_t /*offset*/, Chunk& /*chunk*/) const override { return TryRead::kWouldBlock; }
  void read(std::uint64_t offset, storage::Executor& executor,
            std::function<void(storage::Result<Chunk>)> done) const override {
    reads.push_back(offset);
    const std::uint64_t end = (offset / kBlock + 1) * kBlock;
    executor.post([done = std::move(done), chunk = Chunk::copy_of(bytes_.substr(offset, end - offset))] {
      done(chunk);
    });
  }
  [[nodiscard]] std::size_t memory_size() const override { return 0; }

  static constexpr std::uint64_t kBlock = 256;
  mutable std::vector<std::uint64_t> reads;

 private:
  const std::string bytes_;
};

class BodyPumpTest : public testing::Test {
 protected:
  storage::StoredResponsePtr response(std::shared_ptr<const storage::StoredBody> body) const {
    storage::StoredHead head = tests::head_of({tests::key_of("/")});
    head.body_size = content_.size();
    return std::make_shared<const storage::StoredResponse>(std::move(head), std::move(body),
                                                           storage::Describe{});
  }
  std::string read_on() {
    std::string got;
    for (;;) {
      Chunk chunk;
      switch (pump_.next(chunk)) {
        case BodyPump::Next::kData:
          got.append(chunk.view());
          break;
        case BodyPump::Next::kWait:
          if (executor_.run() == 0) return got;
          break;
        case BodyPump::Next::kEnd:
        case BodyPump::Next::kBroken:
          return got;
      }
    }
  }

  const std::string content_ = tests::patterned(2560);
  tests::ManualExecutor executor_;
  BodyPump pump_{executor_, [] {}};
};

TEST_F(BodyPumpTest, ARangeOnDiskReadsItsOwnBlocksOnly) {
  const auto body = std::make_shared<BlockedBody>(content_);
  pump_.start(response(body), 1000, 1300);
  EXPECT_EQ(read_on(), content_.substr(1000, 300));
  EXPECT_EQ(body->reads, (std::vector<std::uint64_t>{1000, 1024, 1280}));
}

TEST_F(BodyPumpTest, SeveralRangesInAnyOrder) {
  const auto body = std::make_shared<BlockedBody>(content_);
  pump_.start(response(body), 2000, 2010);
  EXPECT_EQ(read_on(), content_.substr(2000, 10));
  pump_.go_on_with(5, 15);
  EXPECT_EQ(read_on(), content_.substr(5, 10));
  pump_.go_on_with(2559, BodyPump::kToTheEnd);
  EXPECT_EQ(read_on(), content_.substr(2559));
  EXPECT_EQ(body->reads, (std::vector<std::uint64_t>{2000, 5, 2559}));
}

TEST_F(BodyPumpTest, AReadThatOutlivesItsRequestDoesNothing) {
  const auto body = std::make_shared<BlockedBody>(content_);
  Chunk chunk;
  pump_.start(response(body), 0, 10);
  EXPECT_EQ(pump_.next(chunk), BodyPump::Next::kWait);
  pump_.start(response(storage::make_memory_body({Chunk::copy_of(content_)})), 0, 10);
  executor_.run();
  EXPECT_EQ(read_on(), content_.substr(0, 10));
}

}  // namespace
}  // namespace freshet::proxy
