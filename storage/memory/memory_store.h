// MemoryStore: the tier that hits are served from. A sharded hash table from cache key to the stored
// responses of that key; a look-up takes one shard's lock for a hash look-up and a reference, nothing more.
//
// What is kept is one EvictionPolicy's to say, for all shards together, so that a response may be larger than
// a shard's share and none has to pay for another. A hit only leaves word in its shard that the entry was
// used (nothing is written where word is there already); whoever changes the table tells the policy. Changes
// are made one at a time, under a lock that no look-up takes; what goes is released outside of it.
//
// Bytes are accounted for heads, index, bodies and what the allocator adds, and for what the policy itself
// needs, against one budget that holds whenever no change is going on.
//
// Any thread. Owned by main; outlives the workers. Never does I/O. Lock order: change, then one shard.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/base/counters.h"
#include "storage/base/mutex.h"
#include "storage/eviction/eviction_policy.h"
#include "storage/memory/entry_table.h"
#include "storage/response_store.h"

namespace freshet::storage {

struct MemoryStoreOptions {
  std::size_t budget = std::size_t{256} << 20;  // bytes
  std::size_t max_response = 0;                 // bytes; 0: an eighth of the budget
  std::size_t max_variants = 64;                // of one key; the oldest go first
  std::string_view policy = kShippedPolicy;     // a name that make_eviction_policy() knows
};

class MemoryStore final : public ResponseStore {
 public:
  MemoryStore(MemoryStoreOptions options, Describe describe, Counters& counters);
  ~MemoryStore() override;

  // The largest body that is kept here.
  [[nodiscard]] std::size_t max_response() const { return options_.max_response; }
  [[nodiscard]] std::size_t budget() const { return options_.budget; }
  // Bytes accounted to what is stored now; the policy's own need comes on top, within the budget.
  [[nodiscard]] std::size_t size() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t policy_overhead() const;

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
  // already (then what is known of it stays). False: too large, or not admitted in what is here.
  bool put(StoredResponsePtr response, bool complete);
  // merge(): all variants that the other tier knows; those here that are newer stay. The key is complete
  // from now on. `removals` was asked for before the other tier was: where something was removed since, the
  // variants are put together for this one look-up and not kept.
  VariantSetPtr merge(const CacheKey& key, const VariantSetPtr& others, std::uint64_t removals);
  [[nodiscard]] std::uint64_t removals(const CacheKey& key);
  // What merge() makes of the two.
  [[nodiscard]] VariantSet with_others(VariantSet mine, const VariantSet& others) const;
  // Puts `whole`, the same response with its body, in the place of `old`, if that is still there.
  void replace(const StoredResponsePtr& old, StoredResponsePtr whole);
  // Forgets those very responses, but for what is in `except` (which may be null).
  void forget(const CacheKey& key, const VariantSet& responses, const VariantSet* except);
  // try_lookup() that also tells whether the variants are complete.
  [[nodiscard]] VariantSetPtr find(const CacheKey& key, bool& complete);

  // Forgets all. Calls that are under way may still put something in.
  void clear();
  // The same; not a use.
  [[nodiscard]] VariantSetPtr peek(const CacheKey& key, bool& complete) const;
  using ResponseStore::peek;

  // Whether something of that key is stored; not a use.
  [[nodiscard]] bool holds(const Digest128& key) const;
  // Whether a body is, and not only the head of one that is on disk. For the disk tier's evictor.
  [[nodiscard]] bool holds_body(const Digest128& key) const;

  [[nodiscard]] const Describe& describe() const { return describe_; }

 private:
  class Writer;

  struct Entry : EvictionNode {
    VariantSet variants;  // never empty
    Entry* next_in_table = nullptr;
    Entry* next_used = nullptr;
    bool used = false;  // and the policy does not know
    bool complete = false;
  };

  struct alignas(64) Shard {
    mutable Mutex mutex;
    EntryTable<Entry> table GUARDED_BY(mutex);  // owns its entries
    // Those of which the policy does not know, linked. Written under the lock; null is seen without.
    std::atomic<Entry*> last_used{nullptr};
    std::uint64_t removals GUARDED_BY(mutex) = 0;  // calls of remove(), evictions not counted
  };

  // What a change took out, to be released when no lock is held.
  struct Released {
    VariantSet variants;
    std::vector<std::unique_ptr<Entry>> entries;
  };

  static constexpr std::size_t kShards = 64;

  [[nodiscard]] Shard& shard_of(const Digest128& digest) { return shards_[digest.high % kShards]; }
  [[nodiscard]] const Shard& shard_of(const Digest128& digest) const {
    return shards_[digest.high % kShards];
  }
  // `added` is among them whatever its age.
  [[nodiscard]] VariantSet with(const VariantSet& old, StoredResponsePtr added) const;
  // Null: no such key.
  [[nodiscard]] static Entry* find_locked(const Shard& shard, const CacheKey& key) REQUIRES(shard.mutex);

  // The rest are steps of a change.
  void tell_uses(Shard& shard) REQUIRES(change_, shard.mutex);
  // Sets the entry's variants.
  void assign(Shard& shard, const CacheKey& key, VariantSet variants, bool complete, Released& released)
      REQUIRES(change_, shard.mutex);
  // Leaves `kept` of the entry's variants, or nothing of it.
  void keep(Shard& shard, Entry& entry, std::vector<StoredResponsePtr> kept, Released& released)
      REQUIRES(change_, shard.mutex);
  void erase(Shard& shard, Entry& entry, Released& released) REQUIRES(change_, shard.mutex);
  void account(std::int64_t bytes, std::int64_t responses);
  // Before something new comes, which is not to be older than what was used before it.
  void tell_all_uses() REQUIRES(change_);
  void evict_over_budget(Released& released) REQUIRES(change_);
  // False: it was used and the policy did not know when it chose it; it stays if it may.
  bool evict(EvictionNode& victim, bool may_spare, Released& released) REQUIRES(change_);

  MemoryStoreOptions options_;
  const Describe describe_;
  Counters& counters_;
  std::atomic<std::size_t> bytes_{0};
  mutable Mutex change_;
  std::unique_ptr<EvictionPolicy> policy_ GUARDED_BY(change_);
  std::array<Shard, kShards> shards_;
};

}  // namespace freshet::storage
