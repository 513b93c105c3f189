// LogSink: the descriptor that log lines go to: a file, opened to append, or standard output. Owned and used
// by the access log's thread alone, which may wait on a disk or on the reader of a pipe; nobody else does.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace freshet::proxy {

class LogSink {
 public:
  // `target`: a path, or `-` for standard output.
  static storage::Result<LogSink> open(const std::string& target);

  LogSink(LogSink&& other) noexcept;
  LogSink& operator=(LogSink&&) = delete;
  ~LogSink();

  // Writes all of `lines`, or says why not. Once `stopping` is true, waits at most a second for a pipe's
  // reader.
  storage::Status write(std::string_view lines, const std::atomic<bool>& stopping);

  // Opens the path anew, after a log rotation; keeps the old file where that fails. Standard output stays.
  storage::Status reopen();

 private:
  LogSink(std::string target, int descriptor);

  bool wait_writable(const std::atomic<bool>& stopping) const;

  std::string target_;
  int descriptor_;
  bool regular_ = false;
  bool torn_ = false;  // the last write ended within a line
};

}  // namespace freshet::proxy
