#include "revalidate/origin/origin_pool.h"

namespace freshet::revalidate {

using storage::Counter;

// Shared by the queue, the Wait and a Permit on its way. `done` is touched on the loop's thread alone.
struct OriginPool::Waiter {
  storage::IoLoop& loop;
  Done done;
  bool queued = true;  // guarded by the pool's mutex
  Queue::iterator place{};
};

class OriginPool::QueuedWait final : public Wait {
 public:
  QueuedWait(OriginPool& pool, std::shared_ptr<Waiter> waiter)
      : pool_(pool), waiter_(std::move(waiter)), timer_(waiter_->loop.timer([this] { timed_out(); })) {
    timer_->arm(pool_.options_.queue_timeout);
  }
  ~QueuedWait() override {
    waiter_->done = nullptr;
    pool_.leave(*waiter_);
  }

 private:
  // Posted, since `done` may destroy this, and with it the timer that is being called.
  void timed_out() {
    if (!pool_.leave(*waiter_)) return;
    pool_.counters_.add(Counter::kOriginQueueTimeout);
    waiter_->loop.post([waiter = waiter_] {
      if (const Done done = std::exchange(waiter->done, nullptr)) done(Permit{});
    });
  }

  OriginPool& pool_;
  std::shared_ptr<Waiter> waiter_;
  std::unique_ptr<storage::IoTimer> timer_;
};

OriginPool::Acquired OriginPool::acquire(storage::IoLoop& loop, Done done) {
  Acquired acquired;
  std::shared_ptr<Waiter> waiter;
  {
    const storage::MutexLock lock(mutex_);
    if (in_flight_ < options_.max_concurrent && queue_.empty()) {
      ++in_flight_;
      acquired.answer = Answer::kGranted;
      acquired.permit = Permit(*this);
    } else if (queue_.size() < options_.queue_size) {
      waiter = std::make_shared<Waiter>(Waiter{loop, std::move(done)});
      queue_.push_back(waiter);
      waiter->place = std::prev(queue_.end());
      acquired.answer = Answer::kQueued;
    }
  }
  switch (acquired.answer) {
    case Answer::kGranted:
      counters_.add(Counter::kOriginInFlight);
      break;
    case Answer::kQueued:
      counters_.add(Counter::kOriginQueued);
      acquired.wait = std::make_unique<QueuedWait>(*this, std::move(waiter));
      break;
    case Answer::kQueueFull:
      counters_.add(Counter::kOriginQueueRefused);
      break;
  }
  return acquired;
}

bool OriginPool::leave(Waiter& waiter) {
  {
    const storage::MutexLock lock(mutex_);
    if (!waiter.queued) return false;
    waiter.queued = false;
    queue_.erase(waiter.place);
  }
  counters_.add(Counter::kOriginQueued, -1);
  return true;
}

void OriginPool::release() {
  std::shared_ptr<Waiter> next;
  {
    const storage::MutexLock lock(mutex_);
    if (queue_.empty()) {
      --in_flight_;
    } else {
      next = std::move(queue_.front());
      queue_.pop_front();
      next->queued = false;
    }
  }
  if (next == nullptr) {
    counters_.add(Counter::kOriginInFlight, -1);
    return;
  }
  counters_.add(Counter::kOriginQueued, -1);
  // The place travels in the task: whether the waiter has left, or its loop has stopped and drops the task
  // unrun, the Permit's destructor hands it on.
  auto permit = std::make_shared<Permit>(Permit(*this));
  storage::IoLoop& loop = next->loop;
  loop.post([waiter = std::move(next), permit = std::move(permit)] {
    if (const Done done = std::exchange(waiter->done, nullptr)) done(std::move(*permit));
  });
}

}  // namespace freshet::revalidate
