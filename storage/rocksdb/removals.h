// Removals: what has been removed and is not yet deleted on disk. remove() takes effect for look-ups at once,
// here; the deletes follow on the io pool. Also tells a look-up whether a removal landed while it was
// reading, so that the removal wins over a slow read.
//
// Tickets order removals and writes: a write that was begun with a lower ticket than its key's removal is not
// made. Any thread; each call holds one shard's lock for a look into a small map.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "storage/base/hash.h"
#include "storage/base/mutex.h"

namespace freshet::storage {

class Removals {
 public:
  using Ticket = std::uint64_t;

  // A number above all that were given before.
  [[nodiscard]] Ticket next_ticket() { return tickets_.fetch_add(1, std::memory_order_relaxed) + 1; }

  // All variants of the key are gone from now on, until applied(key, ticket).
  Ticket remove_all(const Digest128& key);
  // One body is gone from now on, until applied(key, body_id).
  void remove_body(const Digest128& key, std::uint64_t body_id);
  void applied(const Digest128& key, Ticket ticket);
  void body_applied(const Digest128& key, std::uint64_t body_id);

  // What a look-up notes before it reads.
  struct View {
    bool all_gone = false;
    std::uint64_t epoch = 0;
    std::vector<std::uint64_t> bodies_gone;
  };
  [[nodiscard]] View view(const Digest128& key) const;
  // True when nothing of this key's shard was removed since the view was taken.
  [[nodiscard]] bool unchanged(const Digest128& key, const View& view) const;

  // Whether a write with this ticket comes before a removal of its key.
  [[nodiscard]] bool supersedes(const Digest128& key, Ticket ticket) const;

 private:
  struct Gone {
    Ticket all = 0;  // 0: not removed as a whole
    std::vector<std::uint64_t> bodies;
  };
  struct Shard {
    mutable Mutex mutex;
    std::uint64_t epoch GUARDED_BY(mutex) = 0;
    std::unordered_map<Digest128, Gone, Digest128Hash> gone GUARDED_BY(mutex);
  };

  [[nodiscard]] Shard& shard(const Digest128& key) { return shards_[key.high % shards_.size()]; }
  [[nodiscard]] const Shard& shard(const Digest128& key) const { return shards_[key.high % shards_.size()]; }

  std::atomic<Ticket> tickets_{0};
  std::array<Shard, 64> shards_;
};

}  // namespace freshet::storage
