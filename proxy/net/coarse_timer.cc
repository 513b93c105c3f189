#include "proxy/net/coarse_timer.h"

#include <algorithm>

namespace freshet::proxy {

using storage::Milliseconds;
using storage::MonoTime;

void Deadline::disarm() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = nullptr;
  next_ = nullptr;
}

void DeadlineList::arm(Deadline& deadline, MonoTime now) {
  deadline.disarm();
  deadline.list_ = this;
  deadline.due_ = now + length_;
  deadline.previous_ = end_.previous_;
  deadline.next_ = &end_;
  end_.previous_->next_ = &deadline;
  end_.previous_ = &deadline;
}

void DeadlineList::expire(MonoTime now) {
  while (!empty() && end_.next_->due_ <= now) {
    Deadline* due = end_.next_;
    due->disarm();
    const std::function<void()> expired = due->expired_;  // `due` may be gone when it returns
    expired();
  }
}

CoarseTimers::CoarseTimers(storage::IoLoop& loop, Milliseconds tick)
    : tick_(tick), timer_(loop.timer([this] { this->tick(); })) {}

DeadlineList& CoarseTimers::list(Milliseconds length) {
  for (DeadlineList& each : lists_) {
    if (each.length() == length) return each;
  }
  return lists_.emplace_back(length);
}

void CoarseTimers::arm(Deadline& deadline, DeadlineList& list, MonoTime now) {
  if (list.holds(deadline, now)) return;
  list.arm(deadline, now + tick_ / 2);
  if (ticking_) return;
  ticking_ = true;
  timer_->arm(tick_);
}

void CoarseTimers::tick() {
  const MonoTime now = storage::mono_now();
  for (DeadlineList& each : lists_) each.expire(now);
  ticking_ =
      std::any_of(lists_.begin(), lists_.end(), [](const DeadlineList& each) { return !each.empty(); });
  if (ticking_) timer_->arm(tick_);
}

}  // namespace freshet::proxy
