#include "proxy/observe/access_log.h"

#include <csignal>
#include <pthread.h>
#include <random>
#include <utility>

namespace freshet::proxy {

using storage::LogLevel;
using storage::MutexLock;

namespace {

bool went_wrong(const ExchangeRecord& record) {
  return record.outcome == CacheOutcome::kError || record.status >= 500 || !record.complete;
}

}  // namespace

AccessLogWriter::AccessLogWriter(AccessLog& log, std::uint64_t seed)
    : log_(log), random_(seed), formatter_(log.options_.format) {}

bool AccessLogWriter::takes(const ExchangeRecord& record) {
  const double sample = log_.options_.sample;
  if (sample >= 1 || went_wrong(record)) return true;
  // xorshift64; the upper 53 bits make a number in [0, 1).
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  constexpr double kUnit = 1.0 / static_cast<double>(std::uint64_t{1} << 53);
  if (static_cast<double>(random_ >> 11) * kUnit < sample) return true;
  left_out_.store(left_out_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return false;
}

LogBlock* AccessLogWriter::next_block(LogBlock* full) {
  const MutexLock lock(mutex_);
  if (full != nullptr) full_.emplace_back(full);
  if (!spare_.empty()) {
    LogBlock* const block = spare_.back().release();
    spare_.pop_back();
    return block;
  }
  if (blocks_made_ == log_.options_.blocks_per_writer) return nullptr;
  ++blocks_made_;
  return std::make_unique<LogBlock>().release();
}

void AccessLogWriter::write(const ExchangeRecord& record) {
  if (!log_.enabled() || !takes(record)) return;
  LogBlock* block = active_.exchange(nullptr, std::memory_order_acquire);
  if (block == nullptr || LogBlock::kSize - block->used < kLongestLogLine) {
    const bool filled = block != nullptr;
    block = next_block(block);
    if (filled) log_.wake();
  }
  if (block == nullptr) {
    log_.dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  char* const start = block->bytes.get() + block->used;
  block->used += static_cast<std::size_t>(formatter_.format(start, record) - start);
  ++block->lines;
  active_.store(block, std::memory_order_release);
}

void AccessLogWriter::take(Blocks& blocks) {
  const MutexLock lock(mutex_);
  // While the lock is held none becomes full: what is taken here is newer than those. Where the worker has
  // it, it comes next time.
  std::unique_ptr<LogBlock> active(active_.exchange(nullptr, std::memory_order_acquire));
  for (auto& block : full_) blocks.push_back(std::move(block));
  full_.clear();
  if (active != nullptr) blocks.push_back(std::move(active));
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
  if (target == "off") return std::unique_ptr<AccessLog>(new AccessLog(nullptr, std::move(options)));
  storage::Result<LogSink> sink = LogSink::open(target);
  if (!sink.ok()) return storage::Error{sink.error()};
  return std::unique_ptr<AccessLog>(
      new AccessLog(std::make_unique<LogSink>(sink.take()), std::move(options)));
}

AccessLog::AccessLog(std::unique_ptr<LogSink> sink, AccessLogOptions options)
    : options_(std::move(options)), sink_(std::move(sink)) {
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
  finish();
}

void AccessLog::finish() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_relaxed);
  wake();
  thread_.join();
}

AccessLogWriter& AccessLog::make_writer() {
  const MutexLock lock(mutex_);
  const std::uint64_t seed = (std::uint64_t{std::random_device{}()} << 32) | (writers_.size() + 1);
  writers_.push_back(std::unique_ptr<AccessLogWriter>(new AccessLogWriter(*this, seed)));
  return *writers_.back();
}

std::uint64_t AccessLog::lines_left_out() {
  const MutexLock lock(mutex_);
  std::uint64_t total = 0;
  for (const auto& writer : writers_) total += writer->left_out_.load(std::memory_order_relaxed);
  return total;
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
