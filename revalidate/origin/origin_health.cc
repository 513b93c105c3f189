#include "revalidate/origin/origin_health.h"

namespace freshet::revalidate {

std::string_view failure_text(OriginFailure failure) {
  switch (failure) {
    case OriginFailure::kConnect:
      return "cannot connect";
    case OriginFailure::kTls:
      return "TLS failed";
    case OriginFailure::kTimeout:
      return "too slow";
    case OriginFailure::kReset:
      return "closed without a response";
    case OriginFailure::kTruncated:
      return "response cut short";
    case OriginFailure::kMalformed:
      return "malformed response";
    case OriginFailure::kTooLarge:
      return "response head too large";
    case OriginFailure::kUploadFailed:
      return "request body broke off";
    case OriginFailure::kLocal:
      return "out of resources here";
  }
  return "unknown";
}

void OriginHealth::answered() {
  // Read first: the usual answer changes nothing, and a store would make cores fight over the line.
  if (failures_in_a_row() == 0) return;
  if (in_a_row_.exchange(0) > 0) log_.log(storage::LogLevel::kInfo, "origin " + name_ + " answers again");
}

void OriginHealth::failed(const OriginError& error) {
  if (error.failure == OriginFailure::kUploadFailed) return;
  const std::string text = std::string(failure_text(error.failure)) + ": " + error.detail.substr(0, 300);
  log_.log(storage::LogLevel::kWarning, "origin " + name_ + ": " + text);
  if (error.failure == OriginFailure::kLocal) return;
  in_a_row_.fetch_add(1, std::memory_order_relaxed);
  const storage::MutexLock lock(mutex_);
  last_ = text;
}

std::string OriginHealth::last_failure() const {
  const storage::MutexLock lock(mutex_);
  return last_;
}

}  // namespace freshet::revalidate
