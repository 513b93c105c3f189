#include "revalidate/flight_table.h"

#include <utility>

#include "revalidate/policy/selection.h"

namespace freshet::revalidate {

using storage::Counter;
using storage::MutexLock;

namespace {

bool take_place(std::atomic<std::size_t>& taken, std::size_t most) {
  if (taken.fetch_add(1, std::memory_order_relaxed) < most) return true;
  taken.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

}  // namespace

FlightTable::FlightTable(FlightTableOptions options) : options_(options) {}

bool FlightTable::take_fill(const FlightContext& context) {
  return !context.fill_budget.overdrawn() && take_place(fills_, options_.max_fills);
}

KeyMemory FlightTable::recall(const storage::CacheKey& key, storage::MonoTime now) const {
  const Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  const auto known = shard.remembered.find(key.digest);
  if (known == shard.remembered.end()) return {};
  const Remembered& of_key = known->second;
  return {of_key.varies_by, now < of_key.not_shareable_until, of_key.hints, of_key.has_beginning};
}

void FlightTable::remember_beginning(const storage::CacheKey& key) {
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  known_locked(shard, key).has_beginning = true;
}

FlightTable::Remembered& FlightTable::known_locked(Shard& shard, const storage::CacheKey& key) {
  const auto known = shard.remembered.find(key.digest);
  if (known != shard.remembered.end()) return known->second;
  // What is forgotten costs one more request to the origin, nothing else.
  if (shard.remembered.size() >= options_.max_remembered / kShards) {
    shard.remembered.clear();
    shard.hint_bytes = 0;
  }
  return shard.remembered[key.digest];
}

void FlightTable::remember_vary(const storage::CacheKey& key, const storage::SelectingFields& fields) {
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  if (!fields.empty()) {
    Remembered& known = known_locked(shard, key);
    known.varies_by = fields;
    known.not_shareable_until = {};
    known.has_beginning = false;
    return;
  }
  // The common case: nothing to learn, and nothing that an earlier answer taught.
  const auto place = shard.remembered.find(key.digest);
  if (place == shard.remembered.end()) return;
  Remembered& known = place->second;
  known.varies_by.reset();
  known.not_shareable_until = {};
  known.has_beginning = false;
  if (!known.forced_at && !known.hints) shard.remembered.erase(place);
}

void FlightTable::remember_not_shareable(const storage::CacheKey& key, storage::MonoTime now) {
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  known_locked(shard, key).not_shareable_until = now + options_.not_shareable_for;
}

void FlightTable::remember_hints(const storage::CacheKey& key, storage::HeaderFields fields) {
  std::shared_ptr<const storage::HeaderFields> hints;
  const std::size_t size = fields.wire().size();
  if (size > 0 && size <= kMostHintBytes) {
    hints = std::make_shared<const storage::HeaderFields>(std::move(fields));
  }
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  if (!hints && shard.remembered.count(key.digest) == 0) return;
  Remembered& known = known_locked(shard, key);
  if (known.hints) shard.hint_bytes -= known.hints->wire().size();
  known.hints.reset();
  if (!hints) return;
  if (shard.hint_bytes + size > kMostHintBytesOfShard) forget_hints_locked(shard);
  known.hints = std::move(hints);
  shard.hint_bytes += size;
}

void FlightTable::forget_hints_locked(Shard& shard) {
  if (shard.hint_bytes == 0) return;
  for (auto& each : shard.remembered) each.second.hints.reset();
  shard.hint_bytes = 0;
}

void FlightTable::forget_hints() {
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    forget_hints_locked(shard);
  }
}

bool FlightTable::may_force(const storage::CacheKey& key, storage::MonoTime now,
                            storage::Milliseconds interval) {
  Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  Remembered& known = known_locked(shard, key);
  // Another worker's clock may be a turn ahead of this one's.
  if (known.forced_at && now - *known.forced_at < interval) return false;
  known.forced_at = now;
  return true;
}

bool FlightTable::could_force(const storage::CacheKey& key, storage::MonoTime now,
                              storage::Milliseconds interval) const {
  const Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  const auto known = shard.remembered.find(key.digest);
  if (known == shard.remembered.end() || !known->second.forced_at) return true;
  return now - *known->second.forced_at >= interval;
}

storage::Digest128 FlightTable::slot_of(const storage::CacheKey& key,
                                        const storage::RequestHead& request) const {
  const Shard& shard = shard_of(key);
  std::optional<storage::SelectingFields> varies_by;
  {
    const MutexLock lock(shard.mutex);
    const auto known = shard.remembered.find(key.digest);
    if (known != shard.remembered.end()) varies_by = known->second.varies_by;
  }
  if (!varies_by) return key.digest;
  const storage::Digest128 variant = storage::variant_digest(selecting_fields_like(*varies_by, request));
  return {key.digest.high ^ variant.high, key.digest.low ^ variant.low};
}

bool FlightTable::in_progress(const storage::CacheKey& key, const storage::RequestHead& request) const {
  const storage::Digest128 slot = slot_of(key, request);
  const Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  return shard.flights.count(slot) > 0;
}

// Where more have ended than it remembers, this one may have been among them.
bool FlightTable::Shard::ended_since_locked(const storage::CacheKey& key,
                                            std::optional<std::uint64_t> looked_up_at) const {
  if (!looked_up_at) return false;
  const std::uint64_t now = ended.load(std::memory_order_relaxed);
  if (now - *looked_up_at > kRemembersEnded) return true;
  for (std::uint64_t each = *looked_up_at; each < now; ++each) {
    if (last_ended[each % kRemembersEnded] == key.digest) return true;
  }
  return false;
}

FlightTable::Joined FlightTable::join_or_start(FlightRequest request, FlightContext& context,
                                               FlightWaiter waiter) {
  if (!take_place(waiters_, options_.max_waiters)) return refused(context, Counter::kWaitersRefused);
  const storage::Digest128 slot = slot_of(request.key, request.request);
  Shard& shard = shard_of(request.key);
  std::shared_ptr<Flight> overtaken;  // released outside the lock
  Joined joined;
  {
    const MutexLock lock(shard.mutex);
    const auto place = shard.flights.find(slot);
    if (place != shard.flights.end() && place->second->key() == request.key) {
      joined.ticket = place->second->join(waiter);
      if (joined.ticket) return joined;
      // On its way out of the table: what it has stored is there already.
      joined.look_again = request.looked_up_at && place->second->has_ended();
    }
    joined.look_again = joined.look_again || shard.ended_since_locked(request.key, request.looked_up_at);
    if (!joined.look_again && take_fill(context)) {
      joined.started = std::make_shared<Flight>(std::move(request), context, slot);
      joined.ticket = joined.started->join_as_starter(std::move(waiter));
      overtaken = std::exchange(shard.flights[slot], joined.started);
    }
  }
  if (!joined.started) {
    give_waiter();
    return joined.look_again ? std::move(joined) : refused(context, Counter::kFillsRefused);
  }
  joined.started->start();
  return joined;
}

FlightTable::Joined FlightTable::start_alone(FlightRequest request, FlightContext& context,
                                             FlightWaiter waiter) {
  if (!take_place(waiters_, options_.max_waiters)) return refused(context, Counter::kWaitersRefused);
  if (!take_fill(context)) {
    give_waiter();
    return refused(context, Counter::kFillsRefused);
  }
  request.may_join = false;
  Joined joined;
  joined.started = std::make_shared<Flight>(std::move(request), context);
  joined.ticket = joined.started->join_as_starter(std::move(waiter));
  joined.started->start();
  return joined;
}

void FlightTable::start_background(FlightRequest request, FlightContext& context) {
  const storage::Digest128 slot = slot_of(request.key, request.request);
  Shard& shard = shard_of(request.key);
  std::shared_ptr<Flight> started;
  {
    const MutexLock lock(shard.mutex);
    if (shard.flights.count(slot) > 0) return;
    if (shard.ended_since_locked(request.key, request.looked_up_at) || !take_fill(context)) return;
    started = std::make_shared<Flight>(std::move(request), context, slot);
    shard.flights[slot] = started;
  }
  started->start();
}

FlightTable::Joined FlightTable::refused(FlightContext& context, Counter counter) {
  context.counters.add(counter);
  return {};
}

bool FlightTable::holds(const Flight& flight) const {
  const Shard& shard = shard_of(flight.key());
  const MutexLock lock(shard.mutex);
  const auto place = shard.flights.find(flight.slot());
  return place != shard.flights.end() && place->second.get() == &flight;
}

void FlightTable::forget(const Flight& flight) {
  Shard& shard = shard_of(flight.key());
  std::shared_ptr<Flight> released;
  const MutexLock lock(shard.mutex);
  const auto place = shard.flights.find(flight.slot());
  if (place == shard.flights.end() || place->second.get() != &flight) return;
  released = std::move(place->second);
  shard.flights.erase(place);
  const std::uint64_t number = shard.ended.load(std::memory_order_relaxed);
  shard.last_ended[number % kRemembersEnded] = flight.key().digest;
  shard.ended.store(number + 1, std::memory_order_release);
}

}  // namespace freshet::revalidate
