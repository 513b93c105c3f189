// IoPool: a few threads that may block on the disk, so that an event loop never does.
//
// Any thread may post. stop() runs what is queued and joins the threads; it must not be called from one of
// them. A task that is posted after stop() is destroyed unrun.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "storage/base/executor.h"
#include "storage/base/mutex.h"

namespace freshet::storage {

class IoPool final : public Executor {
 public:
  explicit IoPool(std::size_t threads);
  ~IoPool() override;
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  void post(Task task) override;
  // Tasks that wait to be run.
  [[nodiscard]] std::size_t queued() const;
  void stop();
  // Blocks until every task that had begun has ended. Not from one of the threads; one caller at a time.
  void pass();

 private:
  void run();

  mutable Mutex mutex_;
  CondVar ready_;
  std::deque<Task> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool joined_ GUARDED_BY(mutex_) = false;
  std::size_t running_ GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> threads_;
};

}  // namespace freshet::storage
