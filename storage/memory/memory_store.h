// MemoryStore: the tier that hits are served from. A sharded hash table from cache key to the stored
// responses of that key; a look-up takes one shard's lock for a hash look-up and a reference, nothing more.
//
// Bytes are accounted for heads, index and bodies, against one budget for all shards. Over budget, stored
// responses are evicted by SIEVE: one queue a shard in order of arrival, a hand that walks from the oldest,
// spares once what was used since it last came by, and takes the rest. The shards' turns are short, so that
// where each holds only a few responses the used ones are spared as if there were one queue. A hit moves
// nothing. What is evicted is released outside the lock.
//
// Any thread. Owned by main; outlives the workers. Never does I/O.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "storage/base/counters.h"
#include "storage/base/mutex.h"
#include "storage/response_store.h"

namespace freshet::storage {

struct MemoryStoreOptions {
  std::size_t budget = std::size_t{256} << 20;  // bytes
  std::size_t max_response = 0;                 // bytes; 0: an eighth of the budget
  std::size_t max_variants = 64;                // of one key; the oldest go first
};

class MemoryStore final : public ResponseStore {
 public:
  MemoryStore(MemoryStoreOptions options, Describe describe, Counters& counters);
  ~MemoryStore() override;

  // The largest body that is kept here.
  [[nodiscard]] std::size_t max_response() const { return options_.max_response; }
  // Bytes accounted now.
  [[nodiscard]] std::size_t size() const { return bytes_.load(std::memory_order_relaxed); }

  [[nodiscard]] LookupResult try_lookup(const CacheKey& key) override;
  void lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) override;
  [[nodiscard]] std::unique_ptr<StoreWriter> begin(const CacheKey& key,
                                                   std::optional<std::uint64_t> expected_size) override;
  void freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) override;
  void add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) override;
  void remove(const CacheKey& key) override;
  void remove(const StoredResponse& response) override;
  void settle() override {}

  // For a tier below: what is in the table may be only some of the key's variants.
  // put(): stores one response. `complete`: no variant of this key is anywhere else, unless the key is here
  // already (then what is known of it stays). False: too large.
  bool put(StoredResponsePtr response, bool complete);
  // merge(): all variants that the other tier knows; those here that are newer stay. The key is complete
  // from now on. `removals` was asked for before the other tier was: where something was removed since, the
  // variants are put together for this one look-up and not kept.
  VariantSetPtr merge(const CacheKey& key, const VariantSetPtr& others, std::uint64_t removals);
  [[nodiscard]] std::uint64_t removals(const CacheKey& key);
  // Forgets those very responses, but for what is in `except` (which may be null).
  void forget(const CacheKey& key, const VariantSet& responses, const VariantSet* except);
  // try_lookup() that also tells whether the variants are complete.
  [[nodiscard]] VariantSetPtr find(const CacheKey& key, bool& complete);

  [[nodiscard]] const Describe& describe() const { return describe_; }

 private:
  class Writer;
  struct Entry;
  using Queue = std::list<Entry>;  // front: newest

  struct Entry {
    Digest128 digest;
    VariantSetPtr variants;
    std::size_t bytes = 0;
    bool visited = false;
    bool complete = false;
  };

  struct Shard {
    Mutex mutex;
    std::unordered_map<Digest128, Queue::iterator, Digest128Hash> index GUARDED_BY(mutex);
    Queue queue GUARDED_BY(mutex);
    Queue::iterator hand GUARDED_BY(mutex);
    std::uint64_t removals GUARDED_BY(mutex) = 0;  // calls of remove(), evictions not counted
  };

  static constexpr std::size_t kShards = 64;

  [[nodiscard]] Shard& shard_of(const Digest128& digest) { return shards_[digest.high % kShards]; }
  [[nodiscard]] VariantSetPtr with(const VariantSetPtr& old, StoredResponsePtr added) const;
  [[nodiscard]] Queue::iterator find_locked(Shard& shard, const CacheKey& key) REQUIRES(shard.mutex);
  // Sets the entry's variants (null: removes it); returns what was there, to be released by the caller
  // outside the lock.
  VariantSetPtr assign_locked(Shard& shard, const CacheKey& key, VariantSetPtr variants, bool complete)
      REQUIRES(shard.mutex);
  // Leaves `kept` of the entry's variants, or nothing of it.
  VariantSetPtr keep_locked(Shard& shard, Queue::iterator entry, VariantSetPtr kept) REQUIRES(shard.mutex);
  VariantSetPtr erase_locked(Shard& shard, Queue::iterator entry) REQUIRES(shard.mutex);
  // Null: the hand has come to the end of the queue and found nothing to take.
  VariantSetPtr evict_one_locked(Shard& shard, const Digest128& newest, bool spare) REQUIRES(shard.mutex);
  // `newest`: what was stored last, which goes only when nothing else is left.
  void evict_over_budget(const Digest128& newest);

  MemoryStoreOptions options_;
  const Describe describe_;
  Counters& counters_;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> next_victim_{0};  // shard
  std::array<Shard, kShards> shards_;
};

}  // namespace freshet::storage
