#include "proxy/observe/access_log.h"

#include <csignal>
#include <pthread.h>
#include <utility>

namespace freshet::proxy {

using storage::LogLevel;
using storage::MutexLock;

bool AccessLogWriter::make_room(bool& filled) {
  if (active_ != nullptr && LogBlock::kSize - active_->used < kLongestLogLine) {
    full_.push_back(std::move(active_));
    filled = true;
  }
  if (active_ != nullptr) return true;
  if (!spare_.empty()) {
    active_ = std::move(spare_.back());
    spare_.pop_back();
    return true;
  }
  if (blocks_made_ == most_blocks_) return false;
  active_ = std::make_unique<LogBlock>();
  ++blocks_made_;
  return true;
}

bool AccessLogWriter::enabled() const {
  return log_.enabled();
}

void AccessLogWriter::write(const ExchangeRecord& record) {
  if (!log_.enabled()) return;
  bool filled = false;
  {
    const MutexLock lock(mutex_);
    if (make_room(filled)) {
      char* const start = active_->bytes.get() + active_->used;
      const char* const end = formatter_.format(start, record);
      active_->used += static_cast<std::size_t>(end - start);
      ++active_->lines;
    } else {
      log_.dropped_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  if (filled) log_.wake();
}

void AccessLogWriter::take(Blocks& blocks) {
  const MutexLock lock(mutex_);
  for (auto& block : full_) blocks.push_back(std::move(block));
  full_.clear();
  if (active_ != nullptr && active_->used > 0) blocks.push_back(std::move(active_));
}

void AccessLogWriter::give_back(Blocks blocks) {
  const MutexLock lock(mutex_);
  for (auto& block : blocks) {
    block->used = 0;
    block->lines = 0;
    spare_.push_back(std::move(block));
  }
}

storage::Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& target,
                                                            AccessLogOptions options) {
  if (target == "off") return std::unique_ptr<AccessLog>(new AccessLog(nullptr, options));
  storage::Result<LogSink> sink = LogSink::open(target);
  if (!sink.ok()) return storage::Error{sink.error()};
  return std::unique_ptr<AccessLog>(new AccessLog(std::make_unique<LogSink>(sink.take()), options));
}

AccessLog::AccessLog(std::unique_ptr<LogSink> sink, AccessLogOptions options)
    : options_(options), sink_(std::move(sink)) {
  if (!enabled()) return;
  // Signals are for the main thread: this one starts with all of them blocked.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

AccessLog::~AccessLog() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_relaxed);
  wake();
  thread_.join();
}

AccessLogWriter& AccessLog::make_writer() {
  const MutexLock lock(mutex_);
  writers_.push_back(
      std::unique_ptr<AccessLogWriter>(new AccessLogWriter(*this, options_.blocks_per_writer)));
  return *writers_.back();
}

void AccessLog::reopen() {
  {
    const MutexLock lock(mutex_);
    reopen_ = true;
  }
  wake();
}

void AccessLog::wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  wake_up_.notify_one();
}

void AccessLog::run() {
  bool last = false;
  while (!last) {
    bool reopen = false;
    {
      const MutexLock lock(mutex_);
      if (!woken_) wake_up_.wait_for(mutex_, options_.interval);
      woken_ = false;
      reopen = std::exchange(reopen_, false);
    }
    // Read before the last look at the writers, which have all ended by then.
    last = stopping_.load(std::memory_order_relaxed);
    write_out();
    if (!reopen) continue;
    const storage::Status reopened = sink_->reopen();
    if (!reopened.ok()) storage::log_event(LogLevel::kError, "access log: " + reopened.error());
  }
}

void AccessLog::write_out() {
  std::vector<AccessLogWriter*> writers;
  {
    const MutexLock lock(mutex_);
    for (const auto& writer : writers_) writers.push_back(writer.get());
  }
  for (AccessLogWriter* const writer : writers) {
    AccessLogWriter::Blocks blocks;
    writer->take(blocks);
    write_blocks(blocks);
    writer->give_back(std::move(blocks));
  }
}

void AccessLog::write_blocks(const AccessLogWriter::Blocks& blocks) {
  for (const auto& block : blocks) {
    const storage::Status done = sink_->write({block->bytes.get(), block->used}, stopping_);
    if (done.ok()) {
      written_.fetch_add(block->lines, std::memory_order_relaxed);
      continue;
    }
    dropped_.fetch_add(block->lines, std::memory_order_relaxed);
    limiter_.log(LogLevel::kError, "access log: lines lost: " + done.error());
  }
}

}  // namespace freshet::proxy
