#include "tests/unit/revalidate/origin/poll_loop.h"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "storage/base/check.h"

namespace freshet::revalidate {

using storage::IoInterest;
using storage::IoReady;
using storage::Milliseconds;
using storage::MonoTime;

class PollLoop::Watch final : public storage::IoWatch {
 public:
  Watch(PollLoop& loop, int descriptor, IoInterest interest, std::function<void(IoReady)> ready)
      : loop_(loop), descriptor_(descriptor), interest_(interest), ready_(std::move(ready)) {
    loop_.watches_.push_back(this);
  }
  ~Watch() override { loop_.watches_.remove(this); }
  void set_interest(IoInterest interest) override { interest_ = interest; }

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool wants_read() const {
    return interest_ == IoInterest::kRead || interest_ == IoInterest::kReadWrite;
  }
  [[nodiscard]] bool wants_write() const {
    return interest_ == IoInterest::kWrite || interest_ == IoInterest::kReadWrite;
  }
  // Runs a copy: the callback may destroy what owns it.
  void fire(IoReady ready) const {
    const auto running = ready_;
    running(ready);
  }

 private:
  PollLoop& loop_;
  int descriptor_;
  IoInterest interest_;
  std::function<void(IoReady)> ready_;
};

class PollLoop::Timer final : public storage::IoTimer {
 public:
  Timer(PollLoop& loop, std::function<void()> fired) : loop_(loop), fired_(std::move(fired)) {
    loop_.timers_.push_back(this);
  }
  ~Timer() override { loop_.timers_.remove(this); }
  void arm(Milliseconds delay) override { due_ = storage::mono_now() + delay; }
  void cancel() override { due_.reset(); }

  [[nodiscard]] std::optional<MonoTime> due() const { return due_; }
  void fire() {
    due_.reset();
    const auto running = fired_;  // which may destroy what owns it
    running();
  }

 private:
  PollLoop& loop_;
  std::function<void()> fired_;
  std::optional<MonoTime> due_;
};

PollLoop::PollLoop() {
  FRESHET_CHECK(::pipe2(wake_, O_NONBLOCK | O_CLOEXEC) == 0);
}

PollLoop::~PollLoop() {
  ::close(wake_[0]);
  ::close(wake_[1]);
}

void PollLoop::post(storage::Task task) {
  const storage::MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  [[maybe_unused]] const auto written = ::write(wake_[1], "x", 1);
}

std::unique_ptr<storage::IoWatch> PollLoop::watch(int descriptor, IoInterest interest,
                                                  std::function<void(IoReady)> ready) {
  return std::make_unique<Watch>(*this, descriptor, interest, std::move(ready));
}

std::unique_ptr<storage::IoTimer> PollLoop::timer(std::function<void()> fired) {
  return std::make_unique<Timer>(*this, std::move(fired));
}

bool PollLoop::run_until(const std::function<bool()>& done) {
  const MonoTime limit = storage::mono_now() + storage::Seconds{20};
  while (!done()) {
    if (storage::mono_now() > limit) return false;
    turn(Milliseconds{20});
  }
  return true;
}

int PollLoop::wait_for(Milliseconds wait) const {
  const MonoTime now = storage::mono_now();
  for (const Timer* timer : timers_) {
    if (!timer->due()) continue;
    const auto left = std::chrono::ceil<Milliseconds>(*timer->due() - now);
    wait = std::clamp(left, Milliseconds{0}, wait);
  }
  return static_cast<int>(wait.count());
}

void PollLoop::turn(Milliseconds wait) {
  std::vector<pollfd> polled{{wake_[0], POLLIN, 0}};
  std::vector<Watch*> watches{nullptr};
  for (Watch* watch : watches_) {
    const int events = (watch->wants_read() ? POLLIN : 0) | (watch->wants_write() ? POLLOUT : 0);
    if (events == 0) continue;
    polled.push_back({watch->descriptor(), static_cast<short>(events), 0});
    watches.push_back(watch);
  }
  ::poll(polled.data(), polled.size(), wait_for(wait));
  for (std::size_t i = 1; i < polled.size(); ++i) {
    Watch* watch = watches[i];
    if (polled[i].revents == 0 || std::find(watches_.begin(), watches_.end(), watch) == watches_.end())
      continue;
    const bool broken = (polled[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    const IoReady ready{watch->wants_read() && (broken || (polled[i].revents & POLLIN) != 0),
                        watch->wants_write() && (broken || (polled[i].revents & POLLOUT) != 0)};
    if (ready.readable || ready.writable) watch->fire(ready);
  }
  run_timers();
  run_tasks();
}

void PollLoop::run_timers() {
  const MonoTime now = storage::mono_now();
  const std::vector<Timer*> timers(timers_.begin(), timers_.end());
  for (Timer* timer : timers) {
    if (std::find(timers_.begin(), timers_.end(), timer) == timers_.end()) continue;
    if (timer->due() && *timer->due() <= now) timer->fire();
  }
}

void PollLoop::run_tasks() {
  char drained[64];
  while (::read(wake_[0], drained, sizeof(drained)) > 0) {
  }
  std::vector<storage::Task> tasks;
  {
    const storage::MutexLock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (storage::Task& task : tasks) task();
}

}  // namespace freshet::revalidate
