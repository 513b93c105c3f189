#include "tests/unit/proxy/admin/poll_loop.h"

#include <algorithm>
#include <optional>
#include <poll.h>
#include <utility>

namespace freshet::proxy {

using storage::IoInterest;
using storage::IoReady;

struct PollLoop::Watch : storage::IoWatch {
  Watch(PollLoop& l, int d, IoInterest i, std::function<void(IoReady)> r)
      : loop(l), descriptor(d), interest(i), ready(std::move(r)) {
    loop.watches_[descriptor] = this;
  }
  ~Watch() override { loop.watches_.erase(descriptor); }
  void set_interest(IoInterest wanted) override { interest = wanted; }

  PollLoop& loop;
  int descriptor;
  IoInterest interest;
  std::function<void(IoReady)> ready;
};

struct PollLoop::Timer : storage::IoTimer {
  Timer(PollLoop& l, std::function<void()> f) : loop(l), fired(std::move(f)) { loop.timers_.push_back(this); }
  ~Timer() override { loop.timers_.erase(std::find(loop.timers_.begin(), loop.timers_.end(), this)); }
  void arm(storage::Milliseconds delay) override { due = loop.now_ + delay; }
  void cancel() override { due.reset(); }

  PollLoop& loop;
  std::function<void()> fired;
  std::optional<storage::Milliseconds> due;
};

std::unique_ptr<storage::IoWatch> PollLoop::watch(int descriptor, IoInterest interest,
                                                  std::function<void(IoReady)> ready) {
  return std::make_unique<Watch>(*this, descriptor, interest, std::move(ready));
}

std::unique_ptr<storage::IoTimer> PollLoop::timer(std::function<void()> fired) {
  return std::make_unique<Timer>(*this, std::move(fired));
}

void PollLoop::turn(int wait_ms) {
  std::vector<pollfd> waiting;
  for (const auto& [descriptor, watch] : watches_) {
    const bool read = watch->interest == IoInterest::kRead || watch->interest == IoInterest::kReadWrite;
    const bool write = watch->interest == IoInterest::kWrite || watch->interest == IoInterest::kReadWrite;
    if (!read && !write) continue;
    waiting.push_back({descriptor, static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0)), 0});
  }
  ::poll(waiting.data(), waiting.size(), tasks_.empty() ? wait_ms : 0);
  for (const pollfd& one : waiting) {
    const auto found = watches_.find(one.fd);
    if (one.revents == 0 || found == watches_.end()) continue;
    const bool fault = (one.revents & (POLLHUP | POLLERR)) != 0;
    found->second->ready({(one.revents & POLLIN) != 0 || fault, (one.revents & POLLOUT) != 0 || fault});
  }
  for (const storage::Task& task : std::exchange(tasks_, {})) task();
}

void PollLoop::advance(storage::Milliseconds time) {
  now_ += time;
  for (Timer* const timer : std::vector<Timer*>(timers_)) {
    if (!timer->due || *timer->due > now_) continue;
    timer->due.reset();
    timer->fired();
  }
}

}  // namespace freshet::proxy
