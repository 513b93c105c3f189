// Fill with real threads: one writer, readers on threads of their own, all bytes compared by digest.
#include <atomic>
#include <gtest/gtest.h>
#include <limits>

#include "storage/base/hash.h"
#include "storage/fill.h"
#include "tests/support/manual_executor.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

using tests::ThreadExecutor;

constexpr std::size_t kReaders = 8;

// Reads as an exchange does: on its executor, woken when there is more.
class Client {
 public:
  Client(Fill& fill, std::size_t most, std::atomic<int>& ended) : most_(most), ended_(ended) {
    reader_ = fill.open_reader(executor_, [this] { go_on(); });
    executor_.post([this] { go_on(); });
  }

  [[nodiscard]] Fill::Read last() const { return last_; }
  [[nodiscard]] std::uint64_t size() const { return offset_; }
  [[nodiscard]] Digest128 digest() const { return digest_.digest(); }

 private:
  void go_on() {
    for (;;) {
      Chunk chunk;
      last_ = reader_->read(offset_, most_, chunk);
      if (last_ == Fill::Read::kWait) return;
      if (last_ != Fill::Read::kData) break;
      digest_.update(chunk.view());
      offset_ += chunk.size();
    }
    reader_.reset();
    ended_.fetch_add(1);
    ended_.notify_one();
  }

  const std::size_t most_;
  std::atomic<int>& ended_;
  std::unique_ptr<FillReader> reader_;
  StreamDigest digest_;
  std::uint64_t offset_ = 0;
  Fill::Read last_ = Fill::Read::kWait;
  ThreadExecutor executor_;  // last: its thread ends before the rest goes
};

// Appends on its executor, and waits for room when told to.
class Origin {
 public:
  Origin(Fill& fill, std::string_view body, std::size_t piece) : fill_(fill), body_(body), piece_(piece) {
    executor_.post([this] { go_on(); });
  }

 private:
  void go_on() {
    while (at_ < body_.size()) {
      const std::string_view next = body_.substr(at_, piece_);
      at_ += next.size();
      if (fill_.append(next, executor_, [this] { go_on(); }) == Fill::Appetite::kPause) return;
    }
    (void)fill_.seal({});
  }

  Fill& fill_;
  const std::string_view body_;
  const std::size_t piece_;
  std::size_t at_ = 0;
  ThreadExecutor executor_;
};

void expect_all_get_all(FillOptions options, std::size_t size) {
  FillBudget budget(std::numeric_limits<std::size_t>::max());
  const std::string body = tests::patterned(size);
  auto fill = std::make_shared<Fill>(options, budget);
  std::atomic<int> ended = 0;
  {
    std::vector<std::unique_ptr<Client>> clients;
    for (std::size_t i = 0; i < kReaders; ++i) {
      clients.push_back(std::make_unique<Client>(*fill, 1000 + i * 9000, ended));
    }
    const Origin origin(*fill, body, 7001);
    for (int so_far = 0; so_far < static_cast<int>(kReaders); so_far = ended.load()) ended.wait(so_far);
    for (const auto& client : clients) {
      EXPECT_EQ(client->last(), Fill::Read::kEnd);
      EXPECT_EQ(client->size(), size);
      EXPECT_EQ(client->digest(), digest128(body));
    }
  }
  fill.reset();
  EXPECT_EQ(budget.used(), 0U);
}

TEST(FillThreads, EightReadersGetABodyThatIsKeptWhole) {
  expect_all_get_all({std::nullopt, std::size_t{8} << 20U, 64 * 1024}, std::size_t{2} << 20U);
}

TEST(FillThreads, EightReadersGetABodyThroughAWindow) {
  expect_all_get_all({std::size_t{3} << 20U, 0, 64 * 1024}, std::size_t{3} << 20U);
}

}  // namespace
}  // namespace freshet::storage
