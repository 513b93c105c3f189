// Generations: what has been invalidated since when. Each invalidation has a number (Sequence); a stored
// response, or one that is still being filled, is dead where a hard invalidation of its URL, of a prefix of
// it, of its host, of one of its tags or of all is newer than the moment at which its origin request began
// (StoredHead::filled_at), and stale where a soft one is newer than its last validation (validated_at). So a
// fill or a disk read that began before an invalidation cannot bring the old response back, whatever the
// order in which threads run (G4).
//
// A response remembers what was said of it at which number, so a hit compares one number while nothing is
// being invalidated, and takes no lock. Else a look-up costs a few hash look-ups, whatever has been
// invalidated.
//
// Memory is bounded: over the budget the oldest URLs are merged into their hosts, then prefixes into theirs,
// tags into "every tag" and hosts into "all": that forgets more, never less. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <string_view>
#include <vector>

#include "storage/base/counters.h"
#include "storage/base/mutex.h"
#include "storage/invalidation/scope_record.h"
#include "storage/invalidation/scope_table.h"
#include "storage/stored_response.h"

namespace freshet::storage {

class Generations {
 public:
  // What one scope is counted as: entry, node and share of the buckets.
  static constexpr std::size_t kScopeCost = 128;

  // `first`: above every Sequence that any stored head carries. `counters` may be null.
  explicit Generations(Sequence first = 1, std::size_t memory = std::size_t{32} << 20U,
                       Counters* counters = nullptr);

  // Before anything is filled or invalidated: the first Sequence, above every one that a stored head carries;
  // and what a log has kept of earlier runs. From restore() on, merges of what is logged are kept for it.
  void begin_at(Sequence first) { current_.store(first, std::memory_order_release); }
  // Where the log comes late: both may be called when much was filled and invalidated already, if all of that
  // has numbers above those of the log. At least `least` is current then.
  void raise_to(Sequence least);
  void restore(std::vector<ScopeRecord> kept);

  // The Sequence of the newest invalidation; what a fill that begins now writes into `filled_at`.
  [[nodiscard]] Sequence current() const { return current_.load(std::memory_order_acquire); }

  // Invalidates one key (all its variants; where it is a plain URI, all keys of the URI), or all that carries
  // the tag; returns the invalidation's Sequence. From its return on, everything that was filled before is
  // dead.
  Sequence invalidate(const CacheKey& key);
  Sequence invalidate_tag(std::string_view tag);

  // From ahead() on, invalidations that are to be written before they are applied may be numbered: what
  // invalidate() gives meanwhile is smaller, for a while. apply(), of one number and with all its scopes,
  // puts them into effect at once, and the number is the current one. False: it is not above the current one
  // any more; nothing was done.
  [[nodiscard]] Sequence ahead() const { return current() + kAhead; }
  [[nodiscard]] bool apply(const std::vector<ScopeRecord>& records);

  // The newest number of a scope, published or not; 0: none is known.
  [[nodiscard]] Sequence newest_of(const ScopeName& name, Strength strength) const;

  // What logged scopes were merged into since the last call, and which are no more.
  struct Merged {
    std::vector<ScopeName> gone;
    std::vector<ScopeRecord> into;
  };
  [[nodiscard]] Merged take_merged();

  // Everything stored that is alive was filled at `hard_floor` or later, and validated at `soft_floor` or
  // later: what was invalidated up to then is forgotten. Whatever turns up and is older, a fill that was open
  // all the while, is taken for dead, or stale.
  void drop_older_than(Sequence hard_floor, Sequence soft_floor);

  [[nodiscard]] Standing standing(const StoredHead& head) const;
  // The same, remembered in the response.
  [[nodiscard]] Standing standing(const StoredResponse& response) const;
  // Before there is a head: kDead or kCurrent; of tags it knows nothing.
  [[nodiscard]] Standing standing_of_key(const CacheKey& key, Sequence filled_at) const;

  // Not dead.
  [[nodiscard]] bool is_current(const CacheKey& key, Sequence filled_at) const {
    return standing_of_key(key, filled_at) != Standing::kDead;
  }
  [[nodiscard]] bool is_current(const StoredHead& head) const { return standing(head) != Standing::kDead; }
  [[nodiscard]] bool is_current(const StoredResponse& response) const {
    return standing(response) != Standing::kDead;
  }

  [[nodiscard]] std::size_t scopes() const;

 private:
  class Comparison;
  static constexpr Sequence kAhead = Sequence{1} << 10U;
  static constexpr std::size_t kKinds = 5;

  [[nodiscard]] ScopeTable& table(ScopeKind kind) { return tables_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const ScopeTable& table(ScopeKind kind) const {
    return tables_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] Standing standing(const StoredHead& head, Sequence now) const;
  void compare_key(const CacheKey& key, Comparison& comparison) const;
  void compare_prefixes(const KeyParts& parts, Comparison& comparison) const;
  void put(const ScopeRecord& record, bool logged) REQUIRES(order_);
  void publish(Sequence sequence) REQUIRES(order_);
  void shrink() REQUIRES(order_);
  bool merge_oldest() REQUIRES(order_);
  void merge(const ScopeTable::Scope& oldest, ScopeKind from, const ScopeName& into) REQUIRES(order_);
  void count() REQUIRES(order_);

  const std::size_t max_scopes_;
  Counters* const counters_;
  std::array<ScopeTable, kKinds> tables_;
  std::atomic<Sequence> current_;
  // Bit n: a prefix that ends at the path's slash n is known.
  std::atomic<std::uint32_t> depths_{0};
  // Held by whoever changes a table; never for longer than one invalidation takes.
  mutable Mutex order_;
  Merged merged_ GUARDED_BY(order_);
  std::size_t counted_ GUARDED_BY(order_) = 0;
  bool logs_ GUARDED_BY(order_) = false;
};

}  // namespace freshet::storage
