// Mutex and MutexLock: std::mutex with clang's thread-safety annotations, so that "this member is guarded
// by that lock" is checked by the compiler (-Werror=thread-safety) instead of by memory.
//
// Lock order in the whole program: flight table shard, then fill, then the memory store's change, then a
// shard of it; never two of one kind; never a call-out (a callback, a post's target) under a lock.
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define FRESHET_ANNOTATE(x) __attribute__((x))
#else
#define FRESHET_ANNOTATE(x)
#endif

#define CAPABILITY(x) FRESHET_ANNOTATE(capability(x))
#define SCOPED_CAPABILITY FRESHET_ANNOTATE(scoped_lockable)
#define GUARDED_BY(x) FRESHET_ANNOTATE(guarded_by(x))
#define PT_GUARDED_BY(x) FRESHET_ANNOTATE(pt_guarded_by(x))
#define REQUIRES(...) FRESHET_ANNOTATE(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) FRESHET_ANNOTATE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) FRESHET_ANNOTATE(release_capability(__VA_ARGS__))
#define EXCLUDES(...) FRESHET_ANNOTATE(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS FRESHET_ANNOTATE(no_thread_safety_analysis)

namespace freshet::storage {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable for Mutex. wait() may wake without cause; call it in a loop over the condition.
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Returns false when `timeout` passed first.
  template <typename Duration>
  bool wait_for(Mutex& mutex, Duration timeout) REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool woken = condition_.wait_for(lock, timeout) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace freshet::storage
