// DiskEvictor: keeps the directory within its limit. Two FIFO families of bodies are S3-FIFO on disk: when
// the directory is over its soft limit, the oldest file of the newcomers goes as long as they have more than
// a tenth of the bytes, else the oldest of the main family. Before a file is dropped, what was used of it, or
// is in memory, is copied to the main family's end; of the main files at most half the bytes, so that they
// make room. Several files go after one sync of their copies. What there is no time for, because the
// directory is over its limit and half of what may wait to be written waits, or something has waited for half
// as long as it may, is dropped with its file and counted; so is everything while the disk fails: on a full
// one, that is what gives room.
//
// A thread of its own, from its making to its end; woken when RocksDB has finished a file, and when a write
// waits for room. It works ahead of the limit by what may be in flight, so that few writes wait for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/rocksdb/store_core.h"

namespace freshet::storage {

class DiskEvictor {
 public:
  explicit DiskEvictor(std::shared_ptr<StoreCore> core);
  // Waits for the step in progress.
  ~DiskEvictor();
  DiskEvictor(const DiskEvictor&) = delete;
  DiskEvictor& operator=(const DiskEvictor&) = delete;

  void wake();
  // Waits until a round that began after the call is over.
  void settle();
  // Has the oldest files of a family copied forward as far as anything in them is alive, and dropped: all up
  // to and with the one that is named.
  void reclaim(BodyFamily family, const std::string& last_file);

 private:
  enum class Keep { kUsed, kAlive };
  struct Queue;
  struct Reclaim {
    BodyFamily family = BodyFamily::kNewcomers;
    std::string last_file;
  };

  void run();
  void round();
  void run_reclaims();
  // In the order in which they go: as many as make enough room, or as may be copied from at once.
  [[nodiscard]] std::vector<BodyFile> next_to_go();
  [[nodiscard]] bool takes_from_main(const Queue& newcomers, const Queue& main) const;
  // Of files that were dropped: RocksDB deletes them behind, when nobody reads them any more.
  [[nodiscard]] std::uint64_t bytes_still_there();
  bool evict(const std::vector<BodyFile>& files, Keep keep);
  // Copies what is to be kept of the file; `copied`: something was. False: the file has to stay.
  bool copy_out(const BodyFile& file, Keep keep, bool& copied);
  // What has to go while the disk itself is full: so much at a time, up to a part of the limit, however often
  // it is full; what is written anew counts for it again.
  [[nodiscard]] std::uint64_t wanted_by_full_disk();
  // Over its limit, or a write waits for room.
  [[nodiscard]] bool is_full() const;
  // The same, and writes are refused soon: there is no time for copies.
  [[nodiscard]] bool is_late() const;
  // One step through a file, from `from` on; behind its last body when nothing is left in it.
  ReadStatus copy_step(const BodyFile& file, Keep keep, std::uint64_t& from, bool& copied);
  // Whether it was copied.
  bool copy(const ChunkLabel& first, Keep keep);
  // A body that is still being written may have its beginning there.
  [[nodiscard]] bool may_hold_open_body(const BodyFile& file) const;
  [[nodiscard]] bool is_wanted(const ChunkLabel& first, Keep keep);
  [[nodiscard]] bool stopping() const;

  const std::shared_ptr<StoreCore> core_;
  // What may still be copied of the main family's files; less than nothing after a body larger than that.
  std::int64_t main_allowance_ = 0;
  std::uint64_t given_to_full_disk_ = 0;
  std::int64_t written_by_then_ = 0;  // of bodies, when that was last brought up to date
  std::vector<BodyFile> dropped_;     // that may still be there
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  std::uint64_t rounds_begun_ GUARDED_BY(mutex_) = 0;
  std::uint64_t rounds_done_ GUARDED_BY(mutex_) = 0;
  std::vector<Reclaim> reclaims_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace freshet::storage
