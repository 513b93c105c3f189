#include "storage/rocksdb/removals.h"

#include <algorithm>

namespace freshet::storage {

Removals::Ticket Removals::remove_all(const Digest128& key) {
  Shard& place = shard(key);
  const MutexLock lock(place.mutex);
  const Ticket ticket = next_ticket();
  ++place.epoch;
  place.gone[key].all = ticket;
  return ticket;
}

void Removals::remove_body(const Digest128& key, std::uint64_t body_id) {
  Shard& place = shard(key);
  const MutexLock lock(place.mutex);
  ++place.epoch;
  place.gone[key].bodies.push_back(body_id);
}

void Removals::applied(const Digest128& key, Ticket ticket) {
  Shard& place = shard(key);
  const MutexLock lock(place.mutex);
  const auto found = place.gone.find(key);
  if (found == place.gone.end() || found->second.all != ticket) return;  // a newer removal waits
  found->second.all = 0;
  if (found->second.bodies.empty()) place.gone.erase(found);
}

void Removals::body_applied(const Digest128& key, std::uint64_t body_id) {
  Shard& place = shard(key);
  const MutexLock lock(place.mutex);
  const auto found = place.gone.find(key);
  if (found == place.gone.end()) return;
  std::vector<std::uint64_t>& bodies = found->second.bodies;
  const auto body = std::find(bodies.begin(), bodies.end(), body_id);
  if (body != bodies.end()) bodies.erase(body);
  if (bodies.empty() && found->second.all == 0) place.gone.erase(found);
}

Removals::View Removals::view(const Digest128& key) const {
  const Shard& place = shard(key);
  const MutexLock lock(place.mutex);
  View view;
  view.epoch = place.epoch;
  const auto found = place.gone.find(key);
  if (found != place.gone.end()) {
    view.all_gone = found->second.all != 0;
    view.bodies_gone = found->second.bodies;
  }
  return view;
}

bool Removals::unchanged(const Digest128& key, const View& view) const {
  const Shard& place = shard(key);
  const MutexLock lock(place.mutex);
  return place.epoch == view.epoch;
}

bool Removals::supersedes(const Digest128& key, Ticket ticket) const {
  const Shard& place = shard(key);
  const MutexLock lock(place.mutex);
  const auto found = place.gone.find(key);
  return found != place.gone.end() && found->second.all > ticket;
}

}  // namespace freshet::storage
