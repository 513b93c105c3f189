// Generations: what has been invalidated since when. Each invalidation takes the next Sequence; a stored
// response, or one that is still being filled, is dead where an invalidation of its key is newer than the
// moment at which its origin request began (StoredHead::filled_at). So a fill or a disk read that began
// before an invalidation cannot bring the old response back, whatever the order in which threads run (G4).
//
// A response remembers the newest Sequence at which it was found valid, so a hit compares one number while
// nothing is being invalidated. Memory is bounded: over `max_keys` the oldest knowledge is merged into one
// floor below which everything is dead (forgets more, never less). Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <unordered_map>

#include "storage/base/mutex.h"
#include "storage/stored_response.h"

namespace freshet::storage {

class Generations {
 public:
  // `first`: above every Sequence that any stored head carries.
  explicit Generations(Sequence first = 1, std::size_t max_keys = 1 << 20);

  // The Sequence of the newest invalidation; what a fill that begins now writes into `filled_at`.
  [[nodiscard]] Sequence current() const { return current_.load(std::memory_order_acquire); }

  // Invalidates one key (all its variants); returns the invalidation's Sequence. From its return on,
  // is_current() is false for everything that was filled before.
  Sequence invalidate(const CacheKey& key);

  // Whether nothing has invalidated the key since `filled_at`.
  [[nodiscard]] bool is_current(const CacheKey& key, Sequence filled_at) const;
  [[nodiscard]] bool is_current(const StoredHead& head) const { return is_current(head.key, head.filled_at); }
  // The same, remembered in the response.
  [[nodiscard]] bool is_current(const StoredResponse& response) const;

 private:
  static constexpr std::size_t kShards = 16;
  struct Shard {
    mutable Mutex mutex;
    std::unordered_map<Digest128, Sequence, Digest128Hash> newest GUARDED_BY(mutex);
    Sequence floor GUARDED_BY(mutex) = 0;
  };

  const std::size_t max_keys_per_shard_;
  std::atomic<Sequence> current_;
  std::array<Shard, kShards> shards_;
};

}  // namespace freshet::storage
