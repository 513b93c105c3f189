#include "proxy/net/worker.h"

#include <array>
#include <csignal>
#include <future>
#include <gtest/gtest.h>
#include <memory>
#include <pthread.h>
#include <string>
#include <thread>
#include <vector>

namespace freshet::proxy {
namespace {

TEST(Worker, RunsEverythingOnItsOwnThread) {
  std::vector<std::string> steps;
  std::vector<std::thread::id> threads;
  const auto step = [&](const char* name) {
    steps.emplace_back(name);
    threads.push_back(std::this_thread::get_id());
  };
  Worker worker("w0");
  worker.loop().post([&] { step("task"); });
  worker.start([&] { step("begin"); }, [&] { step("end"); });
  worker.stop();
  worker.join();
  worker.join();
  EXPECT_EQ(steps, (std::vector<std::string>{"begin", "task", "end"}));
  for (const std::thread::id& id : threads) {
    EXPECT_EQ(id, threads[0]);
    EXPECT_NE(id, std::this_thread::get_id());
  }
}

TEST(Worker, HasANameAndTakesNoSignals) {
  std::promise<std::string> name;
  std::promise<bool> blocked;
  Worker worker("a name that is longer than allowed");
  worker.start(
      [&] {
        std::array<char, 16> buffer{};
        pthread_getname_np(pthread_self(), buffer.data(), buffer.size());
        name.set_value(buffer.data());
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        blocked.set_value(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPIPE) == 1);
      },
      nullptr);
  EXPECT_EQ(name.get_future().get(), "a name that is ");
  EXPECT_TRUE(blocked.get_future().get());
  sigset_t mine;
  pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  EXPECT_EQ(sigismember(&mine, SIGTERM), 0);
}

TEST(Worker, CoresAreSharedEvenly) {
  EXPECT_EQ(core_for(0, {2, 3, 7}), 2);
  EXPECT_EQ(core_for(2, {2, 3, 7}), 7);
  EXPECT_EQ(core_for(3, {2, 3, 7}), 2);
}

TEST(Worker, StaysOnItsCore) {
  const std::vector<int> before = allowed_cores();
  ASSERT_FALSE(before.empty());
  std::promise<std::vector<int>> pinned;
  Worker worker("w");
  worker.start([&] { pinned.set_value(allowed_cores()); }, nullptr, before.size() - 1);
  EXPECT_EQ(pinned.get_future().get(), (std::vector<int>{before.back()}));
  EXPECT_EQ(allowed_cores(), before);
}

TEST(Worker, ItsDestructorStopsIt) {
  bool ended = false;
  {
    Worker worker("w");
    worker.start(nullptr, [&] { ended = true; });
  }
  EXPECT_TRUE(ended);
}

TEST(Worker, OneThatNeverStartedIsDestroyedQuietly) {
  const auto held = std::make_shared<int>(0);
  {
    Worker worker("w");
    worker.loop().post([held] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace freshet::proxy
