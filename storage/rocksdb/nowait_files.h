// RocksDB's files, such that a thread may read what the page cache holds and nothing else. RocksDB's own
// kBlockCacheTier stops at its block cache; what the kernel has in memory would still need another thread,
// two context switches (15 us) for what is a copy of 64 KiB (10 us).
//
// While a NoWaitScope lives, reads by its thread use RWF_NOWAIT (preadv2, Linux 4.14): what would wait for
// the disk fails with Busy, which makes the whole RocksDB call fail with Busy and leaves nothing behind. A
// table that is not open yet is not opened then. Reads of other threads are as ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <rocksdb/env.h>

#include "storage/rocksdb/table_file.h"

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

// While it lives, the thread's last read of a file is remembered: RocksDB gives a value that it has just read
// where it stands in the block, as the file has it, and so tells where in the file it stands.
class LastRead {
 public:
  LastRead();
  ~LastRead();
  LastRead(const LastRead&) = delete;
  LastRead& operator=(const LastRead&) = delete;

  // Where the bytes at `data` were read from, if by that read.
  [[nodiscard]] std::optional<FilePlace> place_of(const char* data, std::size_t size) const;

  // For the files.
  void note(FilePlace from, const char* data, std::size_t size);

 private:
  LastRead* const before_;
  FilePlace from_;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

// The files are those of `base`. Without `page_cache` all such reads fail: its files are not the machine's.
[[nodiscard]] std::unique_ptr<rocksdb::Env> make_nowait_env(rocksdb::Env& base, bool page_cache = true);

}  // namespace freshet::storage
