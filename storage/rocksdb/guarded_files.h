// GuardedFiles: the file system under RocksDB, so arranged that a fault of the disk can pass without a
// restart.
//
// A failed write or sync of the log (WAL), or a log that cannot be made, is kept from RocksDB, which as
// Debian builds it may end the process when it next touches such a log, and told to us: ask log_failed()
// after each write; what it covers is then in memory only. Nothing more is written to that log; the next
// flush of the memtables puts their content into tables and begins another. Other failures are marked as ones
// that may pass, so that DB::Resume() takes them back; RocksDB takes EIO for final otherwise.
//
// Any thread. Owned by the database, with whose Env it goes. This header includes RocksDB.
#pragma once

#include <atomic>
#include <memory>
#include <rocksdb/file_system.h>
#include <string>

#include "storage/base/mutex.h"
#include "storage/base/result.h"

namespace freshet::storage {

class GuardedFiles final : public rocksdb::FileSystemWrapper {
 public:
  explicit GuardedFiles(const std::shared_ptr<rocksdb::FileSystem>& files)
      : rocksdb::FileSystemWrapper(files) {}
  [[nodiscard]] const char* Name() const override { return "freshet.guarded_files"; }

  [[nodiscard]] bool log_failed() const { return log_failed_.load(std::memory_order_acquire); }
  // OK, or what last failed.
  [[nodiscard]] Status log_status() const;
  // For a new try. A log that has failed fails again when it is written to.
  void forget_log_failure() { log_failed_.store(false, std::memory_order_release); }
  // OK: the same as before.
  void note_log_failure(const rocksdb::IOStatus& status);

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override;

 private:
  std::atomic<bool> log_failed_{false};
  mutable Mutex mutex_;
  std::string log_error_ GUARDED_BY(mutex_);
};

}  // namespace freshet::storage
