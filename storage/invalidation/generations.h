// Generations: what has been invalidated since when. Each invalidation takes the next Sequence; a stored
// response, or one that is still being filled, is dead where an invalidation of its key, or of one of its
// tags, is newer than the moment at which its origin request began (StoredHead::filled_at). So a fill or a
// disk read that began before an invalidation cannot bring the old response back, whatever the order in which
// threads run (G4).
//
// A response remembers the newest Sequence at which it was found valid, so a hit compares one number while
// nothing is being invalidated. Memory is bounded: over `max_keys`, or `max_tags`, the oldest knowledge is
// merged into a floor below which everything (or everything that has a tag) is dead: forgets more, never
// less. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <string_view>
#include <unordered_map>

#include "storage/base/mutex.h"
#include "storage/invalidation/scope.h"
#include "storage/response_store.h"
#include "storage/stored_response.h"

namespace freshet::storage {

class Generations {
 public:
  // `first`: above every Sequence that any stored head carries.
  explicit Generations(Sequence first = 1, std::size_t max_keys = 1 << 20, std::size_t max_tags = 1 << 16);

  // Before anything is filled or invalidated: the first Sequence, above every one that a stored head carries.
  void begin_at(Sequence first) { current_.store(first, std::memory_order_release); }
  // Before anything is served: what a store has kept of earlier runs.
  void restore(const TagInvalidations& kept);

  // The Sequence of the newest invalidation; what a fill that begins now writes into `filled_at`.
  [[nodiscard]] Sequence current() const { return current_.load(std::memory_order_acquire); }

  // Invalidates one key (all its variants), or all that carries the tag; returns the invalidation's
  // Sequence. From its return on, is_current() is false for everything that was filled before.
  Sequence invalidate(const CacheKey& key) { return keys_.invalidate(key.digest, current_); }
  Sequence invalidate_tag(std::string_view tag) { return tags_.invalidate(digest128(tag), current_); }

  // Whether nothing has invalidated the key since `filled_at`; of tags it knows nothing.
  [[nodiscard]] bool is_current(const CacheKey& key, Sequence filled_at) const {
    return keys_.is_current(key.digest, filled_at);
  }
  // The same for a whole head, tags included.
  [[nodiscard]] bool is_current(const StoredHead& head) const;
  // The same, remembered in the response.
  [[nodiscard]] bool is_current(const StoredResponse& response) const;
  [[nodiscard]] Standing standing(const StoredResponse& response) const {
    return is_current(response) ? Standing::kCurrent : Standing::kDead;
  }
  [[nodiscard]] Standing standing(const StoredHead& head) const {
    return is_current(head) ? Standing::kCurrent : Standing::kDead;
  }
  [[nodiscard]] Standing standing_of_key(const CacheKey& key, Sequence filled_at) const {
    return is_current(key, filled_at) ? Standing::kCurrent : Standing::kDead;
  }

 private:
  // The newest invalidation of each name.
  class Table {
   public:
    explicit Table(std::size_t max_names) : max_names_per_shard_(max_names / kShards + 1) {}
    Sequence invalidate(const Digest128& name, std::atomic<Sequence>& current);
    void restore(const Digest128& name, Sequence sequence);
    void raise_floor(Sequence sequence);
    [[nodiscard]] bool is_current(const Digest128& name, Sequence filled_at) const;

   private:
    static constexpr std::size_t kShards = 16;
    struct Shard {
      mutable Mutex mutex;
      std::unordered_map<Digest128, Sequence, Digest128Hash> newest GUARDED_BY(mutex);
      Sequence floor GUARDED_BY(mutex) = 0;
    };
    [[nodiscard]] Shard& shard_of(const Digest128& name) { return shards_[name.high % kShards]; }

    const std::size_t max_names_per_shard_;
    std::array<Shard, kShards> shards_;
  };

  std::atomic<Sequence> current_;
  Table keys_;
  Table tags_;
};

}  // namespace freshet::storage
