// The access log: one JSON line for each finished exchange (log_line.h has the format). A worker formats into
// a block of its own memory; a thread of the log writes the blocks out, when one is full and every quarter of
// a second. The worker never waits for a disk: where the blocks are all full it drops the line and counts it.
//
// AccessLog is owned by main and outlives the workers; its destructor writes what is left. A worker asks for
// its AccessLogWriter once, at its start. A writer's lock is held for the time of one line, or by the log's
// thread for the time of taking a pointer. Lock order: a writer's lock and the log's own are never held
// together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/observe/exchange_record.h"
#include "proxy/observe/log_line.h"
#include "proxy/observe/log_sink.h"
#include "storage/base/log.h"
#include "storage/base/mutex.h"
#include "storage/base/result.h"

namespace freshet::proxy {

class AccessLog;

// Lines in memory, whole ones only.
struct LogBlock {
  static constexpr std::size_t kSize = 128 * 1024;

  std::size_t used = 0;
  std::uint64_t lines = 0;
  std::unique_ptr<char[]> bytes{new char[kSize]};
};

class AccessLogWriter {
 public:
  // The worker's thread. Does nothing where the log is off.
  void write(const ExchangeRecord& record) EXCLUDES(mutex_);
  // False: no need to fill a record. Any thread.
  [[nodiscard]] bool enabled() const;

 private:
  friend class AccessLog;
  using Blocks = std::vector<std::unique_ptr<LogBlock>>;

  AccessLogWriter(AccessLog& log, std::size_t most_blocks) : log_(log), most_blocks_(most_blocks) {}
  // The log's thread: moves what is to be written to the end of `blocks`.
  void take(Blocks& blocks) EXCLUDES(mutex_);
  void give_back(Blocks blocks) EXCLUDES(mutex_);
  // Makes room for one line; false: all blocks are full.
  bool make_room(bool& filled) REQUIRES(mutex_);

  AccessLog& log_;
  const std::size_t most_blocks_;
  storage::Mutex mutex_;
  std::unique_ptr<LogBlock> active_ GUARDED_BY(mutex_);
  Blocks full_ GUARDED_BY(mutex_);
  Blocks spare_ GUARDED_BY(mutex_);
  std::size_t blocks_made_ GUARDED_BY(mutex_) = 0;
  LineFormatter formatter_ GUARDED_BY(mutex_);
};

struct AccessLogOptions {
  std::size_t blocks_per_writer = 32;  // of LogBlock::kSize: 4 MiB
  storage::Milliseconds interval{250};
};

class AccessLog {
 public:
  // `target`: a path, `-` for standard output, or `off`.
  static storage::Result<std::unique_ptr<AccessLog>> open(const std::string& target,
                                                          AccessLogOptions options = {});
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;
  ~AccessLog();

  // Any thread; the reference stays valid as long as the log.
  AccessLogWriter& make_writer();

  // Any thread (not a signal handler): from now on lines go to a file newly opened at the same path.
  void reopen();

  // Any thread. Lines that were written, and lines that were lost: no room, or the write failed.
  [[nodiscard]] std::uint64_t lines_written() const { return written_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t lines_dropped() const { return dropped_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool enabled() const { return sink_ != nullptr; }

 private:
  friend class AccessLogWriter;

  AccessLog(std::unique_ptr<LogSink> sink, AccessLogOptions options);
  void wake() EXCLUDES(mutex_);
  void run();
  void write_out();
  void write_blocks(const AccessLogWriter::Blocks& blocks);

  const AccessLogOptions options_;
  const std::unique_ptr<LogSink> sink_;  // null: off; used by the thread alone
  storage::LogLimiter limiter_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<bool> stopping_{false};

  storage::Mutex mutex_;
  storage::CondVar wake_up_;
  bool woken_ GUARDED_BY(mutex_) = false;
  bool reopen_ GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<AccessLogWriter>> writers_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace freshet::proxy
