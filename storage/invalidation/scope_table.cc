#include "storage/invalidation/scope_table.h"

#include <algorithm>

namespace freshet::storage {

void ScopeTable::Level::put(Sequence sequence) {
  if (sequence <= value) return;
  before = value;
  value = sequence;
}

void ScopeTable::Level::raise(Sequence published) {
  before = std::max(before, published);
  value = std::max(value, published);
}

ScopeTable::Numbers ScopeTable::find(const Digest128& name, Sequence now) const {
  const Shard& shard = shards_[name.high % kShards];
  const MutexLock lock(shard.mutex);
  const auto found = shard.entries.find(name);
  if (found == shard.entries.end()) return {};
  return {found->second.hard.as_of(now), found->second.soft.as_of(now)};
}

void ScopeTable::put(const ScopeRecord& record, bool logged, bool pinned) {
  Shard& shard = shard_of(record.name.digest);
  const MutexLock lock(shard.mutex);
  const auto [place, added] = shard.entries.try_emplace(record.name.digest);
  if (added) size_.fetch_add(1, std::memory_order_relaxed);
  Node& node = *place;
  Entry& entry = node.second;
  (record.strength == Strength::kHard ? entry.hard : entry.soft).put(record.sequence);
  entry.host = record.host;
  entry.logged = entry.logged || logged;
  touch(node, pinned);
  note(record.sequence);
}

void ScopeTable::raise(const Digest128& name, const Numbers& numbers, bool logged, bool pinned) {
  Shard& shard = shard_of(name);
  const MutexLock lock(shard.mutex);
  const auto [place, added] = shard.entries.try_emplace(name);
  if (added) size_.fetch_add(1, std::memory_order_relaxed);
  Node& node = *place;
  node.second.hard.raise(numbers.hard);
  node.second.soft.raise(numbers.soft);
  node.second.logged = node.second.logged || logged;
  touch(node, pinned);
  note(std::max(numbers.hard, numbers.soft));
}

std::optional<ScopeTable::Scope> ScopeTable::oldest() const {
  if (oldest_ == nullptr) return std::nullopt;
  const Entry& entry = oldest_->second;
  return Scope{oldest_->first, {entry.hard.value, entry.soft.value}, entry.host, entry.logged};
}

void ScopeTable::erase(const Digest128& name) {
  Shard& shard = shard_of(name);
  const MutexLock lock(shard.mutex);
  const auto found = shard.entries.find(name);
  if (found == shard.entries.end()) return;
  unlink(*found);
  shard.entries.erase(found);
  size_.fetch_sub(1, std::memory_order_release);
}

std::size_t ScopeTable::drop(std::size_t shard_number, Sequence hard_floor, Sequence soft_floor) {
  Shard& shard = shards_[shard_number];
  const MutexLock lock(shard.mutex);
  std::size_t dropped = 0;
  for (auto at = shard.entries.begin(); at != shard.entries.end();) {
    const Entry& entry = at->second;
    if (entry.hard.value > hard_floor || entry.soft.value > soft_floor) {
      ++at;
      continue;
    }
    unlink(*at);
    at = shard.entries.erase(at);
    ++dropped;
  }
  size_.fetch_sub(dropped, std::memory_order_release);
  return dropped;
}

void ScopeTable::touch(Node& node, bool pinned) {
  unlink(node);
  if (pinned) return;
  node.second.listed = true;
  node.second.older = newest_node_;
  (newest_node_ != nullptr ? newest_node_->second.newer : oldest_) = &node;
  newest_node_ = &node;
}

void ScopeTable::unlink(Node& node) {
  Entry& entry = node.second;
  if (!entry.listed) return;
  (entry.older != nullptr ? entry.older->second.newer : oldest_) = entry.newer;
  (entry.newer != nullptr ? entry.newer->second.older : newest_node_) = entry.older;
  entry.older = entry.newer = nullptr;
  entry.listed = false;
}

void ScopeTable::note(Sequence sequence) {
  if (sequence > newest()) newest_.store(sequence, std::memory_order_relaxed);
}

}  // namespace freshet::storage
