#include "proxy/net/coarse_timer.h"

#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "proxy/net/event_loop.h"

namespace freshet::proxy {
namespace {

using storage::Milliseconds;
using storage::MonoTime;

constexpr MonoTime at(long long milliseconds) {
  return MonoTime{Milliseconds{milliseconds}};
}

TEST(DeadlineList, ExpiresInOrderAndNotBeforeTime) {
  DeadlineList list{Milliseconds{100}};
  std::string order;
  Deadline a{[&] { order += 'a'; }};
  Deadline b{[&] { order += 'b'; }};
  list.arm(a, at(0));
  list.arm(b, at(10));
  list.expire(at(99));
  EXPECT_EQ(order, "");
  list.expire(at(100));
  EXPECT_EQ(order, "a");
  EXPECT_FALSE(a.armed());
  list.expire(at(500));
  EXPECT_EQ(order, "ab");
  EXPECT_TRUE(list.empty());
}

TEST(DeadlineList, ArmingAgainMovesTheDeadline) {
  DeadlineList list{Milliseconds{100}};
  DeadlineList longer{Milliseconds{1000}};
  int fired = 0;
  Deadline moved{[&] { ++fired; }};
  list.arm(moved, at(0));
  list.arm(moved, at(50));
  list.expire(at(120));
  EXPECT_EQ(fired, 0);
  longer.arm(moved, at(120));
  EXPECT_TRUE(list.empty());
  longer.expire(at(1119));
  EXPECT_EQ(fired, 0);
  longer.expire(at(1120));
  EXPECT_EQ(fired, 1);
}

TEST(DeadlineList, DisarmedOrDestroyedOnesNeverFire) {
  DeadlineList list{Milliseconds{1}};
  int fired = 0;
  Deadline off{[&] { ++fired; }};
  auto gone = std::make_unique<Deadline>([&] { ++fired; });
  list.arm(off, at(0));
  list.arm(*gone, at(0));
  off.disarm();
  gone.reset();
  list.expire(at(100));
  EXPECT_EQ(fired, 0);
}

TEST(DeadlineList, ACallbackMayDestroyItsDeadlineAndOthers) {
  DeadlineList list{Milliseconds{1}};
  int fired = 0;
  std::unique_ptr<Deadline> a;
  std::unique_ptr<Deadline> b;
  const auto end_both = [&] {
    ++fired;
    a.reset();
    b.reset();
  };
  a = std::make_unique<Deadline>(end_both);
  b = std::make_unique<Deadline>(end_both);
  list.arm(*a, at(0));
  list.arm(*b, at(0));
  list.expire(at(100));
  EXPECT_EQ(fired, 1);
}

TEST(DeadlineList, HoldsWhatIsDueNoEarlierThanIfArmedNow) {
  DeadlineList list{Milliseconds{100}};
  DeadlineList other{Milliseconds{100}};
  Deadline deadline{[] {}};
  EXPECT_FALSE(list.holds(deadline, at(0)));
  list.arm(deadline, at(50));
  EXPECT_TRUE(list.holds(deadline, at(0)));
  EXPECT_TRUE(list.holds(deadline, at(50)));
  EXPECT_FALSE(list.holds(deadline, at(51)));
  EXPECT_FALSE(other.holds(deadline, at(0)));
  deadline.disarm();
  EXPECT_FALSE(list.holds(deadline, at(0)));
}

TEST(CoarseTimers, FiresOnTheLoopAndTicksAgainAfterAnIdleTime) {
  EventLoop loop;
  CoarseTimers timers(loop, Milliseconds{1});
  DeadlineList& list = timers.list(Milliseconds{3});
  EXPECT_EQ(&timers.list(Milliseconds{3}), &list);
  EXPECT_NE(&timers.list(Milliseconds{4}), &list);
  int fired = 0;
  std::unique_ptr<storage::IoTimer> later;
  Deadline deadline{[&] {
    if (++fired == 2) {
      loop.stop();
    } else {
      later->arm(Milliseconds{10});  // by then the ticking has ended
    }
  }};
  later = loop.timer([&] { timers.arm(deadline, list, loop.mono_time()); });
  timers.arm(deadline, list, loop.mono_time());
  loop.run();
  EXPECT_EQ(fired, 2);
}

}  // namespace
}  // namespace freshet::proxy
