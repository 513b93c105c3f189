// MemoryStore with real threads: the same responses served, freshened, replaced, removed and evicted at once.
#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <thread>

#include "storage/memory/memory_store.h"
#include "tests/support/responses.h"

namespace freshet::storage {
namespace {

constexpr std::size_t kKeys = 32;
constexpr std::size_t kBody = 4000;
constexpr int kRounds = 3000;

CacheKey key_number(std::size_t i) {
  return tests::key_of("/" + std::to_string(i % kKeys));
}

std::string body_number(std::size_t i) {
  return std::string(kBody, static_cast<char>('a' + i % 26));
}

class MemoryStoreThreads : public ::testing::Test {
 protected:
  void serve() {
    for (std::size_t i = 0; !stop_.load(std::memory_order_relaxed); ++i) {
      const auto found = store_.try_lookup(key_number(i));
      if (!found.variants) continue;
      const StoredResponsePtr& response = found.variants->front();
      EXPECT_EQ(response->head().key, key_number(i));
      EXPECT_EQ(tests::bytes_of(*response->body(), kBody), body_number(i % kKeys));
    }
  }
  void freshen() {
    for (std::size_t i = 0; !stop_.load(std::memory_order_relaxed); ++i) {
      const auto found = store_.try_lookup(key_number(i));
      if (!found.variants) continue;
      const StoredResponsePtr old = found.variants->front();
      store_.freshen(old, tests::freshened(old, static_cast<int>(i)));
    }
  }
  // Stores one after the other; half of them fit.
  void store_and_evict() {
    for (std::size_t i = 0; i < kRounds; ++i) {
      store_.put(tests::response_of({key_number(i * 7), 100}, body_number(i * 7 % kKeys)), true);
      if (i % 50 == 0) store_.remove(key_number(i));
    }
    stop_.store(true);
  }

  Counters counters_;
  MemoryStore store_{MemoryStoreOptions{kKeys * kBody / 2, 2 * kBody, 4}, Describe{}, counters_};
  std::atomic<bool> stop_ = false;
};

TEST_F(MemoryStoreThreads, ServeFreshenAndEvictTheSameResponses) {
  std::thread serving([this] { serve(); });
  std::thread freshening([this] { freshen(); });
  store_and_evict();
  serving.join();
  freshening.join();
  EXPECT_GT(counters_.get(Counter::kMemoryEvictions), 0);
  for (std::size_t i = 0; i < kKeys; ++i) store_.remove(key_number(i));
  EXPECT_EQ(store_.size(), 0U);
  EXPECT_EQ(counters_.get(Counter::kMemoryBytes), 0);
  EXPECT_EQ(counters_.get(Counter::kMemoryResponses), 0);
}

}  // namespace
}  // namespace freshet::storage
