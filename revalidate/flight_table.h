// FlightTable: the flights that can be joined, by key and variant, over all workers; and what each key's
// last answers taught us: what it varies by, whether its answers were not shareable lately, which early
// hints came before them, and when a client last forced its validation. With neither of the first two known,
// requests join by key alone.
//
// A flight stays in the table from its start to its end. One that an invalidation has overtaken is not
// joined: the request starts a new one, and the older serves only its earlier waiters (G5). One that has
// ended since a request looked into the store may have left there what the request did not find: the table
// remembers the last that ended, and has the request look again before it starts another. Memory is bounded.
// Any thread; sharded by key. Lock order: a shard of this, then a flight, then a fill.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_map>

#include "revalidate/flight.h"
#include "revalidate/origin_contacts.h"
#include "storage/base/mutex.h"

namespace freshet::revalidate {

struct FlightTableOptions {
  std::size_t max_waiters = 100'000;  // over all flights
  std::size_t max_fills = 4'096;      // flights in progress
  storage::Milliseconds not_shareable_for{10'000};
  std::size_t max_remembered = 65'536;  // keys
};

// What is known of a key.
struct KeyMemory {
  std::optional<storage::SelectingFields> varies_by;  // names, and values of some earlier request
  bool not_shareable = false;
  // The fields of the last 103 (RFC 8297); null: none.
  std::shared_ptr<const storage::HeaderFields> early_hints;
  bool has_beginning = false;  // a part that begins at 0 is stored
};

class FlightTable {
 public:
  explicit FlightTable(FlightTableOptions options);

  [[nodiscard]] KeyMemory recall(const storage::CacheKey& key, storage::MonoTime now) const;
  // Of what has been stored whole.
  void remember_vary(const storage::CacheKey& key, const storage::SelectingFields& fields);
  void remember_beginning(const storage::CacheKey& key);
  void remember_not_shareable(const storage::CacheKey& key, storage::MonoTime now);
  // Replaces the last ones; no fields, or more than kMostHintBytes of them: forgets them.
  void remember_hints(const storage::CacheKey& key, storage::HeaderFields fields);
  // Of all keys: what an operator has had forgotten must not be hinted at.
  void forget_hints();
  // Whether a client may force a validation of this key now: true, and remembered, where the last that was
  // forced is at least `interval` ago or nothing is known of one (RFC 9111, 5.2.1: its directives are
  // advisory).
  [[nodiscard]] bool may_force(const storage::CacheKey& key, storage::MonoTime now,
                               storage::Milliseconds interval);
  // The same, and nothing is remembered.
  [[nodiscard]] bool could_force(const storage::CacheKey& key, storage::MonoTime now,
                                 storage::Milliseconds interval) const;

  static constexpr std::size_t kMostHintBytes = 4 * 1024;  // of one key

  // How many flights have ended near this key: for FlightRequest::looked_up_at. One load.
  [[nodiscard]] std::uint64_t ended(const storage::CacheKey& key) const {
    return shard_of(key).ended.load(std::memory_order_acquire);
  }

  struct Joined {
    std::unique_ptr<Flight::Ticket> ticket;  // null: a bound is reached, or look again
    std::shared_ptr<Flight> started;         // null: joined one that was in progress
    bool look_again = false;                 // a flight of this key has ended since `looked_up_at`
  };
  // Joins the flight for `request.key` (and, where the key is known to vary, this request's values), or
  // starts one on `context`'s worker, where the caller is.
  [[nodiscard]] Joined join_or_start(FlightRequest request, FlightContext& context, FlightWaiter waiter);
  // A flight that nobody else joins.
  [[nodiscard]] Joined start_alone(FlightRequest request, FlightContext& context, FlightWaiter waiter);
  // A validation without a waiter; nothing happens where one is in progress, or has ended since
  // `looked_up_at`.
  void start_background(FlightRequest request, FlightContext& context);

  // Whether one is in progress that this request could join.
  [[nodiscard]] bool in_progress(const storage::CacheKey& key, const storage::RequestHead& request) const;

  // From the flight itself, at its end.
  void forget(const Flight& flight);
  // Whether it can be joined still: no other has taken its place.
  [[nodiscard]] bool holds(const Flight& flight) const;

  // What came of the last requests to the origin.
  [[nodiscard]] OriginContacts& contacts() { return contacts_; }
  [[nodiscard]] const OriginContacts& contacts() const { return contacts_; }

  // Bounds: a ticket holds the place of a waiter, a flight in progress that of a fill.
  [[nodiscard]] std::size_t waiters() const { return waiters_.load(std::memory_order_relaxed); }
  void give_waiter() { waiters_.fetch_sub(1, std::memory_order_relaxed); }
  void give_fill() { fills_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kMostHintBytesOfShard = 128 * 1024;
  static constexpr std::size_t kRemembersEnded = 32;
  struct Remembered {
    std::optional<storage::SelectingFields> varies_by;
    storage::MonoTime not_shareable_until{};
    std::optional<storage::MonoTime> forced_at;
    std::shared_ptr<const storage::HeaderFields> hints;
    bool has_beginning = false;
  };
  struct Shard {
    mutable storage::Mutex mutex;
    std::unordered_map<storage::Digest128, std::shared_ptr<Flight>, storage::Digest128Hash> flights
        GUARDED_BY(mutex);
    std::unordered_map<storage::Digest128, Remembered, storage::Digest128Hash> remembered GUARDED_BY(mutex);
    std::size_t hint_bytes GUARDED_BY(mutex) = 0;
    // Flights that were in the table and are not any more, and the keys of the last of them. Changed under
    // the mutex, when a look-up finds what the flight has stored.
    std::atomic<std::uint64_t> ended{0};
    std::array<storage::Digest128, kRemembersEnded> last_ended GUARDED_BY(mutex){};

    [[nodiscard]] bool ended_since_locked(const storage::CacheKey& key,
                                          std::optional<std::uint64_t> looked_up_at) const REQUIRES(mutex);
  };

  [[nodiscard]] Shard& shard_of(const storage::CacheKey& key) { return shards_[key.digest.high % kShards]; }
  [[nodiscard]] const Shard& shard_of(const storage::CacheKey& key) const {
    return shards_[key.digest.high % kShards];
  }
  [[nodiscard]] storage::Digest128 slot_of(const storage::CacheKey& key,
                                           const storage::RequestHead& request) const;
  // A place for one more flight, as their number and the memory of all fills allow.
  [[nodiscard]] bool take_fill(const FlightContext& context);
  [[nodiscard]] static Joined refused(FlightContext& context, storage::Counter counter);
  static void forget_hints_locked(Shard& shard) REQUIRES(shard.mutex);
  [[nodiscard]] Remembered& known_locked(Shard& shard, const storage::CacheKey& key) REQUIRES(shard.mutex);

  const FlightTableOptions options_;
  std::atomic<std::size_t> waiters_{0};
  std::atomic<std::size_t> fills_{0};
  std::array<Shard, kShards> shards_;
  OriginContacts contacts_;
};

}  // namespace freshet::revalidate
