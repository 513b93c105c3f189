// CoarseTimers: many deadlines of a few lengths, cheap enough to move for every request. A connection's
// timeouts need no precision, so all deadlines of one length stand in one list in the order in which they
// were armed, and one loop timer looks at the front of each list a few times a second. Arming and disarming
// link a node and touch neither the loop's timer heap nor the kernel.
//
// Owned by a worker; used on its thread only. A Deadline is owned by whoever waits, and its destructor
// disarms it; it may be destroyed inside its own callback. It fires no earlier than it should and at most two
// ticks later: it is armed for half a tick more than was asked for, so that one which is moved on for every
// request is left where it stands most of the time, and its neighbours in the list are not touched. The lists
// outlive the deadlines that are armed in them.
#pragma once

#include <functional>
#include <list>
#include <memory>

#include "storage/base/clock.h"
#include "storage/base/io_loop.h"

namespace freshet::proxy {

class DeadlineList;

class Deadline {
 public:
  explicit Deadline(std::function<void()> expired) : expired_(std::move(expired)) {}
  ~Deadline() { disarm(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void disarm();
  [[nodiscard]] bool armed() const { return next_ != nullptr; }

 private:
  friend class DeadlineList;
  struct ListEnd {};
  explicit Deadline(ListEnd /*end*/) : previous_(this), next_(this) {}

  Deadline* previous_ = nullptr;
  Deadline* next_ = nullptr;
  DeadlineList* list_ = nullptr;  // where it is armed
  storage::MonoTime due_;
  std::function<void()> expired_;
};

// All deadlines of one length.
class DeadlineList {
 public:
  explicit DeadlineList(storage::Milliseconds length) : length_(length) {}
  DeadlineList(const DeadlineList&) = delete;
  DeadlineList& operator=(const DeadlineList&) = delete;

  // `deadline` expires `length` after `now`; armed here or elsewhere before, it moves. `now` never goes back.
  void arm(Deadline& deadline, storage::MonoTime now);
  // Runs what is due, each disarmed first.
  void expire(storage::MonoTime now);
  // Armed here, and due no earlier than if it were armed now.
  [[nodiscard]] bool holds(const Deadline& deadline, storage::MonoTime now) const {
    return deadline.list_ == this && deadline.armed() && deadline.due_ >= now + length_;
  }
  [[nodiscard]] bool empty() const { return end_.next_ == &end_; }
  [[nodiscard]] storage::Milliseconds length() const { return length_; }

 private:
  const storage::Milliseconds length_;
  Deadline end_{Deadline::ListEnd{}};
};

class CoarseTimers {
 public:
  explicit CoarseTimers(storage::IoLoop& loop, storage::Milliseconds tick = storage::Milliseconds{200});

  // The list of that length, made on first use; keep the reference.
  [[nodiscard]] DeadlineList& list(storage::Milliseconds length);
  // Arms in `list` and sees to it that somebody looks.
  void arm(Deadline& deadline, DeadlineList& list, storage::MonoTime now);

 private:
  void tick();

  const storage::Milliseconds tick_;
  std::list<DeadlineList> lists_;
  bool ticking_ = false;
  std::unique_ptr<storage::IoTimer> timer_;
};

}  // namespace freshet::proxy
