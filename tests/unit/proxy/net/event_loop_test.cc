#include "proxy/net/event_loop.h"

#include <array>
#include <atomic>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace freshet::proxy {
namespace {

using storage::IoInterest;
using storage::IoReady;
using storage::Milliseconds;

struct Pair {
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0); }
  ~Pair() {
    close(ends[0]);
    close(ends[1]);
  }
  void send() const { EXPECT_EQ(write(ends[1], "x", 1), 1); }
  std::array<int, 2> ends{};
};

TEST(EventLoop, RunsTasksInTheOrderInWhichTheyCame) {
  EventLoop loop;
  std::string order;
  loop.post([&] { order += 'a'; });
  loop.post([&] {
    order += 'b';
    loop.post([&] {
      order += 'd';
      loop.stop();
    });
  });
  loop.post([&] { order += 'c'; });
  loop.run();
  EXPECT_EQ(order, "abcd");
}

TEST(EventLoop, TakesTasksFromManyThreadsEachInOrder) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  EventLoop loop;
  std::array<int, kThreads> seen{};
  int total = 0;
  bool ordered = true;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&, t, i] {
          ordered = ordered && seen[static_cast<std::size_t>(t)]++ == i;
          if (++total == kThreads * kEach) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(ordered);
  EXPECT_EQ(total, kThreads * kEach);
}

TEST(EventLoop, StopFromAnotherThreadEndsAnIdleLoop) {
  EventLoop loop;
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
}

TEST(EventLoop, TasksBeforeStopRunAndLaterOnesAreDestroyedUnrun) {
  EventLoop loop;
  const auto held = std::make_shared<int>(0);
  bool early = false;
  bool late = false;
  loop.post([&] { early = true; });
  loop.stop();
  loop.post([&late, held] { late = true; });
  EXPECT_EQ(held.use_count(), 1);
  loop.run();
  EXPECT_TRUE(early);
  EXPECT_FALSE(late);
}

TEST(EventLoop, ALoopThatNeverRanDestroysItsTasks) {
  const auto held = std::make_shared<int>(0);
  {
    EventLoop loop;
    loop.post([held] {});
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(EventLoop, WhatATaskHoldsGoesBeforeTheNextTaskRuns) {
  EventLoop loop;
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  bool gone = false;
  loop.post([kept = std::move(held)] {});
  loop.post([&] {
    gone = watched.expired();
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(gone);
}

TEST(EventLoop, WatchFollowsItsInterest) {
  EventLoop loop;
  const Pair pair;
  pair.send();
  std::vector<std::pair<bool, bool>> seen;
  std::unique_ptr<storage::IoWatch> watch;
  watch = loop.watch(pair.ends[0], IoInterest::kRead, [&](IoReady ready) {
    seen.emplace_back(ready.readable, ready.writable);
    if (seen.size() == 1) watch->set_interest(IoInterest::kWrite);  // the byte stays unread
    if (seen.size() == 2) {
      watch->set_interest(IoInterest::kNone);
      loop.post([&] { loop.post([&] { loop.stop(); }); });  // two more turns: nothing may come
    }
  });
  loop.run();
  const std::vector<std::pair<bool, bool>> expected = {{true, false}, {false, true}};
  EXPECT_EQ(seen, expected);
}

TEST(EventLoop, WatchIsLevelTriggeredAndTellsBothDirections) {
  EventLoop loop;
  const Pair pair;
  pair.send();
  int reads = 0;
  int writes = 0;
  auto watch = loop.watch(pair.ends[0], IoInterest::kReadWrite, [&](IoReady ready) {
    reads += ready.readable ? 1 : 0;
    writes += ready.writable ? 1 : 0;
    if (reads >= 2 && writes >= 2) loop.stop();
  });
  loop.run();
  EXPECT_GE(reads, 2);
  EXPECT_GE(writes, 2);
}

TEST(EventLoop, AWatchMayBeDestroyedInItsOwnCallback) {
  EventLoop loop;
  const Pair pair;
  pair.send();
  int calls = 0;
  std::unique_ptr<storage::IoWatch> watch;
  const auto held = std::make_shared<std::string>("still here");
  watch = loop.watch(pair.ends[0], IoInterest::kReadWrite, [&, held](IoReady) {
    ++calls;
    watch.reset();
    EXPECT_EQ(*held, "still here");  // the callback outlives its handle
    loop.post([&] { loop.post([&] { loop.stop(); }); });
  });
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, AWatchMayBeDestroyedInAnothersCallback) {
  EventLoop loop;
  const Pair first;
  const Pair second;
  first.send();
  second.send();
  std::unique_ptr<storage::IoWatch> a;
  std::unique_ptr<storage::IoWatch> b;
  int calls = 0;
  const auto end_both = [&](IoReady) {
    ++calls;
    a.reset();
    b.reset();
    loop.post([&] { loop.post([&] { loop.stop(); }); });
  };
  a = loop.watch(first.ends[0], IoInterest::kRead, end_both);
  b = loop.watch(second.ends[0], IoInterest::kRead, end_both);
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, TimersFireInTheOrderOfTheirDelays) {
  EventLoop loop;
  std::string order;
  auto late = loop.timer([&] {
    order += 'c';
    loop.stop();
  });
  auto soon = loop.timer([&] { order += 'b'; });
  auto now = loop.timer([&] { order += 'a'; });
  auto never = loop.timer([&] { order += 'x'; });
  late->arm(Milliseconds{60});
  soon->arm(Milliseconds{20});
  now->arm(Milliseconds{0});
  never->arm(Milliseconds{1});
  never->cancel();
  loop.run();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, ATimerMayBeArmedAnewOrDestroyedInItsOwnCallback) {
  EventLoop loop;
  int fired = 0;
  std::unique_ptr<storage::IoTimer> timer;
  timer = loop.timer([&] {
    if (++fired < 3) {
      timer->arm(Milliseconds{0});
    } else {
      timer.reset();
      loop.stop();
    }
  });
  timer->arm(Milliseconds{0});
  loop.run();
  EXPECT_EQ(fired, 3);
}

TEST(EventLoop, TimeStandsStillInsideATurn) {
  EventLoop loop;
  loop.post([&] {
    const storage::MonoTime mono = loop.mono_time();
    const storage::WallTime wall = loop.wall_time();
    while (storage::mono_now() < mono + Milliseconds{5}) {
    }
    EXPECT_EQ(loop.mono_time(), mono);
    EXPECT_EQ(loop.wall_time(), wall);
    EXPECT_TRUE(loop.on_loop_thread());
    loop.stop();
  });
  loop.run();
  EXPECT_FALSE(loop.on_loop_thread());
  EXPECT_GE(loop.longest_turn(), Milliseconds{5});
  EXPECT_GE(loop.take_longest_turn(), Milliseconds{5});
  EXPECT_EQ(loop.longest_turn().count(), 0);
}

}  // namespace
}  // namespace freshet::proxy
