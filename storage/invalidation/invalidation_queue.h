// InvalidationQueue: the thread that makes invalidations durable. What is asked for while one write is under
// way is written by the next, together, with one sync. The order of a purge: a number, the synced write, in
// effect in memory, the number published, acknowledged. So a number that a fill can see is on disk, and
// nothing that was begun before is served afterwards (G4).
//
// Where the write fails, the purge is in effect all the same and is acknowledged as not durable; what could
// not be written is tried again until a synced write succeeds. Until then failing() is true and the tier
// above writes nothing to disk. A crash in between forgets such a purge: it was answered so.
//
// The log may come later (null, then attach()): until then a purge is in effect as soon as it is numbered,
// and its acknowledgement waits until the log has it. It may also go before (close()): then nothing is taken.
//
// Any thread. The destructor does what waits and joins. Owned by TieredStore; `log` and `generations` outlive
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/counters.h"
#include "storage/base/executor.h"
#include "storage/base/log.h"
#include "storage/base/mutex.h"
#include "storage/invalidation/generations.h"
#include "storage/invalidation/invalidation_log.h"

namespace freshet::storage {

struct InvalidationQueueOptions {
  Milliseconds retry{1000};        // after a write that failed
  Milliseconds sync_within{1000};  // of what was written without a sync
};

class InvalidationQueue {
 public:
  using Options = InvalidationQueueOptions;
  using Done = std::function<void(const Acknowledgement&)>;

  // `applied` is called on the queue's thread with each invalidation between its coming into effect and its
  // acknowledgement.
  InvalidationQueue(Generations& generations, InvalidationLog* log, Counters& counters, Options options,
                    std::function<void(const Invalidation&)> applied);
  ~InvalidationQueue();
  InvalidationQueue(const InvalidationQueue&) = delete;
  InvalidationQueue& operator=(const InvalidationQueue&) = delete;

  // What was taken meanwhile is written and acknowledged. Nothing that the log has may be newer than
  // generations.current(), and `generations` knows all that it has. Once.
  void attach(InvalidationLog& log);
  // The log cannot be had now: until attach(), purges are acknowledged as not durable, for this reason.
  void give_up(std::string why);
  // Blocks until all that was taken is done, as settle() does; from then on nothing is taken, and the log is
  // not used any more.
  void close();

  // `done` is posted to `executor`. False: closed; `done` is not called.
  bool purge(Invalidation invalidation, Executor& executor, Done done);
  // Of an invalidation that is in effect already: written soon, synced within `sync_within`.
  void keep(ScopeRecord record);
  // Generations::drop_older_than(), in the log too.
  void drop_older_than(Sequence hard_floor, Sequence soft_floor);

  // Something could not be written and is not yet.
  [[nodiscard]] bool failing() const { return failing_.load(std::memory_order_acquire); }

  // Blocks until all that was asked for before is done, and synced or found to fail.
  void settle();

 private:
  struct Purge {
    Invalidation invalidation;
    Executor* executor = nullptr;
    Done done;
    std::vector<ScopeRecord> records;  // once numbered
  };
  // What one round does.
  struct Work {
    std::vector<Purge> purges;
    std::vector<ScopeRecord> kept;
    ScopeTable::Numbers floors;
    InvalidationLog* log = nullptr;  // to attach
    std::string no_log;              // why there is none
    std::uint64_t settles = 0;
    bool closing = false;
    bool stopping = false;
    [[nodiscard]] bool nothing() const;
  };
  using RecordName = std::tuple<ScopeKind, Strength, Digest128>;

  void run();
  Work wait_for_work();
  void do_round(Work work);
  void do_purges(std::vector<Purge>& purges);
  void await_log(std::vector<Purge>& purges);
  void acknowledge_held(const Status& written);
  void acknowledge(Purge& purge, const Status& written);
  void drop_now(const ScopeTable::Numbers& floors);
  // Writes the purges' records and all that is unwritten; what failed is unwritten from then on.
  Status write(const std::vector<Purge>& purges, bool synced);
  void forget_gone();
  void remember(const ScopeRecord& record);

  Generations& generations_;
  Counters& counters_;
  const Options options_;
  const std::function<void(const Invalidation&)> applied_;
  LogLimiter limiter_;
  LogLimiter again_limiter_{Milliseconds{60'000}};  // of what is tried every second

  // The thread's own. Null: none yet.
  InvalidationLog* log_;
  std::string no_log_;       // why none is to be waited for; empty: it is
  std::vector<Purge> held_;  // in effect, and wait for the log
  // In effect and not in the log.
  std::map<RecordName, ScopeRecord> unwritten_;
  std::vector<ScopeName> gone_;  // and still there
  bool unsynced_ = false;

  std::atomic<bool> failing_{false};
  Mutex mutex_;
  CondVar wake_;
  CondVar settled_;
  Work waiting_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  std::uint64_t settles_done_ GUARDED_BY(mutex_) = 0;
  std::uint64_t settles_asked_ GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace freshet::storage
