// RocksDB's files, such that a thread may read what the page cache holds and nothing else. RocksDB's own
// kBlockCacheTier stops at its block cache; what the kernel has in memory would still need another thread,
// two context switches (15 us) for what is a copy of 64 KiB (10 us).
//
// While a NoWaitScope lives, reads by its thread use RWF_NOWAIT (preadv2, Linux 4.14): what would wait for
// the disk fails with Busy, which makes the whole RocksDB call fail with Busy and leaves nothing behind. A
// table that is not open yet is not opened then. Reads of other threads are as ever.
#pragma once

#include <memory>
#include <rocksdb/env.h>

namespace freshet::storage {

class NoWaitScope {
 public:
  explicit NoWaitScope(bool active);
  ~NoWaitScope();
  NoWaitScope(const NoWaitScope&) = delete;
  NoWaitScope& operator=(const NoWaitScope&) = delete;

 private:
  const bool before_;
};

// The files are those of `base`. Without `page_cache` all such reads fail: its files are not the machine's.
[[nodiscard]] std::unique_ptr<rocksdb::Env> make_nowait_env(rocksdb::Env& base, bool page_cache = true);

}  // namespace freshet::storage
