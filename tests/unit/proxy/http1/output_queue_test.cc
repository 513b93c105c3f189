#include "proxy/http1/output_queue.h"

#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace freshet::proxy {
namespace {

class OutputQueueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_), 0);
    const int small = 32 * 1024;
    ::setsockopt(ends_[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    transport_.emplace(Descriptor{ends_[0]});
  }
  void TearDown() override {
    transport_.reset();
    ::close(ends_[1]);
  }

  void add_text(const std::string& text) {
    queue_.text().append(text);
    queue_.end_text();
    expected_.append(text);
  }
  void add_chunk(const std::string& text) {
    queue_.append(storage::Chunk::copy_of(text));
    expected_.append(text);
  }
  OutputQueue::Written write() {
    std::uint64_t total = 0;
    return queue_.write_to(*transport_, std::size_t{1} << 20, total);
  }
  // Up to `most` bytes.
  void read(std::size_t most) {
    std::string buffer(most, '\0');
    const ssize_t got = ::recv(ends_[1], buffer.data(), most, 0);
    if (got > 0) arrived_.append(buffer, 0, static_cast<std::size_t>(got));
  }
  void read_all() {
    while (queue_.size() > 0) {
      ASSERT_NE(write(), OutputQueue::Written::kBroken);
      read(std::size_t{1} << 20);
    }
    read(std::size_t{1} << 20);
  }

  int ends_[2] = {-1, -1};
  std::optional<Transport> transport_;
  OutputQueue queue_;
  std::string expected_;
  std::string arrived_;
};

TEST_F(OutputQueueTest, TextAndChunksArriveInOrder) {
  for (int i = 0; i < 300; ++i) {
    add_text("head " + std::to_string(i) + "\n");
    if (i % 3 != 0) add_chunk(std::string(static_cast<std::size_t>(i) * 10, 'c'));
  }
  read_all();
  EXPECT_EQ(arrived_, expected_);
}

// One piece to send costs less than two; a copy of much would cost more.
TEST_F(OutputQueueTest, ASmallBodyIsCopiedBehindItsHeadAndALargeOneIsNot) {
  const auto small = std::make_shared<const std::string>(1000, 's');
  const auto large = std::make_shared<const std::string>(100'000, 'l');
  add_text("head");
  queue_.append(storage::Chunk(small, small->data(), small->size()));
  EXPECT_EQ(small.use_count(), 1);
  queue_.append(storage::Chunk(large, large->data(), large->size()));
  EXPECT_EQ(large.use_count(), 2);
  EXPECT_EQ(queue_.size(), 101'004U);
  expected_ += *small + *large;
  read_all();
  EXPECT_EQ(arrived_, expected_);
  EXPECT_EQ(large.use_count(), 1);
}

// A client that takes its answers, but never all of them, must not make the buffer grow without end.
TEST_F(OutputQueueTest, TextThatIsSentIsForgottenThoughMoreAlwaysWaits) {
  std::size_t most = 0;
  for (int i = 0; i < 2000; ++i) {
    while (queue_.size() < 100 * 1024) {
      for (int n = 0; n < 40; ++n) add_text("answer " + std::to_string(i) + "." + std::to_string(n) + "\n");
      if (i % 7 == 0) add_chunk("body " + std::to_string(i));
    }
    (void)write();
    read(8 * 1024);
    most = std::max(most, queue_.text().size());
    ASSERT_GT(queue_.size(), 0U);
  }
  EXPECT_GT(expected_.size(), 10U << 20);
  EXPECT_LT(most, 512U * 1024);
  read_all();
  EXPECT_EQ(arrived_, expected_);
}

TEST_F(OutputQueueTest, ABufferThatHasBecomeLargeIsGivenBack) {
  for (int i = 0; i < 1000; ++i) add_text(std::string(1000, 'h'));
  read_all();
  EXPECT_LT(queue_.text().capacity(), 128U * 1024);
}

}  // namespace
}  // namespace freshet::proxy
