// PollLoop: an IoLoop over poll(), for tests of what runs on one. run_until() turns it on the calling thread;
// post() may come from any.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "storage/base/io_loop.h"
#include "storage/base/mutex.h"

namespace freshet::revalidate {

class PollLoop final : public storage::IoLoop {
 public:
  PollLoop();
  ~PollLoop() override;

  void post(storage::Task task) override;
  std::unique_ptr<storage::IoWatch> watch(int descriptor, storage::IoInterest interest,
                                          std::function<void(storage::IoReady)> ready) override;
  std::unique_ptr<storage::IoTimer> timer(std::function<void()> fired) override;

  // Turns until `done()`; false after twenty seconds, so that a broken test ends.
  [[nodiscard]] bool run_until(const std::function<bool()>& done);
  // One turn: waits at most `wait` for something to do.
  void turn(storage::Milliseconds wait);

 private:
  class Watch;
  class Timer;

  void run_tasks();
  void run_timers();
  int wait_for(storage::Milliseconds wait) const;

  int wake_[2] = {-1, -1};
  std::list<Watch*> watches_;
  std::list<Timer*> timers_;
  storage::Mutex mutex_;
  std::vector<storage::Task> tasks_ GUARDED_BY(mutex_);
};

}  // namespace freshet::revalidate
