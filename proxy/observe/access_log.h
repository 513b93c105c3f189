// The access log: one line for each finished exchange (log_format.h has the formats). A worker formats into
// a block of its own memory; a thread of the log writes the blocks out, when one is full and every quarter of
// a second. The worker never waits for a disk: where the blocks are all full it drops the line and counts it.
//
// With a sample below 1, that part of the lines is written, chosen at random, and all of what went wrong: the
// edge's own errors, statuses from 500, broken transfers.
//
// AccessLog is owned by main and outlives the workers; its destructor writes what is left. A worker asks for
// its AccessLogWriter once, at its start. A line costs the worker one exchange of a pointer beside its
// formatting; a writer's lock is taken for a whole block, for the time of moving pointers. Lock order: a
// writer's lock and the log's own are never held together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/observe/exchange_record.h"
#include "proxy/observe/log_format.h"
#include "proxy/observe/log_line.h"
#include "proxy/observe/log_sink.h"
#include "storage/base/log.h"
#include "storage/base/mutex.h"
#include "storage/base/result.h"

namespace freshet::proxy {

class AccessLog;

// Lines in memory, whole ones only.
struct LogBlock {
  static constexpr std::size_t kSize = 256 * 1024;

  std::size_t used = 0;
  std::uint64_t lines = 0;
  std::unique_ptr<char[]> bytes{new char[kSize]};
};

class AccessLogWriter {
 public:
  AccessLogWriter(const AccessLogWriter&) = delete;
  AccessLogWriter& operator=(const AccessLogWriter&) = delete;
  ~AccessLogWriter() { delete active_.load(std::memory_order_acquire); }

  // The worker's thread. Does nothing where the log is off.
  void write(const ExchangeRecord& record) EXCLUDES(mutex_);
  // False: no need to fill a record. Any thread.
  [[nodiscard]] bool enabled() const;

 private:
  friend class AccessLog;
  using Blocks = std::vector<std::unique_ptr<LogBlock>>;

  AccessLogWriter(AccessLog& log, std::uint64_t seed);
  // Whether it is in the sample.
  bool takes(const ExchangeRecord& record);
  // The log's thread: moves what is to be written to the end of `blocks`.
  void take(Blocks& blocks) EXCLUDES(mutex_);
  void give_back(Blocks blocks) EXCLUDES(mutex_);
  // The block that is written to in place of one that is full, or of none; null: all are full.
  LogBlock* next_block(LogBlock* full) EXCLUDES(mutex_);

  AccessLog& log_;
  std::uint64_t random_;                    // the worker's
  std::atomic<std::uint64_t> left_out_{0};  // written by the worker alone
  LineFormatter formatter_;                 // likewise
  // Owned. Who exchanges it for null has it: the worker for the time of one line, or the log's thread for
  // good.
  std::atomic<LogBlock*> active_{nullptr};
  storage::Mutex mutex_;
  Blocks full_ GUARDED_BY(mutex_);
  Blocks spare_ GUARDED_BY(mutex_);
  std::size_t blocks_made_ GUARDED_BY(mutex_) = 0;
};

struct AccessLogOptions {
  std::size_t blocks_per_writer = 16;  // of LogBlock::kSize: 4 MiB
  storage::Milliseconds interval{250};
  LogFormat format;
  double sample = 1;
};

class AccessLog {
 public:
  // `target`: a path, `-` for standard output, or `off`.
  static storage::Result<std::unique_ptr<AccessLog>> open(const std::string& target,
                                                          AccessLogOptions options = {});
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;
  ~AccessLog();

  // Writes what is left. Its writers write no more; nothing but the counts may be asked for afterwards.
  void finish();

  // Any thread; the reference stays valid as long as the log.
  AccessLogWriter& make_writer();

  // Any thread (not a signal handler): from now on lines go to a file newly opened at the same path.
  void reopen();

  // Any thread. Lines that were written, and lines that were lost: no room, or the write failed.
  [[nodiscard]] std::uint64_t lines_written() const { return written_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t lines_dropped() const { return dropped_.load(std::memory_order_relaxed); }
  // Those that the sample left out.
  [[nodiscard]] std::uint64_t lines_left_out() EXCLUDES(mutex_);
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

inline bool AccessLogWriter::enabled() const {
  return log_.enabled();
}

}  // namespace freshet::proxy
