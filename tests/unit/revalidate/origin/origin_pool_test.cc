#include "revalidate/origin/origin_pool.h"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

#include "tests/unit/revalidate/origin/poll_loop.h"

namespace freshet::revalidate {
namespace {

using storage::Counter;
using storage::Milliseconds;
using Answer = OriginPool::Answer;
using Permit = OriginPool::Permit;

class OriginPoolTest : public testing::Test {
 protected:
  static OriginPool::Done unexpected() {
    return [](Permit) { ADD_FAILURE() << "called"; };
  }
  std::int64_t count(Counter counter) const { return counters_.get(counter); }

  storage::Counters counters_;
  PollLoop loop_;
};

TEST_F(OriginPoolTest, GrantsAtOnceWhileThereIsRoomThenQueuesThenRefuses) {
  OriginPool pool(OriginPool::Options{2, 1, Milliseconds{60'000}}, counters_);
  const auto first = pool.acquire(loop_, unexpected());
  const auto second = pool.acquire(loop_, unexpected());
  EXPECT_EQ(first.answer, Answer::kGranted);
  EXPECT_TRUE(first.permit);
  EXPECT_EQ(second.answer, Answer::kGranted);
  const auto third = pool.acquire(loop_, [](Permit) {});
  EXPECT_EQ(third.answer, Answer::kQueued);
  EXPECT_FALSE(third.permit);
  EXPECT_EQ(pool.acquire(loop_, unexpected()).answer, Answer::kQueueFull);
  EXPECT_EQ(count(Counter::kOriginInFlight), 2);
  EXPECT_EQ(count(Counter::kOriginQueued), 1);
  EXPECT_EQ(count(Counter::kOriginQueueRefused), 1);
}

TEST_F(OriginPoolTest, AFreePlaceGoesToTheLongestWaiterAndNotToANewcomer) {
  OriginPool pool(OriginPool::Options{1, 8, Milliseconds{60'000}}, counters_);
  auto holder = pool.acquire(loop_, unexpected());
  std::vector<int> order;
  std::vector<Permit> permits;
  std::vector<OriginPool::Acquired> waits;
  for (int i = 0; i < 3; ++i) {
    waits.push_back(pool.acquire(loop_, [&, i](Permit permit) {
      EXPECT_TRUE(permit);
      order.push_back(i);
      permits.push_back(std::move(permit));
    }));
  }
  holder.permit = Permit{};
  EXPECT_TRUE(order.empty());  // never inside the release
  EXPECT_EQ(pool.acquire(loop_, unexpected()).answer, Answer::kQueued);
  ASSERT_TRUE(loop_.run_until([&] { return order.size() == 1; }));
  while (!permits.empty()) {
    permits.clear();
    loop_.turn(Milliseconds{0});
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(count(Counter::kOriginInFlight), 0);
  EXPECT_EQ(count(Counter::kOriginQueued), 0);
  EXPECT_EQ(pool.acquire(loop_, unexpected()).answer, Answer::kGranted);
}

TEST_F(OriginPoolTest, TheDeadlineEndsAWait) {
  OriginPool pool(OriginPool::Options{1, 8, Milliseconds{5}}, counters_);
  const auto holder = pool.acquire(loop_, unexpected());
  int calls = 0;
  OriginPool::Acquired waiting;
  waiting = pool.acquire(loop_, [&](Permit permit) {
    EXPECT_FALSE(permit);
    ++calls;
    waiting.wait.reset();  // inside its own callback
  });
  ASSERT_TRUE(loop_.run_until([&] { return calls > 0; }));
  loop_.turn(Milliseconds{0});
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(count(Counter::kOriginQueueTimeout), 1);
  EXPECT_EQ(count(Counter::kOriginQueued), 0);
  EXPECT_EQ(count(Counter::kOriginInFlight), 1);
}

TEST_F(OriginPoolTest, AWaitThatIsLetGoLeavesTheQueue) {
  OriginPool pool(OriginPool::Options{1, 1, Milliseconds{60'000}}, counters_);
  auto holder = pool.acquire(loop_, unexpected());
  auto waiting = pool.acquire(loop_, unexpected());
  waiting.wait.reset();
  EXPECT_EQ(count(Counter::kOriginQueued), 0);
  EXPECT_EQ(pool.acquire(loop_, unexpected()).answer, Answer::kQueued);  // there is room again
  holder.permit = Permit{};
  loop_.turn(Milliseconds{0});
  EXPECT_EQ(count(Counter::kOriginInFlight), 0);
}

TEST_F(OriginPoolTest, APermitOnItsWayToOneWhoLeftGoesToTheNext) {
  OriginPool pool(OriginPool::Options{1, 8, Milliseconds{60'000}}, counters_);
  auto holder = pool.acquire(loop_, unexpected());
  auto leaver = pool.acquire(loop_, unexpected());
  Permit got;
  const auto next = pool.acquire(loop_, [&got](Permit permit) { got = std::move(permit); });
  holder.permit = Permit{};  // posted to the leaver
  leaver.wait.reset();
  ASSERT_TRUE(loop_.run_until([&got] { return static_cast<bool>(got); }));
  EXPECT_EQ(count(Counter::kOriginInFlight), 1);
}

TEST_F(OriginPoolTest, APermitForALoopThatIsGoneIsNotLost) {
  OriginPool pool(OriginPool::Options{1, 8, Milliseconds{60'000}}, counters_);
  auto holder = pool.acquire(loop_, unexpected());
  {
    PollLoop stopped;
    auto waiting = pool.acquire(stopped, unexpected());
    holder.permit = Permit{};
    waiting.wait.reset();
  }
  EXPECT_EQ(pool.acquire(loop_, unexpected()).answer, Answer::kGranted);
}

TEST_F(OriginPoolTest, ManyThreadsNeverExceedTheBoundAndAllAreServed) {
  OriginPool pool(OriginPool::Options{3, 1000, Milliseconds{60'000}}, counters_);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> served{0};
  const auto work = [&] {
    PollLoop loop;
    std::vector<OriginPool::Acquired> waits;
    int mine = 0;
    const auto enter = [&](Permit permit) {
      const int now = ++inside;
      int seen = most.load();
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      auto held = std::make_shared<Permit>(std::move(permit));
      loop.post([&, held] {
        --inside;
        ++mine;
        ++served;
        *held = Permit{};
      });
    };
    for (int i = 0; i < 200; ++i) {
      auto acquired = pool.acquire(loop, enter);
      if (acquired.answer == Answer::kGranted) {
        enter(std::move(acquired.permit));
      } else {
        waits.push_back(std::move(acquired));
      }
      loop.turn(Milliseconds{0});
    }
    EXPECT_TRUE(loop.run_until([&] { return mine == 200; }));
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 800);
  EXPECT_LE(most, 3);
  EXPECT_EQ(count(Counter::kOriginInFlight), 0);
  EXPECT_EQ(count(Counter::kOriginQueued), 0);
}

}  // namespace
}  // namespace freshet::revalidate
