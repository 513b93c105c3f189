// InvalidationLog: where invalidations are kept so that they outlive the process: the newest number of each
// scope, hard and soft, and which numbers may have been issued. Bounded by the scopes that are alive. What it
// has kept, the maker of a log reads from it before anybody serves (Generations::restore).
//
// One thread at a time (InvalidationQueue's); each call may block on the disk.
#pragma once

#include <vector>

#include "storage/base/result.h"
#include "storage/invalidation/scope_record.h"

namespace freshet::storage {

class InvalidationLog {
 public:
  virtual ~InvalidationLog() = default;

  struct Batch {
    std::vector<ScopeName> gone;  // hard and soft; before all that follows
    // None has a smaller number than the log has for the scope.
    std::vector<ScopeRecord> puts;
    // The same; newer than all else, so a hard one takes the scope's soft one away, which it makes idle.
    std::vector<ScopeRecord> newest;
    Sequence reserved = 0;  // greater than reserved(): numbers below it may be issued from now on
  };
  // All of it or nothing. `synced`: it cannot be lost when this returns; else as soon as the next synced
  // write has been made.
  virtual Status write(const Batch& batch, bool synced) = 0;
  // Invalidates all that was filled before `hard_floor` or validated before `soft_floor`, and forgets the
  // scopes that this makes idle. Synced.
  virtual Status drop_older_than(Sequence hard_floor, Sequence soft_floor) = 0;
  // After a write that failed: makes writing possible again, or says that it is not.
  virtual Status recover() = 0;

  [[nodiscard]] virtual Sequence reserved() const = 0;
};

}  // namespace freshet::storage
