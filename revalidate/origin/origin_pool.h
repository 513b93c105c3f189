// OriginPool: how many requests may be at one origin at a time, over all workers. acquire() gives a Permit at
// once while there is room; behind that waits a bounded queue, first come first served, each wait with a
// deadline; behind the queue nothing. A place that becomes free goes to who waits longest, never to who asks
// at that moment.
//
// Any thread. Owned by main; outlives the workers, every Permit and every Wait. A Permit may be released on
// any thread; a Wait belongs to the loop that it was made for. `done` is called on that loop, never inside
// acquire(), at most once. No callback runs under the lock.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <utility>

#include "storage/base/counters.h"
#include "storage/base/io_loop.h"
#include "storage/base/mutex.h"

namespace freshet::revalidate {

class OriginPool {
 public:
  struct Options {
    std::size_t max_concurrent = 256;
    std::size_t queue_size = 1024;
    storage::Milliseconds queue_timeout{5'000};
  };

  // One place at the origin. Its destructor gives the place to the next who waits.
  class Permit {
   public:
    Permit() = default;
    Permit(Permit&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(pool_, other.pool_);
      return *this;
    }
    ~Permit() {
      if (pool_ != nullptr) pool_->release();
    }
    explicit operator bool() const { return pool_ != nullptr; }

   private:
    friend class OriginPool;
    explicit Permit(OriginPool& pool) : pool_(&pool) {}
    OriginPool* pool_ = nullptr;
  };

  // A place in the queue; the destructor leaves it (a Permit that is on its way goes to the next).
  class Wait {
   public:
    virtual ~Wait() = default;
  };

  // Called with a Permit, or with none when the deadline passed.
  using Done = std::function<void(Permit)>;

  enum class Answer { kGranted, kQueued, kQueueFull };
  struct Acquired {
    Answer answer = Answer::kQueueFull;
    Permit permit;               // kGranted
    std::unique_ptr<Wait> wait;  // kQueued: `done` will be called while it lives
  };

  OriginPool(Options options, storage::Counters& counters) : options_(options), counters_(counters) {}

  [[nodiscard]] Acquired acquire(storage::IoLoop& loop, Done done);

 private:
  struct Waiter;
  class QueuedWait;
  using Queue = std::list<std::shared_ptr<Waiter>>;

  void release();
  // True if it was still in the queue.
  bool leave(Waiter& waiter);

  const Options options_;
  storage::Counters& counters_;
  storage::Mutex mutex_;
  std::size_t in_flight_ GUARDED_BY(mutex_) = 0;
  Queue queue_ GUARDED_BY(mutex_);
};

}  // namespace freshet::revalidate
