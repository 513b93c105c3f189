// OriginHealth: how the origin has done of late: failures in a row, and the last one's text, which goes to
// the event log at most once a second. What an operator or a later decision (back off, serve stale) looks at.
//
// Shared by all workers, any thread. Owned by main. A client's fault (kUploadFailed) and our own (kLocal) say
// nothing about the origin and are not counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "revalidate/origin/origin_client.h"
#include "storage/base/log.h"
#include "storage/base/mutex.h"

namespace freshet::revalidate {

[[nodiscard]] std::string_view failure_text(OriginFailure failure);

class OriginHealth {
 public:
  explicit OriginHealth(std::string origin_name) : name_(std::move(origin_name)) {}

  // A whole response head came.
  void answered();
  void failed(const OriginError& error);

  [[nodiscard]] std::uint64_t failures_in_a_row() const { return in_a_row_.load(std::memory_order_relaxed); }
  // Empty while nothing has failed.
  [[nodiscard]] std::string last_failure() const;

 private:
  const std::string name_;
  std::atomic<std::uint64_t> in_a_row_{0};
  storage::LogLimiter log_;
  mutable storage::Mutex mutex_;
  std::string last_ GUARDED_BY(mutex_);
};

}  // namespace freshet::revalidate
