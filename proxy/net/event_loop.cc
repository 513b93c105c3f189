#include "proxy/net/event_loop.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <optional>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/mutex.h"

namespace freshet::proxy {

using storage::IoInterest;
using storage::IoReady;
using storage::MonoTime;
using storage::MutexLock;
using storage::Task;
using storage::WallTime;

namespace {

// The loop that this thread is running, so that a post to oneself needs no system call.
thread_local const void* running_loop = nullptr;

timeval to_timeval(storage::Milliseconds delay) {
  const auto count = delay.count() < 0 ? 0 : delay.count();
  return {count / 1000, (count % 1000) * 1000};
}

// A callback that may destroy the handle that owns it: it runs from the stack, and goes back only if the
// handle is still there.
template <typename... Arguments>
class SelfDestructible {
 public:
  explicit SelfDestructible(std::function<void(Arguments...)> function) : function_(std::move(function)) {}
  ~SelfDestructible() {
    if (gone_ != nullptr) *gone_ = true;
  }
  SelfDestructible(const SelfDestructible&) = delete;
  SelfDestructible& operator=(const SelfDestructible&) = delete;

  void operator()(Arguments... arguments) {
    bool gone = false;
    gone_ = &gone;
    std::function<void(Arguments...)> running = std::move(function_);
    running(arguments...);
    if (gone) return;
    gone_ = nullptr;
    function_ = std::move(running);
  }

 private:
  std::function<void(Arguments...)> function_;
  bool* gone_ = nullptr;
};

// What time it is in this turn: read when somebody asks first, forgotten at the turn's end.
class TurnClock {
 public:
  // Every callback of libevent calls this first: the turn begins when the wait is over.
  void enter() {
    if (!began_) began_ = storage::mono_now();
  }
  MonoTime mono() const { return began_ ? *began_ : storage::mono_now(); }
  WallTime wall() {
    if (!began_) return storage::wall_now();
    if (!wall_) wall_ = storage::wall_now();
    return *wall_;
  }
  void end() {
    if (!began_) return;
    const std::chrono::nanoseconds took = storage::mono_now() - *began_;
    began_.reset();
    wall_.reset();
    // Only this thread raises it; a take in between may at worst lose or repeat this one value.
    if (took.count() > longest_ns_.load(std::memory_order_relaxed)) {
      longest_ns_.store(took.count(), std::memory_order_relaxed);
    }
  }
  std::chrono::nanoseconds longest() const {
    return std::chrono::nanoseconds{longest_ns_.load(std::memory_order_relaxed)};
  }
  std::chrono::nanoseconds take_longest() {
    return std::chrono::nanoseconds{longest_ns_.exchange(0, std::memory_order_relaxed)};
  }

 private:
  std::optional<MonoTime> began_;
  std::optional<WallTime> wall_;
  std::atomic<std::int64_t> longest_ns_{0};
};

// One event for each direction, so that turning a direction on or off is one epoll_ctl and nothing else.
class Watch final : public storage::IoWatch {
 public:
  Watch(event_base* base, TurnClock& clock, int descriptor, std::function<void(IoReady)> ready)
      : clock_(clock), ready_(std::move(ready)) {
    event_assign(&read_, base, descriptor, EV_READ | EV_PERSIST, on_event, this);
    event_assign(&write_, base, descriptor, EV_WRITE | EV_PERSIST, on_event, this);
  }
  ~Watch() override { change(IoInterest::kNone); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void set_interest(IoInterest interest) override { change(interest); }

 private:
  void change(IoInterest interest) {
    const bool read = interest == IoInterest::kRead || interest == IoInterest::kReadWrite;
    const bool write = interest == IoInterest::kWrite || interest == IoInterest::kReadWrite;
    // What is wanted comes first, so that a change of direction never leaves epoll in between.
    if (read && !reads_) event_add(&read_, nullptr);
    if (write && !writes_) event_add(&write_, nullptr);
    if (!read && reads_) event_del(&read_);
    if (!write && writes_) event_del(&write_);
    reads_ = read;
    writes_ = write;
  }

  static void on_event(int /*descriptor*/, short what, void* self) {
    auto* watch = static_cast<Watch*>(self);
    watch->clock_.enter();
    watch->ready_(IoReady{(what & EV_READ) != 0, (what & EV_WRITE) != 0});
  }

  event read_{};
  event write_{};
  bool reads_ = false;
  bool writes_ = false;
  TurnClock& clock_;
  SelfDestructible<IoReady> ready_;
};

class Timer final : public storage::IoTimer {
 public:
  Timer(event_base* base, TurnClock& clock, std::function<void()> fired)
      : clock_(clock), fired_(std::move(fired)) {
    evtimer_assign(&event_, base, on_event, this);
  }
  ~Timer() override { evtimer_del(&event_); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(storage::Milliseconds delay) override {
    const timeval wait = to_timeval(delay);
    evtimer_add(&event_, &wait);
  }
  void cancel() override { evtimer_del(&event_); }

 private:
  static void on_event(int /*descriptor*/, short /*what*/, void* self) {
    auto* timer = static_cast<Timer*>(self);
    timer->clock_.enter();
    timer->fired_();
  }

  event event_{};
  TurnClock& clock_;
  SelfDestructible<> fired_;
};

}  // namespace

class EventLoop::Impl {
 public:
  Impl();
  ~Impl();

  void run();
  void stop();
  void post(Task task);

  event_base* base() const { return base_; }
  TurnClock& clock() { return clock_; }
  std::uint64_t turn() const { return turn_; }

 private:
  static void on_wake(int descriptor, short what, void* self);
  void wake() const;
  void run_tasks();

  event_base* base_ = nullptr;
  int wake_descriptor_ = -1;
  event wake_event_{};
  TurnClock clock_;
  std::uint64_t turn_ = 0;
  bool posted_here_ = false;  // the loop's own thread queued a task and woke nobody for it
  bool done_ = false;

  storage::Mutex mutex_;
  std::vector<Task> tasks_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
};

EventLoop::Impl::Impl() {
  event_config* config = event_config_new();
  FRESHET_CHECK(config != nullptr);
  // The library's own locks are not needed: other threads touch only the queue and the descriptor.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  FRESHET_CHECK(base_ != nullptr);
  wake_descriptor_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  FRESHET_CHECK(wake_descriptor_ >= 0);
  event_assign(&wake_event_, base_, wake_descriptor_, EV_READ | EV_PERSIST, on_wake, this);
  event_add(&wake_event_, nullptr);
}

EventLoop::Impl::~Impl() {
  stop();
  std::vector<Task> unrun;
  {
    const MutexLock lock(mutex_);
    unrun.swap(tasks_);
  }
  unrun.clear();  // while the base lives: a task may own handles
  event_del(&wake_event_);
  event_base_free(base_);
  close(wake_descriptor_);
}

void EventLoop::Impl::run() {
  FRESHET_CHECK(running_loop == nullptr);
  running_loop = this;
  while (!done_) {
    event_base_loop(base_, EVLOOP_ONCE | (posted_here_ ? EVLOOP_NONBLOCK : 0));
    if (posted_here_) run_tasks();
    clock_.end();
    ++turn_;
  }
  running_loop = nullptr;
}

void EventLoop::Impl::stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  wake();
}

void EventLoop::Impl::post(Task task) {
  {
    const MutexLock lock(mutex_);
    if (stopped_) return;  // `task` goes with this call
    tasks_.push_back(std::move(task));
    if (tasks_.size() > 1) return;
  }
  if (running_loop == this) {
    posted_here_ = true;
  } else {
    wake();
  }
}

void EventLoop::Impl::wake() const {
  const std::uint64_t one = 1;
  // Only a full counter can refuse, and then the loop is awake already.
  const ssize_t written = write(wake_descriptor_, &one, sizeof one);
  FRESHET_CHECK(written == sizeof one || errno == EAGAIN);
}

void EventLoop::Impl::on_wake(int descriptor, short /*what*/, void* self) {
  auto* loop = static_cast<Impl*>(self);
  loop->clock_.enter();
  std::uint64_t count = 0;
  while (read(descriptor, &count, sizeof count) < 0 && errno == EINTR) {
  }
  loop->run_tasks();
}

void EventLoop::Impl::run_tasks() {
  clock_.enter();
  posted_here_ = false;
  std::vector<Task> taken;
  bool last = false;
  {
    const MutexLock lock(mutex_);
    taken.swap(tasks_);
    last = stopped_;
  }
  for (Task& task : taken) {
    task();
    task = nullptr;  // what it holds goes before the next one runs
  }
  if (last) done_ = true;
}

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::run() {
  impl_->run();
}
void EventLoop::stop() {
  impl_->stop();
}
void EventLoop::post(Task task) {
  impl_->post(std::move(task));
}

std::unique_ptr<storage::IoWatch> EventLoop::watch(int descriptor, IoInterest interest,
                                                   std::function<void(IoReady)> ready) {
  auto made = std::make_unique<Watch>(impl_->base(), impl_->clock(), descriptor, std::move(ready));
  made->set_interest(interest);
  return made;
}

std::unique_ptr<storage::IoTimer> EventLoop::timer(std::function<void()> fired) {
  return std::make_unique<Timer>(impl_->base(), impl_->clock(), std::move(fired));
}

WallTime EventLoop::wall_time() {
  return impl_->clock().wall();
}
MonoTime EventLoop::mono_time() {
  return impl_->clock().mono();
}
std::uint64_t EventLoop::turn() const {
  return impl_->turn();
}
bool EventLoop::on_loop_thread() const {
  return running_loop == impl_.get();
}

std::chrono::nanoseconds EventLoop::longest_turn() const {
  return impl_->clock().longest();
}
std::chrono::nanoseconds EventLoop::take_longest_turn() {
  return impl_->clock().take_longest();
}

}  // namespace freshet::proxy
