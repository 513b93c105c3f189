// WriteLane: the thread that makes changes of what is stored, in the order in which they were posted. What
// comes within a moment (two milliseconds; less where it is much) it takes together, and what need not read
// the database goes into one batch: one turn of the thread, and one write to the log, for many responses. A
// store has one.
//
// Any thread may post. stop() makes what is queued and joins the thread; it must not be called from it. What
// is posted when the thread is gone is destroyed unmade.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/executor.h"
#include "storage/base/mutex.h"
#include "storage/rocksdb/database.h"

namespace freshet::storage {

// One change of what is stored, from when it was asked for until it is written. All calls on the lane's
// thread, each once but is_wanted().
class Change {
 public:
  Change() = default;
  virtual ~Change() = default;
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  // prepare() reads what is stored: all that came before is written by then, and nobody else changes the key
  // until this is.
  [[nodiscard]] virtual bool reads() const { return true; }
  // Bytes that the directory must have room for; waited for as long as it is wanted, which is asked often
  // meanwhile. 0: it needs none.
  [[nodiscard]] virtual std::uint64_t room_needed() const { return 0; }
  [[nodiscard]] virtual bool is_wanted() const { return true; }
  // Adds to the batch what is to be written; nothing without `room`.
  virtual void prepare(bool room, Database::Batch& batch) = 0;
  virtual void finish(bool written) = 0;
};

class WriteLane {
 public:
  struct Store {
    std::function<bool(std::uint64_t bytes)> has_room;
    // Waits for it; false where that took too long or the change is not wanted.
    std::function<bool(const Change& change)> await_room;
    std::function<bool(const Database::Batch& batch)> write;
  };

  static constexpr Milliseconds kMoment{2};
  explicit WriteLane(Store store, Milliseconds moment = kMoment);
  ~WriteLane();
  WriteLane(const WriteLane&) = delete;
  WriteLane& operator=(const WriteLane&) = delete;

  void post(std::unique_ptr<Change> change);
  // The same for what is to be done alone.
  void post(Task task);
  // What is queued is waited for: the moment is over.
  void hurry();
  void stop();

  // Who changes what is stored of this lane's keys, and is not a change of the above, holds this meanwhile.
  [[nodiscard]] Mutex& change_mutex() { return change_mutex_; }

 private:
  void run();
  // False: the end.
  [[nodiscard]] bool take(std::vector<std::unique_ptr<Change>>& changes);
  void make(std::unique_ptr<Change> change);
  [[nodiscard]] bool find_room(const Change& change);
  void write_group();
  void write_group_locked() REQUIRES(change_mutex_);

  const Store store_;
  const Milliseconds moment_;
  Mutex change_mutex_;
  // What is to be written next; the thread's own.
  Database::Batch batch_;
  std::vector<std::unique_ptr<Change>> group_;
  std::uint64_t group_bytes_ = 0;

  Mutex mutex_;
  CondVar ready_;
  std::vector<std::unique_ptr<Change>> queue_ GUARDED_BY(mutex_);
  std::uint64_t queued_bytes_ GUARDED_BY(mutex_) = 0;
  bool idle_ GUARDED_BY(mutex_) = false;
  bool hurried_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace freshet::storage
