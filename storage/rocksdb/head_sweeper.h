// HeadSweeper: walks all head records behind everything else: removes those of dead responses, counts the
// living, and finds the files of bodies in which little is alive, so that space comes back after a purge. A
// million heads take a few seconds of one core, in steps with a pause between them.
//
// A thread of its own, from its making to its end. It sweeps soon after it was asked to, after an eighth of
// the limit was dropped, and every ten minutes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "storage/rocksdb/disk_evictor.h"
#include "storage/rocksdb/store_core.h"

namespace freshet::storage {

class HeadSweeper {
 public:
  HeadSweeper(std::shared_ptr<StoreCore> core, DiskEvictor& evictor);
  // Waits for the step in progress.
  ~HeadSweeper();
  HeadSweeper(const HeadSweeper&) = delete;
  HeadSweeper& operator=(const HeadSweeper&) = delete;

  // Asks for a sweep; several in a short time are one.
  void soon();
  // Sweeps now and waits for it; what it found can be reclaimed is on its way.
  void sweep();

 private:
  struct LiveFile;
  class Pass;

  void run();
  [[nodiscard]] bool is_due(MonoTime now, MonoTime last) const REQUIRES(mutex_);
  // False: stopped in the middle.
  bool run_pass();
  void reclaim(const Pass& pass);
  void reclaim_all();
  // Waits between steps; false: stopping.
  bool pause();

  const std::shared_ptr<StoreCore> core_;
  DiskEvictor& evictor_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool asked_ GUARDED_BY(mutex_) = false;
  bool now_ GUARDED_BY(mutex_) = false;
  MonoTime asked_at_ GUARDED_BY(mutex_){};
  std::uint64_t begun_ GUARDED_BY(mutex_) = 0;
  std::uint64_t done_ GUARDED_BY(mutex_) = 0;
  std::int64_t counted_ = 0;  // what the gauge says; the thread's own
  std::thread thread_;
};

}  // namespace freshet::storage
