// ManualExecutor: an executor whose queue the test runs, so that a test decides what happens before what.
// ThreadExecutor: one with a thread of its own; its destructor runs what is queued, then joins.
// Both are owned by the test. post() may come from any thread; run() belongs to the test's.
#pragma once

#include <cstddef>
#include <deque>
#include <thread>
#include <utility>

#include "storage/base/executor.h"
#include "storage/base/mutex.h"

namespace freshet::tests {

class ManualExecutor final : public storage::Executor {
 public:
  void post(storage::Task task) override {
    storage::Task doomed;
    const storage::MutexLock lock(mutex_);
    if (stopped_) {
      doomed = std::move(task);
    } else {
      queue_.push_back(std::move(task));
    }
  }

  // Runs what is queued and what that queues; returns how many tasks ran.
  std::size_t run() {
    std::size_t ran = 0;
    for (storage::Task task = next(); task; task = next()) {
      task();
      ++ran;
    }
    return ran;
  }

  [[nodiscard]] std::size_t queued() const {
    const storage::MutexLock lock(mutex_);
    return queue_.size();
  }

  // From now on tasks are destroyed unrun, those in the queue included.
  void stop() {
    std::deque<storage::Task> doomed;
    const storage::MutexLock lock(mutex_);
    stopped_ = true;
    doomed.swap(queue_);
  }

 private:
  storage::Task next() {
    const storage::MutexLock lock(mutex_);
    if (queue_.empty()) return nullptr;
    storage::Task task = std::move(queue_.front());
    queue_.pop_front();
    return task;
  }

  mutable storage::Mutex mutex_;
  std::deque<storage::Task> queue_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
};

class ThreadExecutor final : public storage::Executor {
 public:
  ThreadExecutor() : thread_([this] { work(); }) {}
  ~ThreadExecutor() override {
    {
      const storage::MutexLock lock(mutex_);
      ending_ = true;
    }
    ready_.notify_one();
    thread_.join();
  }
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  void post(storage::Task task) override {
    {
      const storage::MutexLock lock(mutex_);
      queue_.push_back(std::move(task));
    }
    ready_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      storage::Task task;
      {
        const storage::MutexLock lock(mutex_);
        while (queue_.empty() && !ending_) ready_.wait(mutex_);
        if (queue_.empty()) return;
        task = std::move(queue_.front());
        queue_.pop_front();
      }
      task();
    }
  }

  storage::Mutex mutex_;
  storage::CondVar ready_;
  std::deque<storage::Task> queue_ GUARDED_BY(mutex_);
  bool ending_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace freshet::tests
