// The event log: what an operator should read, one line an event, on standard error with time and level.
// Requests go to the access log (proxy/observe), not here. A line that a peer can cause is written through a
// LogLimiter, so that a bad client or a dead disk cannot fill the log.
//
// Any thread. Never blocks on anything but the descriptor.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "storage/base/clock.h"

namespace freshet::storage {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

void set_log_level(LogLevel lowest);
void log_event(LogLevel level, std::string_view message);

// At most one line per `interval`; the next one that passes says how many were left out.
class LogLimiter {
 public:
  explicit LogLimiter(Milliseconds interval = Milliseconds{1000}) : interval_(interval) {}
  void log(LogLevel level, std::string_view message);

 private:
  const Milliseconds interval_;
  std::atomic<std::int64_t> next_allowed_ms_{0};
  std::atomic<std::uint64_t> left_out_{0};
};

}  // namespace freshet::storage
