#include "storage/memory/memory_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

// Of the table's places: one to two for each entry.
constexpr std::size_t kPlaces = 3 * sizeof(void*) / 2;
// Of those that the policy gives up, so many may stay because they were used since.
constexpr int kMostSpared = 64;

std::size_t size_of(const VariantSet& variants) {
  std::size_t size = variants.memory_size();
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

// Whether it is what `old` was read as too, and is not newer than `fresh`, which was made of that.
bool may_be_freshened(const StoredResponse& stored, const StoredResponse& old, const StoredResponse& fresh) {
  return stored.variant() == old.variant() && shares_body(stored, old) &&
         stored.head().response_time <= fresh.head().response_time &&
         stored.head().validated_at <= fresh.head().validated_at;
}

void newest_first(std::vector<StoredResponsePtr>& variants) {
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
    : options_(options),
      describe_(std::move(describe)),
      counters_(counters),
      policy_(make_eviction_policy(options.policy, options.budget)) {
  FRESHET_CHECK(policy_ != nullptr);
  if (options_.max_response == 0) options_.max_response = options_.budget / 8;
}

MemoryStore::~MemoryStore() {
  for (Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    shard.table.for_each([](Entry& entry) { const std::unique_ptr<Entry> owned(&entry); });
  }
}

void MemoryStore::clear() {
  for (Shard& shard : shards_) {
    Released released;
    const MutexLock changing(change_);
    const MutexLock lock(shard.mutex);
    ++shard.removals;
    shard.table.for_each([&](Entry& entry) NO_THREAD_SAFETY_ANALYSIS { erase(shard, entry, released); });
  }
}

std::size_t MemoryStore::policy_overhead() const {
  const MutexLock changing(change_);
  return policy_->overhead();
}

MemoryStore::Entry* MemoryStore::find_locked(const Shard& shard, const CacheKey& key) {
  Entry* const entry = shard.table.find(key.digest);
  if (entry == nullptr) return nullptr;
  const StoredResponse* const newest = entry->variants.front().get();
  StoredResponse::prefetch(newest);
  newest->prefetch_parts();
  return newest->head().key.text == key.text ? entry : nullptr;
}

VariantSetPtr MemoryStore::find(const CacheKey& key, bool& complete) {
  Shard& shard = shard_of(key.digest);
  const MutexLock lock(shard.mutex);
  Entry* const entry = find_locked(shard, key);
  if (entry == nullptr) return nullptr;
  if (!entry->used) {
    entry->used = true;
    entry->next_used = shard.last_used.load(std::memory_order_relaxed);
    shard.last_used.store(entry, std::memory_order_relaxed);
  }
  complete = entry->complete;
  return VariantSetPtr(entry->variants);
}

VariantSetPtr MemoryStore::peek(const CacheKey& key, bool& complete) const {
  const Shard& shard = shard_of(key.digest);
  const MutexLock lock(shard.mutex);
  const Entry* const entry = find_locked(shard, key);
  if (entry == nullptr) return nullptr;
  complete = entry->complete;
  return VariantSetPtr(entry->variants);
}

bool MemoryStore::holds(const Digest128& key) const {
  const Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  return shard.table.find(key) != nullptr;
}

bool MemoryStore::holds_body(const Digest128& key) const {
  const Shard& shard = shard_of(key);
  const MutexLock lock(shard.mutex);
  const Entry* const entry = shard.table.find(key);
  return entry != nullptr && std::any_of(entry->variants.begin(), entry->variants.end(),
                                         [](const auto& each) { return !each->body()->on_disk(); });
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

VariantSet MemoryStore::with(const VariantSet& old, StoredResponsePtr added) const {
  std::vector<StoredResponsePtr> variants;
  std::copy_if(old.begin(), old.end(), std::back_inserter(variants),
               [&](const auto& other) { return other->variant() != added->variant(); });
  newest_first(variants);
  if (variants.size() >= options_.max_variants) variants.resize(options_.max_variants - 1);
  variants.insert(variants.begin(), std::move(added));
  newest_first(variants);
  return VariantSet(std::move(variants));
}

VariantSet MemoryStore::with_others(VariantSet mine, const VariantSet& others) const {
  for (const StoredResponsePtr& other : others) {
    const bool mine_wins = std::any_of(mine.begin(), mine.end(), [&](const StoredResponsePtr& each) {
      return each->variant() == other->variant() && each->head().response_time >= other->head().response_time;
    });
    if (!mine_wins) mine = with(mine, other);
  }
  return mine;
}

bool MemoryStore::put(StoredResponsePtr response, bool complete) {
  if (response->body()->memory_size() > options_.max_response) return false;
  const CacheKey& key = response->head().key;
  Shard& shard = shard_of(key.digest);
  Released released;
  const MutexLock changing(change_);
  tell_all_uses();
  {
    const MutexLock lock(shard.mutex);
    Entry* const entry = find_locked(shard, key);
    const bool known = entry != nullptr;
    assign(shard, key, with(known ? entry->variants : VariantSet(), response),
           known ? entry->complete : complete, released);
  }
  evict_over_budget(released);
  const bool admitted = holds(key.digest);
  counters_.add(admitted ? Counter::kStored : Counter::kMemoryRefused);
  return admitted;
}

std::uint64_t MemoryStore::removals(const CacheKey& key) {
  Shard& shard = shard_of(key.digest);
  const MutexLock lock(shard.mutex);
  return shard.removals;
}

VariantSetPtr MemoryStore::merge(const CacheKey& key, const VariantSetPtr& others, std::uint64_t removals) {
  Shard& shard = shard_of(key.digest);
  Released released;
  VariantSet merged;
  const MutexLock changing(change_);
  tell_all_uses();
  {
    const MutexLock lock(shard.mutex);
    Entry* const entry = find_locked(shard, key);
    if (entry != nullptr) merged = entry->variants;
    merged = with_others(std::move(merged), *others);
    if (shard.removals != removals) return VariantSetPtr(merged);
    assign(shard, key, merged, true, released);
  }
  evict_over_budget(released);
  return VariantSetPtr(merged);
}

void MemoryStore::freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) {
  const CacheKey& key = fresh->head().key;
  Shard& shard = shard_of(key.digest);
  Released released;
  const MutexLock changing(change_);
  tell_all_uses();
  {
    const MutexLock lock(shard.mutex);
    Entry* const entry = find_locked(shard, key);
    if (entry == nullptr) return;
    std::vector<StoredResponsePtr> others(entry->variants.begin(), entry->variants.end());
    const auto place = std::find_if(others.begin(), others.end(), [&](const StoredResponsePtr& each) {
      return each == old || may_be_freshened(*each, *old, *fresh);
    });
    if (place == others.end()) return;
    // It may have come from disk twice: the body that is here stays.
    StoredResponsePtr kept = fresh;
    if ((*place)->body() != fresh->body())
      kept = std::make_shared<const StoredResponse>(fresh->head(), (*place)->body(), describe_);
    others.erase(place);
    // Vary may name other fields now, and another variant's place be taken.
    assign(shard, key, with(VariantSet(std::move(others)), std::move(kept)), entry->complete, released);
  }
  // The fresh head may be larger.
  evict_over_budget(released);
}

void MemoryStore::add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) {
  const CacheKey& key = added->head().key;
  Shard& shard = shard_of(key.digest);
  Released released;
  const MutexLock changing(change_);
  tell_all_uses();
  {
    const MutexLock lock(shard.mutex);
    Entry* const entry = find_locked(shard, key);
    if (entry == nullptr) return;
    // It may have been freshened meanwhile.
    const auto is_old = [&](const StoredResponsePtr& each) {
      return each->variant() == old->variant() && shares_body(*each, *old);
    };
    if (std::none_of(entry->variants.begin(), entry->variants.end(), is_old)) return;
    assign(shard, key, with(entry->variants, added), entry->complete, released);
  }
  evict_over_budget(released);
}

void MemoryStore::replace(const StoredResponsePtr& old, StoredResponsePtr whole) {
  const CacheKey& key = old->head().key;
  if (whole->body()->memory_size() > options_.max_response) return;
  Shard& shard = shard_of(key.digest);
  Released released;
  const MutexLock changing(change_);
  tell_all_uses();
  {
    const MutexLock lock(shard.mutex);
    Entry* const entry = find_locked(shard, key);
    if (entry == nullptr) return;
    if (std::find(entry->variants.begin(), entry->variants.end(), old) == entry->variants.end()) return;
    assign(shard, key, with(entry->variants, std::move(whole)), entry->complete, released);
  }
  evict_over_budget(released);
}

void MemoryStore::remove(const CacheKey& key) {
  Shard& shard = shard_of(key.digest);
  Released released;
  const MutexLock changing(change_);
  const MutexLock lock(shard.mutex);
  ++shard.removals;
  Entry* const entry = find_locked(shard, key);
  if (entry != nullptr) erase(shard, *entry, released);
}

void MemoryStore::remove(const StoredResponse& response) {
  const CacheKey& key = response.head().key;
  Shard& shard = shard_of(key.digest);
  Released released;
  const MutexLock changing(change_);
  const MutexLock lock(shard.mutex);
  ++shard.removals;
  Entry* const entry = find_locked(shard, key);
  if (entry == nullptr) return;
  std::vector<StoredResponsePtr> kept;
  for (const StoredResponsePtr& each : entry->variants) {
    if (!shares_body(*each, response)) kept.push_back(each);
  }
  keep(shard, *entry, std::move(kept), released);
}

void MemoryStore::forget(const CacheKey& key, const VariantSet& responses, const VariantSet* except) {
  const auto is_in = [](const VariantSet& set, const StoredResponsePtr& one) {
    return std::find(set.begin(), set.end(), one) != set.end();
  };
  Shard& shard = shard_of(key.digest);
  Released released;
  const MutexLock changing(change_);
  const MutexLock lock(shard.mutex);
  ++shard.removals;
  Entry* const entry = find_locked(shard, key);
  if (entry == nullptr) return;
  std::vector<StoredResponsePtr> kept;
  for (const StoredResponsePtr& each : entry->variants) {
    if (!is_in(responses, each) || (except != nullptr && is_in(*except, each))) kept.push_back(each);
  }
  keep(shard, *entry, std::move(kept), released);
}

void MemoryStore::tell_uses(Shard& shard) {
  Entry* newest = shard.last_used.load(std::memory_order_relaxed);
  if (newest == nullptr) return;
  shard.last_used.store(nullptr, std::memory_order_relaxed);
  Entry* each = nullptr;  // the oldest first
  while (newest != nullptr) {
    Entry* const before = std::exchange(newest->next_used, each);
    each = std::exchange(newest, before);
  }
  while (each != nullptr) {
    each->used = false;
    if (each->queue != 0) policy_->use(*each);
    each = std::exchange(each->next_used, nullptr);
  }
}

void MemoryStore::account(std::int64_t bytes, std::int64_t responses) {
  bytes_.fetch_add(static_cast<std::size_t>(bytes), std::memory_order_relaxed);
  counters_.add(Counter::kMemoryBytes, bytes);
  counters_.add(Counter::kMemoryResponses, responses);
}

void MemoryStore::keep(Shard& shard, Entry& entry, std::vector<StoredResponsePtr> kept, Released& released) {
  if (kept.empty()) return erase(shard, entry, released);
  const CacheKey key = kept.front()->head().key;
  assign(shard, key, VariantSet(std::move(kept)), entry.complete, released);
}

void MemoryStore::assign(Shard& shard, const CacheKey& key, VariantSet variants, bool complete,
                         Released& released) {
  tell_uses(shard);
  const std::size_t bytes = allocated(sizeof(Entry)) + kPlaces + size_of(variants);
  Entry* entry = shard.table.find(key.digest);
  const bool is_new = entry == nullptr;
  if (is_new) {
    entry = std::make_unique<Entry>().release();
    entry->digest = key.digest;
    shard.table.insert(*entry);
  }
  account(static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(entry->bytes),
          static_cast<std::int64_t>(variants.size()) - static_cast<std::int64_t>(entry->variants.size()));
  entry->complete = complete;
  released.variants = std::exchange(entry->variants, std::move(variants));
  if (!is_new) return policy_->resize(*entry, bytes);
  set_bytes(*entry, bytes);
  policy_->insert(*entry);
}

void MemoryStore::erase(Shard& shard, Entry& entry, Released& released) {
  tell_uses(shard);
  if (entry.queue != 0) policy_->erase(entry);
  account(-static_cast<std::int64_t>(entry.bytes), -static_cast<std::int64_t>(entry.variants.size()));
  shard.table.remove(entry);
  released.entries.emplace_back(&entry);
}

bool MemoryStore::evict(EvictionNode& victim, bool may_spare, Released& released) {
  auto& entry = static_cast<Entry&>(victim);
  Shard& shard = shard_of(entry.digest);
  const MutexLock lock(shard.mutex);
  if (entry.used && may_spare) {
    policy_->insert(entry);
    tell_uses(shard);
    return false;
  }
  counters_.add(Counter::kMemoryEvictions, static_cast<std::int64_t>(entry.variants.size()));
  erase(shard, entry, released);
  return true;
}

void MemoryStore::tell_all_uses() {
  for (Shard& shard : shards_) {
    if (shard.last_used.load(std::memory_order_relaxed) == nullptr) continue;
    const MutexLock lock(shard.mutex);
    tell_uses(shard);
  }
}

void MemoryStore::evict_over_budget(Released& released) {
  const auto over_budget = [this]() REQUIRES(change_) {
    return policy_->bytes() + policy_->overhead() > options_.budget;
  };
  for (int may_spare = kMostSpared; over_budget();) {
    EvictionNode* const victim = policy_->evict();
    if (victim == nullptr) break;
    if (!evict(*victim, may_spare > 0, released)) --may_spare;
  }
}

}  // namespace freshet::storage
