#include "storage/rocksdb/io_pool.h"

#include <pthread.h>
#include <utility>

namespace freshet::storage {

IoPool::IoPool(std::size_t threads) {
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
    pthread_setname_np(threads_.back().native_handle(), "freshet-io");
  }
}

IoPool::~IoPool() {
  stop();
}

void IoPool::post(Task task) {
  {
    const MutexLock lock(mutex_);
    // While the last tasks run, what they post is still taken.
    if (!stopping_ || running_ > 0) {
      queue_.push_back(std::move(task));
      task = nullptr;
    }
  }
  ready_.notify_one();
  // What was not taken is destroyed here, outside the lock.
}

std::size_t IoPool::queued() const {
  const MutexLock lock(mutex_);
  return queue_.size();
}

void IoPool::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    if (joined_) return;
    joined_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// As many tasks as there are threads, none of which ends before all have begun: so each thread has one.
void IoPool::pass() {
  struct Gate {
    Mutex mutex;
    CondVar changed;
    std::size_t missing GUARDED_BY(mutex) = 0;

    void come() {
      const MutexLock lock(mutex);
      --missing;
      changed.notify_all();
      while (missing > 0) changed.wait(mutex);
    }
  };
  const auto gate = std::make_shared<Gate>();
  {
    const MutexLock lock(gate->mutex);
    gate->missing = threads_.size() + 1;
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) post([gate] { gate->come(); });
  gate->come();
}

void IoPool::run() {
  for (;;) {
    Task task;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !(stopping_ && running_ == 0)) ready_.wait(mutex_);
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
      ++running_;
    }
    task();
    task = nullptr;  // what it held is let go before the next wait
    const MutexLock lock(mutex_);
    --running_;
    if (stopping_ && running_ == 0) ready_.notify_all();
  }
}

}  // namespace freshet::storage
