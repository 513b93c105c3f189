#include "storage/invalidation/generations.h"

#include <algorithm>
#include <utility>

namespace freshet::storage {

namespace {

constexpr Digest128 kEvery{};  // "all", and every tag
constexpr Sequence kWhatever = ~Sequence{0};

bool is_pinned(const ScopeRecord& record) {
  return record.name.kind == ScopeKind::kAll || record.name.digest == kEvery;
}

// Which slash of the path a prefix ends at.
std::uint32_t depth_bit(std::string_view prefix) {
  const KeyParts parts = key_parts(prefix);
  const auto slashes =
      std::count(prefix.begin() + static_cast<std::ptrdiff_t>(parts.path), prefix.end(), '/');
  return 1U << static_cast<unsigned>(std::clamp<std::ptrdiff_t>(slashes - 1, 0, kMaxPrefixDepth - 1));
}

}  // namespace

// One response, or what will be one, against one scope after another.
class Generations::Comparison {
 public:
  Comparison(Sequence filled_at, Sequence validated_at, Sequence now)
      : filled_at_(filled_at), validated_at_(std::max(filled_at, validated_at)), now_(now) {}
  // Whether anything in the table could matter still.
  [[nodiscard]] bool asks(const ScopeTable& table) const {
    return !dead_ && table.size() > 0 && table.newest() > filled_at_;
  }
  void meet(const ScopeTable& table, const Digest128& name) {
    const ScopeTable::Numbers numbers = table.find(name, now_);
    dead_ = dead_ || filled_at_ < numbers.hard;
    stale_ = stale_ || validated_at_ < numbers.soft;
  }
  [[nodiscard]] Standing standing() const {
    if (dead_) return Standing::kDead;
    return stale_ ? Standing::kStale : Standing::kCurrent;
  }

 private:
  const Sequence filled_at_;
  const Sequence validated_at_;
  const Sequence now_;
  bool dead_ = false;
  bool stale_ = false;
};

Generations::Generations(Sequence first, std::size_t memory, Counters* counters)
    : max_scopes_(memory / kScopeCost), counters_(counters), current_(first) {}

void Generations::restore(std::vector<ScopeRecord> kept) {
  std::sort(kept.begin(), kept.end(),
            [](const ScopeRecord& a, const ScopeRecord& b) { return a.sequence < b.sequence; });
  const MutexLock lock(order_);
  logs_ = true;
  for (const ScopeRecord& record : kept) {
    put(record, true);
    if (record.sequence > current()) publish(record.sequence);
  }
  shrink();
}

void Generations::raise_to(Sequence least) {
  const MutexLock lock(order_);
  if (least > current()) publish(least);
}

Sequence Generations::invalidate(const CacheKey& key) {
  const ScopeRecord record{
      {ScopeKind::kUrl, key.digest}, Strength::kHard, 0, authority_digest(key_parts(key.text)), {}};
  const MutexLock lock(order_);
  ScopeRecord numbered = record;
  numbered.sequence = current() + 1;
  put(numbered, false);
  publish(numbered.sequence);
  shrink();
  return numbered.sequence;
}

Sequence Generations::invalidate_tag(std::string_view tag) {
  const Digest128 digest = digest128(tag);
  const MutexLock lock(order_);
  const Sequence sequence = current() + 1;
  put({{ScopeKind::kTag, digest}, Strength::kHard, sequence, {}, {}}, true);
  publish(sequence);
  shrink();
  return sequence;
}

bool Generations::apply(const std::vector<ScopeRecord>& records) {
  const MutexLock lock(order_);
  if (records.empty()) return true;
  if (records.front().sequence <= current()) return false;
  for (const ScopeRecord& record : records) put(record, true);
  publish(records.front().sequence);
  shrink();
  return true;
}

void Generations::put(const ScopeRecord& record, bool logged) {
  if (record.name.kind == ScopeKind::kPrefix) {
    // Of a prefix without a text nothing is known but that it is one.
    const std::uint32_t bits = record.text.empty() ? ~0U : depth_bit(record.text);
    depths_.fetch_or(bits, std::memory_order_relaxed);
  }
  table(record.name.kind).put(record, logged && logs_, is_pinned(record));
}

// Who sees the new number finds the scopes that were put before.
void Generations::publish(Sequence sequence) {
  current_.store(sequence, std::memory_order_release);
}

void Generations::shrink() {
  while (scopes() > max_scopes_ && merge_oldest()) {
  }
  count();
}

bool Generations::merge_oldest() {
  for (const ScopeKind kind : {ScopeKind::kUrl, ScopeKind::kPrefix, ScopeKind::kTag, ScopeKind::kHost}) {
    const std::optional<ScopeTable::Scope> oldest = table(kind).oldest();
    if (!oldest) continue;
    ScopeName into{ScopeKind::kAll, kEvery};
    if (kind == ScopeKind::kTag) into.kind = ScopeKind::kTag;
    if (kind == ScopeKind::kUrl || kind == ScopeKind::kPrefix) into = {ScopeKind::kHost, oldest->host};
    merge(*oldest, kind, into);
    return true;
  }
  return false;
}

// Into the wider one first: in between both are in effect.
void Generations::merge(const ScopeTable::Scope& oldest, ScopeKind from, const ScopeName& into) {
  table(into.kind).raise(into.digest, oldest.numbers, oldest.logged, into.digest == kEvery);
  table(from).erase(oldest.name);
  if (counters_ != nullptr) counters_->add(Counter::kScopesMerged);
  if (!oldest.logged) return;
  merged_.gone.push_back({from, oldest.name});
  // As great as they are there: what the log has of it must not become smaller.
  const auto [hard, soft] = table(into.kind).find(into.digest, kWhatever);
  if (hard != 0) merged_.into.push_back({into, Strength::kHard, hard, {}, {}});
  if (soft != 0) merged_.into.push_back({into, Strength::kSoft, soft, {}, {}});
}

Sequence Generations::newest_of(const ScopeName& name, Strength strength) const {
  const ScopeTable::Numbers numbers = table(name.kind).find(name.digest, kWhatever);
  return strength == Strength::kHard ? numbers.hard : numbers.soft;
}

Generations::Merged Generations::take_merged() {
  const MutexLock lock(order_);
  return std::exchange(merged_, {});
}

void Generations::drop_older_than(Sequence hard_floor, Sequence soft_floor) {
  hard_floor = std::min(hard_floor, current());
  soft_floor = std::min(soft_floor, current());
  {
    const MutexLock lock(order_);
    table(ScopeKind::kAll).raise(kEvery, {hard_floor, soft_floor}, false, true);
  }
  for (ScopeTable& each : tables_) {
    if (&each == &table(ScopeKind::kAll)) continue;
    for (std::size_t shard = 0; shard < ScopeTable::kShards; ++shard) {
      const MutexLock lock(order_);
      each.drop(shard, hard_floor, soft_floor);
    }
  }
  const MutexLock lock(order_);
  count();
}

std::size_t Generations::scopes() const {
  std::size_t sum = 0;
  for (const ScopeTable& each : tables_) sum += each.size();
  return sum;
}

void Generations::count() {
  const std::size_t now = scopes();
  if (counters_ != nullptr && now != counted_) {
    counters_->add(Counter::kScopesKept,
                   static_cast<std::int64_t>(now) - static_cast<std::int64_t>(counted_));
  }
  counted_ = now;
}

// From the narrow to the wide, the way that scopes go when they are merged: what is not there any more is
// where we have not looked yet.
void Generations::compare_key(const CacheKey& key, Comparison& comparison) const {
  const ScopeTable& urls = table(ScopeKind::kUrl);
  if (comparison.asks(urls)) {
    comparison.meet(urls, key.digest);
    const std::string_view uri = std::string_view(key.text).substr(0, key.text.find('#'));
    if (uri.size() != key.text.size()) comparison.meet(urls, digest128(uri));
  }
  const ScopeTable& prefixes = table(ScopeKind::kPrefix);
  const ScopeTable& hosts = table(ScopeKind::kHost);
  const bool asks_prefixes = comparison.asks(prefixes);
  if (asks_prefixes || comparison.asks(hosts)) {
    const KeyParts parts = key_parts(key.text);
    if (asks_prefixes) compare_prefixes(parts, comparison);
    if (comparison.asks(hosts)) {
      comparison.meet(hosts, host_digest(parts));
      comparison.meet(hosts, authority_digest(parts));
    }
  }
  const ScopeTable& all = table(ScopeKind::kAll);
  if (comparison.asks(all)) comparison.meet(all, kEvery);
}

void Generations::compare_prefixes(const KeyParts& parts, Comparison& comparison) const {
  const ScopeTable& prefixes = table(ScopeKind::kPrefix);
  const std::uint32_t depths = depths_.load(std::memory_order_relaxed);
  std::size_t depth = 0;
  for (std::size_t at = parts.path; at < parts.path_end && depth < kMaxPrefixDepth; ++at) {
    if (parts.uri[at] != '/') continue;
    if ((depths >> depth++ & 1U) != 0) comparison.meet(prefixes, digest128(parts.uri.substr(0, at + 1)));
  }
}

Standing Generations::standing_of_key(const CacheKey& key, Sequence filled_at) const {
  Comparison comparison(filled_at, filled_at, current());
  compare_key(key, comparison);
  return comparison.standing() == Standing::kDead ? Standing::kDead : Standing::kCurrent;
}

Standing Generations::standing(const StoredHead& head) const {
  return standing(head, current());
}

Standing Generations::standing(const StoredHead& head, Sequence now) const {
  Comparison comparison(head.filled_at, head.validated_at, now);
  compare_key(head.key, comparison);
  const ScopeTable& tags = table(ScopeKind::kTag);
  if (head.tags.empty() || !comparison.asks(tags)) return comparison.standing();
  for (const std::string& tag : head.tags) comparison.meet(tags, digest128(tag));
  comparison.meet(tags, kEvery);
  return comparison.standing();
}

Standing Generations::standing(const StoredResponse& response) const {
  const Sequence now = current();
  if (const auto known = response.remembered(now)) return *known;
  const Standing found = standing(response.head(), now);
  response.remember(now, found);
  return found;
}

}  // namespace freshet::storage
