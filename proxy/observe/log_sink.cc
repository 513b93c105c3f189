#include "proxy/observe/log_sink.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace freshet::proxy {

namespace {

using storage::Error;
using storage::Result;
using storage::Status;

// Not more than a pipe takes in one piece once it is writable, so that a write to it does not wait.
constexpr std::size_t kPipePiece = PIPE_BUF;
constexpr int kPollMs = 100;
constexpr int kPollsWhileStopping = 10;

Result<int> open_target(const std::string& target) {
  if (target == "-") return STDOUT_FILENO;
  const int descriptor = ::open(target.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
  if (descriptor < 0) return Error{"\"" + target + "\" cannot be opened: " + std::strerror(errno)};
  return descriptor;
}

bool is_regular(int descriptor) {
  struct stat about {};
  return ::fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode);
}

}  // namespace

Result<LogSink> LogSink::open(const std::string& target) {
  Result<int> descriptor = open_target(target);
  if (!descriptor.ok()) return Error{descriptor.error()};
  return LogSink(target, descriptor.value());
}

LogSink::LogSink(std::string target, int descriptor)
    : target_(std::move(target)), descriptor_(descriptor), regular_(is_regular(descriptor)) {}

LogSink::LogSink(LogSink&& other) noexcept
    : target_(std::move(other.target_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      regular_(other.regular_),
      torn_(other.torn_) {}

LogSink::~LogSink() {
  if (descriptor_ >= 0 && descriptor_ != STDOUT_FILENO) ::close(descriptor_);
}

Status LogSink::reopen() {
  if (target_ == "-") return {};
  Result<int> descriptor = open_target(target_);
  if (!descriptor.ok()) return Error{descriptor.error()};
  ::close(std::exchange(descriptor_, descriptor.value()));
  regular_ = is_regular(descriptor_);
  torn_ = false;
  return {};
}

bool LogSink::wait_writable(const std::atomic<bool>& stopping) const {
  for (int polls_while_stopping = 0; polls_while_stopping < kPollsWhileStopping;) {
    pollfd waiting{descriptor_, POLLOUT, 0};
    if (::poll(&waiting, 1, kPollMs) > 0) return true;
    if (stopping.load(std::memory_order_relaxed)) ++polls_while_stopping;
  }
  return false;
}

Status LogSink::write(std::string_view lines, const std::atomic<bool>& stopping) {
  if (torn_ && ::write(descriptor_, "\n", 1) == 1) torn_ = false;
  bool begun = false;
  while (!lines.empty()) {
    std::size_t piece = lines.size();
    if (!regular_) {
      if (!wait_writable(stopping)) return Error{"nobody reads it"};
      piece = std::min(piece, kPipePiece);
    }
    const ssize_t written = ::write(descriptor_, lines.data(), piece);
    if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (written < 0) {
      torn_ = torn_ || begun;
      return Error{std::strerror(errno)};
    }
    begun = lines[static_cast<std::size_t>(written) - 1] != '\n';
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace freshet::proxy
