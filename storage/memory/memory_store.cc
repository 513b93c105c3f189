#include "storage/memory/memory_store.h"

#include <algorithm>
#include <utility>

namespace freshet::storage {

namespace {

// The list node, the index node and the set itself; measured once, near enough for a budget.
constexpr std::size_t kEntryOverhead = 192;

std::size_t size_of(const VariantSet& variants) {
  std::size_t size = kEntryOverhead + variants.capacity() * sizeof(StoredResponsePtr);
  for (auto each = variants.begin(); each != variants.end(); ++each) {
    const auto& body = (*each)->body();
    size += (*each)->memory_size();
    // A body that several share is there once.
    if (std::any_of(variants.begin(), each, [&](const auto& other) { return other->body() == body; }))
      size -= body->memory_size();
  }
  return size;
}

// What was read from disk at different times has different objects for one body.
bool shares_body(const StoredResponse& a, const StoredResponse& b) {
  return a.body() == b.body() || (a.head().body_id != 0 && a.head().body_id == b.head().body_id);
}

void newest_first(VariantSet& variants) {
  std::stable_sort(variants.begin(), variants.end(), [](const auto& a, const auto& b) {
    return a->head().response_time > b->head().response_time;
  });
}

}  // namespace

// Nothing is kept before commit(), which needs the whole body.
class MemoryStore::Writer final : public StoreWriter {
 public:
  Writer(MemoryStore& store) : store_(store) {}  // NOLINT(google-explicit-constructor)

  bool append(const Chunk& chunk) override {
    size_ += chunk.size();
    return size_ <= store_.max_response();
  }
  [[nodiscard]] std::uint64_t readable() const override { return 0; }
  [[nodiscard]] std::shared_ptr<const StoredBody> written_body() const override { return nullptr; }

  void commit(StoredHead head, std::optional<ChunkList> whole, Executor& /*executor*/,
              std::function<void(bool)> visible) override {
    bool stored = false;
    if (whole) {
      stored = store_.put(std::make_shared<const StoredResponse>(
                              std::move(head), make_memory_body(std::move(*whole)), store_.describe_),
                          true);
    }
    visible(stored);
  }

 private:
  MemoryStore& store_;
  std::size_t size_ = 0;
};

MemoryStore::MemoryStore(MemoryStoreOptions options, Describe describe, Counters& counters)
    : options_(options), describe_(std::move(describe)), counters_(counters) {
  if (options_.max_response == 0) options_.max_response = options_.budget / 8;
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    shard.hand = shard.queue.end();
  }
}

MemoryStore::~MemoryStore() = default;

MemoryStore::Queue::iterator MemoryStore::find_locked(Shard& shard, const CacheKey& key) {
  const auto place = shard.index.find(key.digest);
  if (place == shard.index.end()) return shard.queue.end();
  const Queue::iterator entry = place->second;
  return entry->variants->front()->head().key == key ? entry : shard.queue.end();
}

VariantSetPtr MemoryStore::find(const CacheKey& key, bool& complete) {
  Shard& shard = shard_of(key.digest);
  const MutexLock lock(shard.mutex);
  const Queue::iterator entry = find_locked(shard, key);
  if (entry == shard.queue.end()) return nullptr;
  entry->visited = true;
  complete = entry->complete;
  return entry->variants;
}

ResponseStore::LookupResult MemoryStore::try_lookup(const CacheKey& key) {
  bool complete = false;
  VariantSetPtr variants = find(key, complete);
  const Found found = variants ? Found::kYes : Found::kNo;
  return {found, std::move(variants)};
}

void MemoryStore::lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) {
  executor.post([variants = try_lookup(key).variants, done = std::move(done)] { done(variants); });
}

std::unique_ptr<StoreWriter> MemoryStore::begin(const CacheKey& /*key*/,
                                                std::optional<std::uint64_t> expected_size) {
  if (expected_size.value_or(0) > options_.max_response) return nullptr;
  return std::make_unique<Writer>(*this);
}

VariantSetPtr MemoryStore::with(const VariantSetPtr& old, StoredResponsePtr added) const {
  auto variants = std::make_shared<VariantSet>();
  variants->push_back(std::move(added));
  if (old) {
    for (const StoredResponsePtr& other : *old) {
      if (other->variant() != variants->front()->variant()) variants->push_back(other);
    }
  }
  newest_first(*variants);
  if (variants->size() > options_.max_variants) variants->resize(options_.max_variants);
  variants->shrink_to_fit();
  return variants;
}

bool MemoryStore::put(StoredResponsePtr response, bool complete) {
  if (response->body()->memory_size() > options_.max_response) return false;
  const CacheKey& key = response->head().key;
  Shard& shard = shard_of(key.digest);
  VariantSetPtr released;
  {
    const MutexLock lock(shard.mutex);
    const Queue::iterator entry = find_locked(shard, key);
    const bool known = entry != shard.queue.end();
    released = assign_locked(shard, key, with(known ? entry->variants : nullptr, response),
                             known ? entry->complete : complete);
  }
  counters_.add(Counter::kStored);
  evict_over_budget(key.digest);
  return true;
}

std::uint64_t MemoryStore::removals(const CacheKey& key) {
  Shard& shard = shard_of(key.digest);
  const MutexLock lock(shard.mutex);
  return shard.removals;
}

VariantSetPtr MemoryStore::merge(const CacheKey& key, const VariantSetPtr& others, std::uint64_t removals) {
  Shard& shard = shard_of(key.digest);
  VariantSetPtr released;
  VariantSetPtr merged;
  {
    const MutexLock lock(shard.mutex);
    const Queue::iterator entry = find_locked(shard, key);
    merged = entry != shard.queue.end() ? entry->variants : nullptr;
    for (const StoredResponsePtr& other : *others) {
      const auto same = [&](const StoredResponsePtr& mine) { return mine->variant() == other->variant(); };
      const bool mine_wins =
          merged && std::any_of(merged->begin(), merged->end(), [&](const StoredResponsePtr& mine) {
            return same(mine) && mine->head().response_time >= other->head().response_time;
          });
      if (!mine_wins) merged = with(merged, other);
    }
    if (shard.removals != removals) return merged;
    released = assign_locked(shard, key, merged, true);
  }
  evict_over_budget(key.digest);
  return merged;
}

void MemoryStore::freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) {
  const CacheKey& key = fresh->head().key;
  Shard& shard = shard_of(key.digest);
  VariantSetPtr released;
  {
    const MutexLock lock(shard.mutex);
    const Queue::iterator entry = find_locked(shard, key);
    if (entry == shard.queue.end()) return;
    auto others = std::make_shared<VariantSet>(*entry->variants);
    const auto place = std::find(others->begin(), others->end(), old);
    if (place == others->end()) return;
    others->erase(place);
    // Vary may name other fields now, and another variant's place be taken.
    released = assign_locked(shard, key, with(others, fresh), entry->complete);
  }
  // The fresh head may be larger.
  evict_over_budget(key.digest);
}

void MemoryStore::add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) {
  const CacheKey& key = added->head().key;
  Shard& shard = shard_of(key.digest);
  VariantSetPtr released;
  {
    const MutexLock lock(shard.mutex);
    const Queue::iterator entry = find_locked(shard, key);
    if (entry == shard.queue.end()) return;
    // It may have been freshened meanwhile.
    const auto is_old = [&](const StoredResponsePtr& each) {
      return each->variant() == old->variant() && shares_body(*each, *old);
    };
    if (std::none_of(entry->variants->begin(), entry->variants->end(), is_old)) return;
    released = assign_locked(shard, key, with(entry->variants, added), entry->complete);
  }
  evict_over_budget(key.digest);
}

void MemoryStore::remove(const CacheKey& key) {
  Shard& shard = shard_of(key.digest);
  VariantSetPtr released;
  const MutexLock lock(shard.mutex);
  ++shard.removals;
  const Queue::iterator entry = find_locked(shard, key);
  if (entry != shard.queue.end()) released = erase_locked(shard, entry);
}

void MemoryStore::remove(const StoredResponse& response) {
  const CacheKey& key = response.head().key;
  Shard& shard = shard_of(key.digest);
  VariantSetPtr released;
  const MutexLock lock(shard.mutex);
  ++shard.removals;
  const Queue::iterator entry = find_locked(shard, key);
  if (entry == shard.queue.end()) return;
  auto kept = std::make_shared<VariantSet>();
  for (const StoredResponsePtr& each : *entry->variants) {
    if (!shares_body(*each, response)) kept->push_back(each);
  }
  released = keep_locked(shard, entry, std::move(kept));
}

void MemoryStore::forget(const CacheKey& key, const VariantSet& responses, const VariantSet* except) {
  const auto is_in = [](const VariantSet& set, const StoredResponsePtr& one) {
    return std::find(set.begin(), set.end(), one) != set.end();
  };
  Shard& shard = shard_of(key.digest);
  VariantSetPtr released;
  const MutexLock lock(shard.mutex);
  ++shard.removals;
  const Queue::iterator entry = find_locked(shard, key);
  if (entry == shard.queue.end()) return;
  auto kept = std::make_shared<VariantSet>();
  for (const StoredResponsePtr& each : *entry->variants) {
    if (!is_in(responses, each) || (except != nullptr && is_in(*except, each))) kept->push_back(each);
  }
  released = keep_locked(shard, entry, std::move(kept));
}

VariantSetPtr MemoryStore::keep_locked(Shard& shard, Queue::iterator entry, VariantSetPtr kept) {
  if (kept->empty()) return erase_locked(shard, entry);
  const CacheKey key = kept->front()->head().key;
  return assign_locked(shard, key, std::move(kept), entry->complete);
}

VariantSetPtr MemoryStore::assign_locked(Shard& shard, const CacheKey& key, VariantSetPtr variants,
                                         bool complete) {
  const std::size_t bytes = size_of(*variants);
  const auto responses = static_cast<std::int64_t>(variants->size());
  const auto place = shard.index.find(key.digest);
  if (place == shard.index.end()) {
    shard.queue.push_front(Entry{key.digest, std::move(variants), bytes, false, complete});
    shard.index.emplace(key.digest, shard.queue.begin());
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    counters_.add(Counter::kMemoryBytes, static_cast<std::int64_t>(bytes));
    counters_.add(Counter::kMemoryResponses, responses);
    return nullptr;
  }
  Entry& entry = *place->second;
  bytes_.fetch_add(bytes - entry.bytes, std::memory_order_relaxed);
  counters_.add(Counter::kMemoryBytes,
                static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(entry.bytes));
  counters_.add(Counter::kMemoryResponses, responses - static_cast<std::int64_t>(entry.variants->size()));
  entry.bytes = bytes;
  entry.complete = complete;
  return std::exchange(entry.variants, std::move(variants));
}

VariantSetPtr MemoryStore::erase_locked(Shard& shard, Queue::iterator entry) {
  VariantSetPtr released = std::move(entry->variants);
  bytes_.fetch_sub(entry->bytes, std::memory_order_relaxed);
  counters_.add(Counter::kMemoryBytes, -static_cast<std::int64_t>(entry->bytes));
  counters_.add(Counter::kMemoryResponses, -static_cast<std::int64_t>(released->size()));
  shard.index.erase(entry->digest);
  if (shard.hand == entry) shard.hand = entry == shard.queue.begin() ? shard.queue.end() : std::prev(entry);
  shard.queue.erase(entry);
  return released;
}

// SIEVE: the hand goes from the oldest (back) towards the newest (front) and begins anew at the back.
VariantSetPtr MemoryStore::evict_one_locked(Shard& shard, const Digest128& newest, bool spare) {
  if (shard.queue.empty()) return nullptr;
  if (shard.hand == shard.queue.end()) shard.hand = std::prev(shard.queue.end());
  while (shard.hand != shard.queue.end()) {
    const Queue::iterator candidate = shard.hand;
    shard.hand = candidate == shard.queue.begin() ? shard.queue.end() : std::prev(candidate);
    const bool visited = std::exchange(candidate->visited, false);
    if (!spare || (!visited && candidate->digest != newest)) return erase_locked(shard, candidate);
  }
  return nullptr;
}

void MemoryStore::evict_over_budget(const Digest128& newest) {
  // In its second turn a shard has nothing left that was used before the first. A third turn without a find
  // means that hits mark faster than the hand walks, or that only the newest is left.
  constexpr std::size_t kSparingTurns = 2 * kShards + 1;
  std::size_t without_find = 0;
  // One from each shard in turn, so that no shard pays for all.
  while (size() > options_.budget && without_find < kSparingTurns + kShards) {
    Shard& shard = shards_[next_victim_.fetch_add(1, std::memory_order_relaxed) % kShards];
    VariantSetPtr released;
    {
      const MutexLock lock(shard.mutex);
      released = evict_one_locked(shard, newest, without_find < kSparingTurns);
    }
    without_find = released ? 0 : without_find + 1;
    if (released) counters_.add(Counter::kMemoryEvictions, static_cast<std::int64_t>(released->size()));
  }
}

}  // namespace freshet::storage
