// OpenBodies: the ids of bodies that are being written, so that eviction can spare the beginning of one that
// is not at its end. Only bodies of several chunks are worth a note. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "storage/base/mutex.h"

namespace freshet::storage {

class OpenBodies {
 public:
  void add(std::uint64_t id) {
    const MutexLock lock(mutex_);
    ids_.insert(id);
  }
  void remove(std::uint64_t id) {
    const MutexLock lock(mutex_);
    ids_.erase(id);
  }
  [[nodiscard]] std::optional<std::uint64_t> lowest() const {
    const MutexLock lock(mutex_);
    return ids_.empty() ? std::nullopt : std::optional(*ids_.begin());
  }

 private:
  mutable Mutex mutex_;
  std::set<std::uint64_t> ids_ GUARDED_BY(mutex_);
};

}  // namespace freshet::storage
