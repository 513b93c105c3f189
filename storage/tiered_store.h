// TieredStore: memory before disk, and the one place where invalidation is asked about. A look-up that
// memory cannot answer goes to the disk tier; what that finds is put into memory. A write goes to both:
// memory gets the whole response when it is complete, the disk its chunks as they come.
//
// The disk tier may be absent (null): then this is the memory tier with invalidation. Any thread; owned by
// main, outlives the workers, does not own the tiers. The disk tier has to ask about invalidation itself when
// a commit reaches it: by then the removal may have gone by.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "storage/invalidation/generations.h"
#include "storage/memory/memory_store.h"
#include "storage/response_store.h"

namespace freshet::storage {

class TieredStore final : public ResponseStore {
 public:
  TieredStore(MemoryStore& memory, ResponseStore* disk, Generations& generations, Counters& counters);

  [[nodiscard]] LookupResult try_lookup(const CacheKey& key) override;
  void lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) override;
  [[nodiscard]] std::unique_ptr<StoreWriter> begin(const CacheKey& key,
                                                   std::optional<std::uint64_t> expected_size) override;
  void freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) override;
  void add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) override;
  void remove(const CacheKey& key) override;
  void remove(const StoredResponse& response) override;
  void settle() override;

  // Invalidates the key in both tiers, and whatever is being filled or read for it now (RFC 9111, 4.4).
  void invalidate(const CacheKey& key);
  // Invalidates all that carries the tag, in both tiers or on its way there (StoredHead::tags).
  // The same for what a URL has under a further key; not counted as another URL.
  void invalidate_beside(const CacheKey& key);
  void invalidate_tag(std::string_view tag);

  [[nodiscard]] const Generations& generations() const { return generations_; }
  [[nodiscard]] const Describe& describe() const { return memory_.describe(); }
  // The largest body worth keeping whole in memory.
  [[nodiscard]] std::size_t max_in_memory() const { return memory_.max_response(); }
  [[nodiscard]] bool has_disk() const { return disk_ != nullptr; }

 private:
  class Writer;

  // What memory has; forgets of it what is not current.
  VariantSetPtr in_memory(const CacheKey& key, bool& complete);
  // Those that are current; null: none.
  [[nodiscard]] VariantSetPtr only_current(const VariantSetPtr& variants) const;
  // `removals`: memory's count from before the disk was asked.
  VariantSetPtr promote(const CacheKey& key, const VariantSetPtr& from_disk, std::uint64_t removals);

  MemoryStore& memory_;
  ResponseStore* const disk_;
  Generations& generations_;
  Counters& counters_;
};

}  // namespace freshet::storage
