// PollLoop: an IoLoop over poll(), for tests of what runs on a loop. Its time is its own: timers fire by
// advance(), never by waiting. One thread; post() too.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "storage/base/io_loop.h"

namespace freshet::proxy {

class PollLoop : public storage::IoLoop {
 public:
  void post(storage::Task task) override { tasks_.push_back(std::move(task)); }
  std::unique_ptr<storage::IoWatch> watch(int descriptor, storage::IoInterest interest,
                                          std::function<void(storage::IoReady)> ready) override;
  std::unique_ptr<storage::IoTimer> timer(std::function<void()> fired) override;

  // Waits up to `wait_ms` for a descriptor, then runs what is ready and what was posted.
  void turn(int wait_ms);
  // Lets `time` pass and runs the timers that it makes due.
  void advance(storage::Milliseconds time);
  [[nodiscard]] std::size_t watches() const { return watches_.size(); }

 private:
  struct Watch;
  struct Timer;

  std::map<int, Watch*> watches_;
  std::vector<Timer*> timers_;
  std::vector<storage::Task> tasks_;
  storage::Milliseconds now_{0};
};

}  // namespace freshet::proxy
