#include "revalidate/origin/idle_connections.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

namespace freshet::revalidate {

namespace {

// Nothing to read, not even an end: between two requests an origin has nothing to say.
bool is_silent(int descriptor) {
  pollfd watched{descriptor, POLLIN | POLLPRI | POLLRDHUP, 0};
  return ::poll(&watched, 1, 0) == 0;
}

}  // namespace

IdleConnections::IdleConnections(storage::IoLoop& loop, storage::Milliseconds limit)
    : limit_(limit), timer_(loop.timer([this] { shut_expired(); })) {}

void IdleConnections::went_idle(int descriptor) {
  since_[descriptor] = storage::mono_now();
  if (armed_) return;
  armed_ = true;
  timer_->arm(limit_);
}

bool IdleConnections::take(int descriptor) {
  const auto found = since_.find(descriptor);
  if (found == since_.end()) return false;
  const bool young = storage::mono_now() - found->second < limit_;
  since_.erase(found);
  return young && is_silent(descriptor);
}

void IdleConnections::shut_expired() {
  const storage::MonoTime now = storage::mono_now();
  storage::MonoTime oldest = storage::MonoTime::max();
  for (auto each = since_.begin(); each != since_.end();) {
    if (now - each->second >= limit_) {
      ::shutdown(each->first, SHUT_RDWR);
      each = since_.erase(each);
    } else {
      oldest = std::min(oldest, each->second);
      ++each;
    }
  }
  armed_ = !since_.empty();
  if (!armed_) return;
  const auto left = std::chrono::duration_cast<storage::Milliseconds>(oldest + limit_ - now);
  timer_->arm(left + storage::Milliseconds{1});
}

}  // namespace freshet::revalidate
