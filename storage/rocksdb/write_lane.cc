#include "storage/rocksdb/write_lane.h"

#include <pthread.h>
#include <utility>

namespace freshet::storage {

namespace {

// A batch of more costs memory and gains nothing.
constexpr std::uint64_t kGroupBytes = 256 * 1024;

class TaskChange final : public Change {
 public:
  explicit TaskChange(Task task) : task_(std::move(task)) {}
  void prepare(bool /*room*/, Database::Batch& /*batch*/) override { task_(); }
  void finish(bool /*written*/) override {}

 private:
  const Task task_;
};

}  // namespace

WriteLane::WriteLane(Store store, Milliseconds moment)
    : store_(std::move(store)), moment_(moment), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "freshet-write");
}

WriteLane::~WriteLane() {
  stop();
}

void WriteLane::post(std::unique_ptr<Change> change) {
  const MutexLock lock(mutex_);
  if (ended_) return;
  queued_bytes_ += change->room_needed();
  queue_.push_back(std::move(change));
  const bool was_idle = std::exchange(idle_, false);
  if (queued_bytes_ >= kGroupBytes) hurried_ = true;
  // While it gathers it wakes by itself.
  if (was_idle || queued_bytes_ >= kGroupBytes) ready_.notify_one();
}

void WriteLane::post(Task task) {
  post(std::make_unique<TaskChange>(std::move(task)));
}

void WriteLane::hurry() {
  const MutexLock lock(mutex_);
  hurried_ = true;
  ready_.notify_one();
}

void WriteLane::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    ready_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

bool WriteLane::take(std::vector<std::unique_ptr<Change>>& changes) {
  const MutexLock lock(mutex_);
  while (queue_.empty() && !stopping_) {
    idle_ = true;
    ready_.wait(mutex_);
  }
  idle_ = false;
  const MonoTime until = mono_now() + moment_;
  while (!hurried_ && !stopping_) {
    const auto left = until - mono_now();
    if (left <= left.zero()) break;
    ready_.wait_for(mutex_, left);
  }
  hurried_ = false;
  queued_bytes_ = 0;
  ended_ = queue_.empty();
  changes.swap(queue_);
  return !ended_;
}

void WriteLane::run() {
  std::vector<std::unique_ptr<Change>> changes;
  while (take(changes)) {
    for (auto& change : changes) make(std::move(change));
    write_group();
    changes.clear();
  }
}

void WriteLane::make(std::unique_ptr<Change> change) {
  const bool room = find_room(*change);
  if (change->reads()) {
    write_group();
    const MutexLock lock(change_mutex_);
    change->prepare(room, batch_);
    group_.push_back(std::move(change));
    write_group_locked();
    return;
  }
  change->prepare(room, batch_);
  group_bytes_ += change->room_needed();
  group_.push_back(std::move(change));
  if (group_bytes_ >= kGroupBytes) write_group();
}

bool WriteLane::find_room(const Change& change) {
  const std::uint64_t bytes = change.room_needed();
  if (bytes == 0) return true;
  if (!change.is_wanted()) return false;
  if (store_.has_room(group_bytes_ + bytes)) return true;
  write_group();  // nothing waits with it
  return store_.await_room(change);
}

void WriteLane::write_group() {
  if (group_.empty()) return;
  const MutexLock lock(change_mutex_);
  write_group_locked();
}

void WriteLane::write_group_locked() {
  const bool written = batch_.empty() || store_.write(batch_);
  batch_.clear();
  group_bytes_ = 0;
  for (const auto& change : group_) change->finish(written);
  group_.clear();
}

}  // namespace freshet::storage
