#include "storage/tiered_store.h"

#include <algorithm>
#include <utility>

namespace freshet::storage {

class TieredStore::Writer final : public StoreWriter {
 public:
  Writer(TieredStore& store, std::unique_ptr<StoreWriter> disk) : store_(store), disk_(std::move(disk)) {}

  bool append(const Chunk& chunk) override {
    if (disk_ && !disk_->append(chunk)) disk_.reset();
    return disk_ != nullptr;
  }
  [[nodiscard]] std::uint64_t readable() const override { return disk_ ? disk_->readable() : 0; }
  [[nodiscard]] std::shared_ptr<const StoredBody> written_body() const override {
    return disk_ ? disk_->written_body() : nullptr;
  }
  [[nodiscard]] std::uint64_t body_id() const override { return disk_ ? disk_->body_id() : 0; }

  void commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
              std::function<void(bool)> visible) override {
    // An invalidation since the fill began: memory and disk must not see it at all.
    if (!store_.generations_.is_current(head)) return visible(false);
    head.body_id = body_id();
    bool in_memory = false;
    if (whole) in_memory = put_in_memory(head, *whole);
    if (!disk_) return visible(in_memory);
    disk_->commit(head, std::move(whole), executor, in_memory ? [](bool) {} : visible);
    if (in_memory) visible(true);
  }

 private:
  bool put_in_memory(const StoredHead& head, const ChunkList& whole) {
    auto response = std::make_shared<const StoredResponse>(head, make_memory_body(whole), store_.describe());
    // Without Vary the newest response serves every request; with it, the disk may hold other variants.
    const bool complete = store_.disk_ == nullptr || head.selecting.empty();
    const CacheKey& key = head.key;
    if (!store_.memory_.put(std::move(response), complete)) return false;
    // Between the check above and the put an invalidation may have come and gone.
    if (!store_.generations_.is_current(head)) store_.memory_.remove(key);
    return true;
  }

  TieredStore& store_;
  std::unique_ptr<StoreWriter> disk_;
};

TieredStore::TieredStore(MemoryStore& memory, ResponseStore* disk, Generations& generations,
                         Counters& counters)
    : memory_(memory), disk_(disk), generations_(generations), counters_(counters) {}

VariantSetPtr TieredStore::checked(const CacheKey& key, VariantSetPtr variants) {
  if (!variants) return nullptr;
  const bool current = std::all_of(variants->begin(), variants->end(),
                                   [&](const auto& each) { return generations_.is_current(*each); });
  if (current) return variants;
  memory_.remove(key);
  return nullptr;
}

VariantSetPtr TieredStore::promote(const CacheKey& key, const VariantSetPtr& from_disk) {
  if (!checked(key, from_disk)) return nullptr;
  counters_.add(Counter::kDiskHits);
  // An invalidation after the check is seen here: what was merged is checked again.
  return checked(key, memory_.merge(key, from_disk));
}

ResponseStore::LookupResult TieredStore::try_lookup(const CacheKey& key) {
  bool complete = false;
  VariantSetPtr variants = checked(key, memory_.find(key, complete));
  if (variants && (complete || disk_ == nullptr)) {
    counters_.add(Counter::kMemoryHits);
    return {Found::kYes, std::move(variants)};
  }
  if (disk_ == nullptr) return {Found::kNo, nullptr};
  LookupResult on_disk = disk_->try_lookup(key);
  if (on_disk.found == Found::kNeedsIo) return on_disk;
  if (on_disk.found == Found::kYes) variants = promote(key, on_disk.variants);
  if (!variants) counters_.add(Counter::kDiskMisses);
  return {variants ? Found::kYes : Found::kNo, variants};
}

void TieredStore::lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) {
  if (disk_ == nullptr) return memory_.lookup(key, executor, std::move(done));
  disk_->lookup(key, executor, [this, key, done = std::move(done)](const VariantSetPtr& from_disk) {
    VariantSetPtr variants;
    if (from_disk) variants = promote(key, from_disk);
    if (!variants) {
      counters_.add(Counter::kDiskMisses);
      bool complete = false;
      variants = checked(key, memory_.find(key, complete));
    }
    done(std::move(variants));
  });
}

std::unique_ptr<StoreWriter> TieredStore::begin(const CacheKey& key,
                                                std::optional<std::uint64_t> expected_size) {
  std::unique_ptr<StoreWriter> on_disk = disk_ ? disk_->begin(key, expected_size) : nullptr;
  if (!on_disk && expected_size.value_or(0) > max_in_memory()) return nullptr;
  return std::make_unique<Writer>(*this, std::move(on_disk));
}

void TieredStore::freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) {
  memory_.freshen(old, fresh);
  counters_.add(Counter::kFreshened);
  if (disk_ != nullptr && fresh->head().body_id != 0) disk_->freshen(old, fresh);
}

void TieredStore::remove(const CacheKey& key) {
  memory_.remove(key);
  if (disk_ != nullptr) disk_->remove(key);
}

void TieredStore::remove(const StoredResponse& response) {
  memory_.remove(response);
  if (disk_ != nullptr) disk_->remove(response);
}

void TieredStore::settle() {
  if (disk_ != nullptr) disk_->settle();
}

void TieredStore::invalidate(const CacheKey& key) {
  generations_.invalidate(key);
  remove(key);
  counters_.add(Counter::kInvalidated);
}

}  // namespace freshet::storage
