#include "revalidate/origin/idle_connections.h"

#include <algorithm>
#include <poll.h>
#include <sys/socket.h>

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

void IdleConnections::went_idle(const std::string& ends, int descriptor) {
  idle_[ends] = Idle{descriptor, storage::mono_now()};
  if (armed_) return;
  armed_ = true;
  timer_->arm(limit_);
}

bool IdleConnections::take(const std::string& ends) {
  const auto found = idle_.find(ends);
  if (found == idle_.end()) return false;
  const Idle taken = found->second;
  idle_.erase(found);
  return storage::mono_now() - taken.since < limit_ && is_silent(taken.descriptor);
}

void IdleConnections::closed(int descriptor) {
  for (auto each = idle_.begin(); each != idle_.end(); ++each) {
    if (each->second.descriptor != descriptor) continue;
    idle_.erase(each);
    return;
  }
}

void IdleConnections::shut_expired() {
  const storage::MonoTime now = storage::mono_now();
  storage::MonoTime oldest = storage::MonoTime::max();
  for (auto each = idle_.begin(); each != idle_.end();) {
    const Idle& idle = each->second;
    if (now - idle.since >= limit_) {
      ::shutdown(idle.descriptor, SHUT_RDWR);
      each = idle_.erase(each);
    } else {
      oldest = std::min(oldest, idle.since);
      ++each;
    }
  }
  armed_ = !idle_.empty();
  if (!armed_) return;
  const auto left = std::chrono::duration_cast<storage::Milliseconds>(oldest + limit_ - now);
  timer_->arm(left + storage::Milliseconds{1});
}

}  // namespace freshet::revalidate
