#include "storage/tiered_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

// Where the answer goes that nobody waits for: memory has the response, so the caller is told at once and its
// executor may be gone before the disk is done.
class Nowhere final : public Executor {
 public:
  void post(Task /*task*/) override {}
};

Executor& nowhere() {
  static Nowhere executor;
  return executor;
}

// A body that comes back is brought into memory if since then no more than this part of the memory tier was
// read from disk: from there on it would push out more than it brings, as heads are small and the kernel has
// bodies in its page cache.
constexpr std::size_t kWindow = 16;
constexpr std::size_t kSmallestCounted = std::size_t{16} * 1024;
// Larger bodies stay on disk. What is smaller is one piece there.
constexpr std::uint64_t kLargestPromoted = std::uint64_t{256} * 1024;
constexpr std::size_t kFewNoted = 64;
constexpr int kMostRounds = 8;
// Beyond so many keys, all that the disk has is taken to be older than what came before it was there.
constexpr std::size_t kMostNoted = std::size_t{1} << 16U;
// Of MemoryStore::merge(): put together for this look-up only.
constexpr std::uint64_t kNotKept = ~std::uint64_t{0};

// The disk tier gives small bodies in memory, and of others that come in one piece that piece, which pins its
// memory: not to be kept as it is.
bool has_piece(const StoredResponsePtr& response) {
  return response->body()->pins_memory();
}

bool on_disk(const StoredResponsePtr& response) {
  return !response->has_whole_body() && response->body()->on_disk();
}

// Its body is on disk no more, or has moved there.
bool is_gone(const StoredResponsePtr& response) {
  return !response->has_whole_body() && response->body()->is_gone();
}

// Its body is on disk, and of a size to be kept in memory.
bool may_be_promoted(const StoredResponsePtr& response) {
  return on_disk(response) && stored_body_size(response->head()) <= kLargestPromoted;
}

std::uint64_t bytes_on_disk(const VariantSet& variants) {
  std::uint64_t bytes = 0;
  for (const StoredResponsePtr& each : variants) {
    if (on_disk(each)) bytes += stored_body_size(each->head());
  }
  return bytes;
}

// Its head alone; null: the body cannot be read again.
StoredResponsePtr without_piece(const StoredResponse& response, const Describe& describe) {
  std::shared_ptr<const StoredBody> body = response.body()->without_pin();
  if (!body) return nullptr;
  return std::make_shared<const StoredResponse>(response.head(), std::move(body), describe);
}

// `merged`, but with what was read just now, where `kept` is that without its piece.
VariantSetPtr with_pieces(VariantSetPtr merged, const VariantSetPtr& kept, const VariantSetPtr& read) {
  if (!merged || std::none_of(read->begin(), read->end(), has_piece)) return merged;
  std::vector<StoredResponsePtr> given(merged->begin(), merged->end());
  for (StoredResponsePtr& each : given) {
    const auto* const place = std::find(kept->begin(), kept->end(), each);
    if (place != kept->end() && on_disk(each))
      each = (*read)[static_cast<std::size_t>(place - kept->begin())];
  }
  return make_variants(std::move(given));
}

// With its body in memory of its own; null: not all of it is at hand.
StoredResponsePtr copy_of(const StoredResponse& response, const Describe& describe) {
  Chunk piece;
  if (response.body()->try_read(0, piece) != StoredBody::TryRead::kData) return nullptr;
  if (piece.size() != stored_body_size(response.head())) return nullptr;
  return std::make_shared<const StoredResponse>(response.head(),
                                                make_memory_body({Chunk::copy_of(piece.view())}), describe);
}

}  // namespace

class TieredStore::Writer final : public StoreWriter {
 public:
  Writer(TieredStore& store, std::unique_ptr<StoreWriter> disk)
      : store_(store), disk_(std::move(disk)), later_(store.later_) {}

  bool append(const Chunk& chunk) override {
    if (disk_ && !disk_->append(chunk)) disk_.reset();
    return disk_ != nullptr;
  }
  [[nodiscard]] std::uint64_t readable() const override { return disk_ ? disk_->readable() : 0; }
  [[nodiscard]] std::shared_ptr<const StoredBody> written_body() const override {
    return disk_ ? disk_->written_body() : nullptr;
  }
  [[nodiscard]] std::uint64_t body_id() const override { return disk_ ? disk_->body_id() : 0; }
  void when_written(Executor& executor, std::function<void()> done) override {
    if (disk_) return disk_->when_written(executor, std::move(done));
    executor.post(std::move(done));
  }

  void commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
              std::function<void(bool)> visible) override {
    if (!may_commit(head)) return visible(false);
    head.body_id = body_id();
    if (whole) {
      const auto response =
          std::make_shared<const StoredResponse>(head, make_memory_body(*whole), store_.describe());
      if (put_in_memory(response)) {
        if (disk_) disk_->commit(std::move(head), std::move(whole), nowhere(), [](bool /*stored*/) {});
        return visible(true);
      }
    }
    if (!disk_) return visible(false);
    auto told = on_disk(head.key, std::move(visible));
    disk_->commit(std::move(head), std::move(whole), executor, std::move(told));
  }

  void commit_whole(const StoredResponsePtr& response, Executor& executor,
                    std::function<void(bool)> visible) override {
    if (!may_commit(response->head())) return visible(false);
    if (put_in_memory(response)) {
      if (disk_) disk_->commit_whole(response, nowhere(), [](bool /*stored*/) {});
      return visible(true);
    }
    if (!disk_) return visible(false);
    disk_->commit_whole(response, executor, on_disk(response->head().key, std::move(visible)));
  }

 private:
  [[nodiscard]] bool may_commit(const StoredHead& head) {
    // An invalidation since the fill began: memory and disk must not see it at all.
    if (store_.elsewhere() != nullptr || !store_.generations_.is_current(head)) return false;
    if (later_ && !store_.note_later(head.key)) store_.remove(head.key);
    if (!store_.log_works()) disk_.reset();
    return true;
  }

  // What memory still has is older than what only the disk took: it must not hide it.
  [[nodiscard]] std::function<void(bool)> on_disk(const CacheKey& key, std::function<void(bool)> visible) {
    return [&memory = store_.memory_, key, visible = std::move(visible)](bool stored) {
      if (stored) memory.remove(key);
      visible(stored);
    };
  }

  bool put_in_memory(const StoredResponsePtr& response) {
    const StoredHead& head = response->head();
    // Without Vary the newest response serves every request; with it, the disk may hold other variants.
    const bool alone = store_.disk() == nullptr && !store_.later_;
    const bool complete = alone || head.selecting.empty();
    if (!store_.memory_.put(response, complete)) return false;
    // Between the check above and the put an invalidation may have come and gone.
    if (store_.generations_.is_current(head)) return true;
    store_.memory_.forget(head.key, {response}, nullptr);
    return false;
  }

  TieredStore& store_;
  std::unique_ptr<StoreWriter> disk_;
  const bool later_;  // begun when the disk tier was not there yet
};

TieredStore::TieredStore(MemoryStore& memory, ResponseStore* disk, Generations& generations,
                         Counters& counters, InvalidationLog* log, InvalidationQueueOptions queue)
    : memory_(memory),
      disk_(disk),
      generations_(generations),
      counters_(counters),
      read_once_(memory.budget() / kWindow, memory.budget() / kWindow / kSmallestCounted),
      queue_(log == nullptr ? nullptr : make_queue(log, queue)) {}

TieredStore::TieredStore(MemoryStore& memory, Generations& generations, Counters& counters, Later /*later*/,
                         InvalidationQueueOptions queue)
    : memory_(memory),
      disk_(nullptr),
      generations_(generations),
      counters_(counters),
      read_once_(memory.budget() / kWindow, memory.budget() / kWindow / kSmallestCounted),
      later_(true),
      queue_(make_queue(nullptr, queue)) {
  generations_.restore({});
}

std::unique_ptr<InvalidationQueue> TieredStore::make_queue(InvalidationLog* log,
                                                           InvalidationQueueOptions options) {
  return std::make_unique<InvalidationQueue>(generations_, log, counters_, options,
                                             [this](const Invalidation& each) { applied(each); });
}

void TieredStore::attach(ResponseStore& disk, InvalidationLog& log) {
  FRESHET_CHECK(later_);
  // Most of it while nobody waits; what comes meanwhile, and the rest, while it is certain that no more does.
  for (int round = 0; round < kMostRounds; ++round) {
    NotedKeys noted;
    {
      const MutexLock lock(later_mutex_);
      if (noted_.size() < kFewNoted) break;
      noted.swap(noted_);
    }
    bring_down(noted, disk);
  }
  {
    const MutexLock lock(later_mutex_);
    bring_down(noted_, disk);
    if (noted_too_many_) {
      queue_->purge({{{ScopeKind::kAll, ""}}, Strength::kHard}, nowhere(),
                    [](const Acknowledgement& /*done*/) {});
    }
    noted_.clear();
    disk_.store(&disk, std::memory_order_release);
    later_ = false;
  }
  queue_->attach(log);
}

// What the disk has of them is older than what memory has, or than their removal.
void TieredStore::bring_down(const NotedKeys& keys, ResponseStore& disk) {
  for (const auto& [digest, key] : keys) {
    disk.remove(key);
    bool complete = false;
    const VariantSetPtr variants = in_memory(key, complete);
    if (!variants) continue;
    for (const StoredResponsePtr& each : *variants) store_below(each, disk);
  }
}

void TieredStore::store_below(const StoredResponsePtr& response, ResponseStore& disk) {
  StoredHead head = response->head();
  const std::uint64_t size = stored_body_size(head);
  const std::unique_ptr<StoreWriter> writer = disk.begin(head.key, size);
  if (!writer) return;
  Chunk piece;
  for (std::uint64_t at = 0; at < size; at += piece.size()) {
    if (response->body()->try_read(at, piece) != StoredBody::TryRead::kData || !writer->append(piece)) return;
  }
  head.body_id = writer->body_id();
  memory_.freshen(response, std::make_shared<const StoredResponse>(head, response->body(), describe()));
  writer->commit(std::move(head), std::nullopt, nowhere(), [](bool /*stored*/) {});
}

void TieredStore::attach_failed(std::string why) {
  queue_->give_up(std::move(why));
}

bool TieredStore::note_later(const CacheKey& key) {
  const MutexLock lock(later_mutex_);
  if (!later_) return false;
  if (noted_.size() < kMostNoted) {
    noted_.try_emplace(key.digest, key);
  } else {
    noted_too_many_ = true;
  }
  return true;
}

void TieredStore::detach(InvalidatedElsewhere& elsewhere) {
  elsewhere_.store(&elsewhere, std::memory_order_release);
  // Who has seen this number has seen the above; what is older is dead.
  const Invalidation all{{{ScopeKind::kAll, ""}}, Strength::kHard};
  while (!generations_.apply(records_of(all, generations_.ahead()))) {
  }
  disk_.store(nullptr, std::memory_order_release);
  memory_.clear();
}

void TieredStore::close_log() {
  if (queue_) queue_->close();
}

VariantSetPtr TieredStore::in_memory(const CacheKey& key, bool& complete) {
  VariantSetPtr variants = memory_.find(key, complete);
  if (!variants) return nullptr;
  // Lost or moved on disk: the disk knows.
  const bool gone = std::any_of(variants->begin(), variants->end(), is_gone);
  const bool all_alive = !gone && std::all_of(variants->begin(), variants->end(), [&](const auto& each) {
    return generations_.is_current(*each);
  });
  if (all_alive) return variants;
  if (gone) complete = false;
  // An invalidation of a tag may have left some: each is asked about alone.
  VariantSetPtr alive = only_current(variants);
  memory_.forget(key, *variants, alive.get());
  return alive;
}

VariantSetPtr TieredStore::only_current(const VariantSetPtr& variants) const {
  const auto current = [&](const StoredResponsePtr& each) {
    return generations_.is_current(*each) && !is_gone(each);
  };
  if (std::all_of(variants->begin(), variants->end(), current)) return variants;
  std::vector<StoredResponsePtr> kept;
  std::copy_if(variants->begin(), variants->end(), std::back_inserter(kept), current);
  return make_variants(std::move(kept));
}

VariantSetPtr TieredStore::worth_keeping(const CacheKey& key, const VariantSetPtr& from_disk) {
  if (std::none_of(from_disk->begin(), from_disk->end(), has_piece)) return from_disk;
  const bool whole = read_once_.read_again(key.digest, bytes_on_disk(*from_disk));
  std::vector<StoredResponsePtr> kept(from_disk->begin(), from_disk->end());
  for (StoredResponsePtr& each : kept) {
    if (has_piece(each)) each = whole ? copy_of(*each, describe()) : without_piece(*each, describe());
    if (!each) return nullptr;
  }
  return make_variants(std::move(kept));
}

VariantSetPtr TieredStore::with_bodies(const CacheKey& key, VariantSetPtr variants) {
  if (std::none_of(variants->begin(), variants->end(), may_be_promoted)) return variants;
  if (!read_once_.read_again(key.digest, bytes_on_disk(*variants))) return variants;
  std::vector<StoredResponsePtr> whole(variants->begin(), variants->end());
  for (StoredResponsePtr& each : whole) {
    if (!may_be_promoted(each)) continue;
    StoredResponsePtr copy = copy_of(*each, describe());
    if (!copy) continue;  // it would have to be waited for
    memory_.replace(each, copy);
    each = std::move(copy);
  }
  return only_current(make_variants(std::move(whole)));
}

VariantSetPtr TieredStore::promote(const CacheKey& key, const VariantSetPtr& from_disk,
                                   std::uint64_t removals) {
  VariantSetPtr alive = from_disk ? only_current(from_disk) : nullptr;
  if (!alive) return nullptr;
  counters_.add(Counter::kDiskHits);
  const VariantSetPtr kept = worth_keeping(key, alive);
  if (!kept && !memory_.holds(key.digest)) return alive;
  // An invalidation after the check is seen here, or by the next look-up in memory.
  VariantSetPtr merged = memory_.merge(key, kept ? kept : alive, kept ? removals : kNotKept);
  if (kept) merged = with_pieces(std::move(merged), kept, alive);
  return only_current(merged);
}

ResponseStore::LookupResult TieredStore::try_lookup(const CacheKey& key) {
  bool complete = false;
  VariantSetPtr variants = in_memory(key, complete);
  ResponseStore* const disk_tier = disk();
  if (variants && (complete || disk_tier == nullptr)) {
    if (std::none_of(variants->begin(), variants->end(), on_disk))
      return {Found::kYes, std::move(variants), true};
    counters_.add(Counter::kDiskHits);
    variants = with_bodies(key, std::move(variants));
    return {variants ? Found::kYes : Found::kNo, variants};
  }
  if (disk_tier == nullptr) {
    // What is in flight is older than this request, and may be invalidated elsewhere.
    if (elsewhere() != nullptr) generations_.invalidate(key);
    return {Found::kNo, nullptr};
  }
  const std::uint64_t removals = memory_.removals(key);
  LookupResult on_disk = disk_tier->try_lookup(key);
  if (on_disk.found == Found::kNeedsIo) return on_disk;
  if (VariantSetPtr promoted = promote(key, on_disk.variants, removals)) variants = std::move(promoted);
  if (!variants) counters_.add(Counter::kDiskMisses);
  return {variants ? Found::kYes : Found::kNo, variants};
}

void TieredStore::lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) {
  ResponseStore* const disk_tier = disk();
  if (disk_tier == nullptr) {
    executor.post([variants = try_lookup(key).variants, done = std::move(done)] { done(variants); });
    return;
  }
  const std::uint64_t removals = memory_.removals(key);
  disk_tier->lookup(key, executor,
                    [this, key, removals, done = std::move(done)](const VariantSetPtr& from_disk) {
                      VariantSetPtr variants = promote(key, from_disk, removals);
                      if (!variants) {
                        counters_.add(Counter::kDiskMisses);
                        bool complete = false;
                        variants = in_memory(key, complete);
                      }
                      done(std::move(variants));
                    });
}

void TieredStore::look_without_trace(const CacheKey& key, Executor& executor,
                                     std::function<void(Peeked)> done) const {
  Peeked found;
  bool complete = false;
  found.in_memory = memory_.peek(key, complete);
  ResponseStore* const disk_tier = disk();
  if (disk_tier == nullptr) {
    found.variants = put_together(found, true);
    return executor.post([found, done = std::move(done)] { done(found); });
  }
  disk_tier->peek(key, executor, [this, found, complete, done = std::move(done)](VariantSetPtr on_disk) {
    Peeked both = found;
    both.on_disk = std::move(on_disk);
    both.variants = put_together(both, complete);
    done(std::move(both));
  });
}

VariantSetPtr TieredStore::put_together(const Peeked& found, bool complete) const {
  VariantSetPtr in_memory = found.in_memory ? only_current(found.in_memory) : nullptr;
  VariantSetPtr on_disk = found.on_disk ? only_current(found.on_disk) : nullptr;
  if (!on_disk || (in_memory && complete)) return in_memory;
  return in_memory ? VariantSetPtr(memory_.with_others(*in_memory, *on_disk)) : on_disk;
}

std::unique_ptr<StoreWriter> TieredStore::begin(const CacheKey& key,
                                                std::optional<std::uint64_t> expected_size) {
  if (elsewhere() != nullptr) return nullptr;
  ResponseStore* const disk_tier = disk();
  std::unique_ptr<StoreWriter> on_disk =
      disk_tier != nullptr && log_works() ? disk_tier->begin(key, expected_size) : nullptr;
  if (!on_disk && expected_size.value_or(0) > max_in_memory()) return nullptr;
  return std::make_unique<Writer>(*this, std::move(on_disk));
}

void TieredStore::freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) {
  memory_.freshen(old, fresh);
  counters_.add(Counter::kFreshened);
  if (ResponseStore* const disk_tier = disk_for(fresh->head())) disk_tier->freshen(old, fresh);
}

void TieredStore::add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) {
  const StoredResponsePtr kept = has_piece(added) ? copy_of(*added, describe()) : added;
  if (kept) {
    memory_.add_variant(old, kept);
  } else {
    memory_.remove(added->head().key);  // it would not know all variants
  }
  counters_.add(Counter::kFreshened);
  if (ResponseStore* const disk_tier = disk_for(added->head())) disk_tier->add_variant(old, added);
}

void TieredStore::remove(const CacheKey& key) {
  memory_.remove(key);
  if (later_) (void)note_later(key);
  if (ResponseStore* const disk_tier = disk()) disk_tier->remove(key);
}

void TieredStore::remove(const StoredResponse& response) {
  memory_.remove(response);
  if (later_) (void)note_later(response.head().key);
  if (ResponseStore* const disk_tier = disk()) disk_tier->remove(response);
}

void TieredStore::settle() {
  if (queue_) queue_->settle();
  if (ResponseStore* const disk_tier = disk()) disk_tier->settle();
}

void TieredStore::invalidate(const CacheKey& key) {
  invalidate_beside(key);
  counters_.add(Counter::kInvalidated);
}

void TieredStore::invalidate_beside(const CacheKey& key) {
  generations_.invalidate(key);
  remove(key);
  if (InvalidatedElsewhere* const other = elsewhere()) other->invalidate(key);
}

void TieredStore::invalidate_tag(std::string_view tag) {
  const Sequence sequence = generations_.invalidate_tag(tag);
  if (queue_) queue_->keep(tag_record(tag, sequence));
  if (InvalidatedElsewhere* const other = elsewhere()) other->invalidate_tag(tag);
  counters_.add(Counter::kTagsInvalidated);
}

void TieredStore::purge(const Invalidation& invalidation, Executor& executor,
                        std::function<void(const Acknowledgement&)> done) {
  counters_.add(Counter::kPurges);
  counters_.add(Counter::kPurgeScopes, static_cast<std::int64_t>(invalidation.scopes.size()));
  if (queue_ && elsewhere() == nullptr && queue_->purge(invalidation, executor, done)) return;
  if (queue_) {
    const Acknowledgement refused{0, false, "this process hands over to another; ask again"};
    counters_.add(Counter::kPurgesNotDurable);
    return executor.post([done = std::move(done), refused] { done(refused); });
  }
  Acknowledgement acknowledgement;
  acknowledgement.durable = disk() == nullptr;
  if (!acknowledgement.durable) {
    acknowledgement.error = "there is no log of invalidations";
    counters_.add(Counter::kPurgesNotDurable);
  }
  do {
    acknowledgement.sequence = generations_.ahead();
  } while (!generations_.apply(records_of(invalidation, acknowledgement.sequence)));
  applied(invalidation);
  executor.post([done = std::move(done), acknowledgement] { done(acknowledgement); });
}

// What is dead is forgotten when it is met, or by the disk tier's own walk; a URL's room is given back at
// once.
void TieredStore::applied(const Invalidation& invalidation) {
  if (invalidation.strength == Strength::kSoft) return;
  bool many = false;
  for (const Scope& scope : invalidation.scopes) {
    many = many || scope.kind != ScopeKind::kUrl;
    if (scope.kind == ScopeKind::kUrl) remove({scope.text, digest128(scope.text)});
  }
  ResponseStore* const disk_tier = disk();
  if (many && disk_tier != nullptr) disk_tier->sweep_soon();
}

void TieredStore::drop_older_than(Sequence hard_floor, Sequence soft_floor) {
  // Not above what was current at the walk before: so a fill that was open, or a response that was in memory
  // alone, has had the time of a walk to come to an end.
  const Sequence bound = last_walk_.exchange(generations_.current());
  hard_floor = std::min(hard_floor, bound);
  soft_floor = std::min(soft_floor, bound);
  if (queue_) return queue_->drop_older_than(hard_floor, soft_floor);
  generations_.drop_older_than(hard_floor, soft_floor);
}

}  // namespace freshet::storage
