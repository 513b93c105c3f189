#include "storage/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <string>

namespace freshet::storage {

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& logger() {
  static spdlog::logger instance = [] {
    spdlog::logger made("freshet", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    made.flush_on(spdlog::level::debug);
    return made;
  }();
  return instance;
}

}  // namespace

void set_log_level(LogLevel lowest) {
  logger().set_level(to_spdlog(lowest));
}

void log_event(LogLevel level, std::string_view message) {
  logger().log(to_spdlog(level), message);
}

void LogLimiter::log(LogLevel level, std::string_view message) {
  const std::int64_t now = std::chrono::duration_cast<Milliseconds>(mono_now().time_since_epoch()).count();
  std::int64_t allowed = next_allowed_ms_.load(std::memory_order_relaxed);
  if (now < allowed || !next_allowed_ms_.compare_exchange_strong(allowed, now + interval_.count())) {
    left_out_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t left_out = left_out_.exchange(0, std::memory_order_relaxed);
  std::string line(message);
  if (left_out > 0) line += " (and " + std::to_string(left_out) + " more like it)";
  log_event(level, line);
}

}  // namespace freshet::storage
