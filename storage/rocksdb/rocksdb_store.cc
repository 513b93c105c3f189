#include "storage/rocksdb/rocksdb_store.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/rocksdb/disk_evictor.h"
#include "storage/rocksdb/head_sweeper.h"
#include "storage/rocksdb/housekeeper.h"
#include "storage/rocksdb/rocksdb_writer.h"
#include "storage/rocksdb/store_core.h"
#include "storage/rocksdb/variant_reader.h"

namespace freshet::storage {

namespace {

constexpr std::uint64_t kFreshenCost = 2048;  // what a waiting rewrite of a head counts in the backlog
constexpr Milliseconds kLongestRound{1000};

// The record of the response that the caller knows as `known`, if it is still the one that is stored.
std::optional<StoredHead> read_stored(StoreCore& core, const StoredHead& known, BodyPlace& place) {
  std::string record;
  const std::string at = head_key(known.key.digest, variant_digest(known.selecting));
  if (core.database().read_head(at, record) != ReadStatus::kFound) return std::nullopt;
  std::optional<StoredHead> stored = decode_head(record, &place);
  if (!stored || !(stored->key == known.key) || stored->body_id != known.body_id) return std::nullopt;
  return stored;
}

void rewrite_head(StoreCore& core, Removals::Ticket ticket, const StoredResponse& old,
                  const StoredResponse& fresh, bool keep_old) {
  const Digest128& key = old.head().key.digest;
  BodyPlace body;
  const std::optional<StoredHead> stored = read_stored(core, old.head(), body);
  if (!stored || core.removals().supersedes(key, ticket)) return;
  StoredHead head = fresh.head();
  head.body_id = stored->body_id;
  head.body_size = stored->body_size;
  head.sliced = stored->sliced;
  if (!core.is_current(head)) return;
  Database::Batch batch;
  // A 304 may have changed what Vary names.
  if (!keep_old && fresh.variant() != old.variant())
    batch.head_deletes.push_back(head_key(key, old.variant()));
  const std::string place = head_key(key, fresh.variant());
  batch.head_puts.emplace_back(place, encode_head(head, body));
  if (keep_old) core.bound_variants(head, place, batch);
  if (!core.write(batch)) return;
  core.note_head(head);
  core.counters().add(Counter::kDiskHeadRewrites);
}

}  // namespace

Result<std::unique_ptr<RocksdbStore>> RocksdbStore::open(RocksdbOptions options, Describe describe,
                                                         Counters& counters) {
  DatabaseOptions database_options;
  database_options.directory = options.directory;
  database_options.byte_limit = options.byte_limit;
  database_options.memory = options.memory;
  database_options.max_open_files = options.max_open_files;
  database_options.env = options.env;
  if (options.is_current) {
    database_options.head_is_dead = [is_current = options.is_current](std::string_view record) {
      const std::optional<StoredHead> head = decode_head(record);
      return head && !is_current(*head);
    };
  }
  Result<std::unique_ptr<Database>> database = Database::open(database_options, counters);
  if (!database.ok()) return Error{database.error()};
  options.io_threads = std::max<std::size_t>(options.io_threads, 1);
  const std::string directory = options.directory;
  auto core = std::make_shared<StoreCore>(std::move(options), std::move(describe), counters, database.take());
  if (Status ids = core->reserve_body_ids(); !ids.ok()) {
    return Error{"cannot write to the store in " + directory + ": " + ids.error()};
  }
  return std::unique_ptr<RocksdbStore>(new RocksdbStore(std::move(core)));
}

RocksdbStore::RocksdbStore(std::shared_ptr<StoreCore> core) : core_(std::move(core)) {
  // Half the bound, so that a write which just missed a round is synced in time by the next.
  const Milliseconds half = std::max(core_->options().loss_bound / 2, Milliseconds{1});
  housekeeper_ = std::make_unique<Housekeeper>(std::min(half, kLongestRound),
                                               [core = core_.get()] { core->housekeep(); });
  evictor_ = std::make_unique<DiskEvictor>(core_);
  sweeper_ = std::make_unique<HeadSweeper>(core_, *evictor_);
}

RocksdbStore::~RocksdbStore() {
  housekeeper_ = nullptr;
  sweeper_ = nullptr;
  core_->close();  // what waits to be written may need room
  evictor_ = nullptr;
}

Status RocksdbStore::release(const std::function<void()>& pass) {
  housekeeper_ = nullptr;
  sweeper_ = nullptr;
  core_->stop_changes();
  evictor_ = nullptr;
  return core_->release(pass);
}

void RocksdbStore::flush() {
  core_->settle();
  if (Status flushed = core_->database().flush(); !flushed.ok())
    core_->report_error("flush failed: " + flushed.error());
}

ResponseStore::LookupResult RocksdbStore::try_lookup(const CacheKey& key) {
  LookupResult result;
  const ReadStatus status = VariantReader(*core_, key, true).read(result.variants);
  if (status == ReadStatus::kWouldBlock) {
    result.found = Found::kNeedsIo;
    return result;
  }
  result.found = status == ReadStatus::kFound ? Found::kYes : Found::kNo;
  return result;
}

void RocksdbStore::lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) {
  core_->post_read([core = core_, key, &executor, done = std::move(done)] {
    VariantSetPtr variants;
    VariantReader(*core, key, false).read(variants);
    executor.post([done, variants = std::move(variants)] { done(variants); });
  });
}

void RocksdbStore::peek(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) {
  core_->post_read([core = core_, key, &executor, done = std::move(done)] {
    VariantSetPtr variants;
    VariantReader reader(*core, key, false);
    reader.leave_no_trace();
    reader.read(variants);
    executor.post([done, variants = std::move(variants)] { done(variants); });
  });
}

std::unique_ptr<StoreWriter> RocksdbStore::begin(const CacheKey& key,
                                                 std::optional<std::uint64_t> expected_size) {
  if (!core_->takes_writes() || expected_size.value_or(0) > core_->largest_body()) {
    core_->counters().add(Counter::kDiskWritesRefused);
    return nullptr;
  }
  return std::make_unique<RocksdbWriter>(core_, key);
}

void RocksdbStore::freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) {
  write_head(old, fresh, false);
}

void RocksdbStore::add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) {
  write_head(old, added, true);
}

void RocksdbStore::write_head(const StoredResponsePtr& old, const StoredResponsePtr& fresh, bool keep_old) {
  FRESHET_CHECK(old->head().key == fresh->head().key);
  if (!core_->takes_writes() || !core_->charge(kFreshenCost)) {
    // The stored head stays as it was: older, and validated again when it is used.
    core_->counters().add(Counter::kDiskWritesRefused);
    return;
  }
  const Removals::Ticket ticket = core_->removals().next_ticket();
  core_->post_change([core = core_, ticket, old, fresh, keep_old] {
    rewrite_head(*core, ticket, *old, *fresh, keep_old);
    core->discharge(kFreshenCost);
  });
}

void RocksdbStore::remove(const CacheKey& key) {
  core_->remove_key(key.digest);
}

void RocksdbStore::remove(const StoredResponse& response) {
  const StoredHead& head = response.head();
  if (head.body_id != 0) core_->remove_body(head.key.digest, head.body_id);
}

void RocksdbStore::settle() {
  core_->settle();
  evictor_->settle();
}

void RocksdbStore::sweep_soon() {
  sweeper_->soon();
}

void RocksdbStore::sweep() {
  core_->wait_for_changes();
  sweeper_->sweep();
  evictor_->settle();
}

Result<std::uint64_t> RocksdbStore::reserve_ids(const std::string& name, std::uint64_t count) {
  return core_->database().reserve_ids(name, count);
}

Result<std::vector<ScopeRecord>> RocksdbStore::old_invalidations() const {
  const auto tags = core_->database().old_tags();
  if (!tags.ok()) return Error{tags.error()};
  std::vector<ScopeRecord> records;
  for (const auto& [tag, sequence] : tags.value())
    records.push_back({{ScopeKind::kTag, tag}, Strength::kHard, sequence, {}, {}});
  return records;
}

Result<bool> RocksdbStore::bind_log(std::uint64_t id) {
  return core_->database().bind_log(id);
}

std::uint64_t RocksdbStore::held_bytes() const {
  return core_->held_chunks().held();
}

bool RocksdbStore::lacks_room() const {
  return core_->lacks_room();
}

std::uint64_t RocksdbStore::file_bytes() const {
  const Database& database = core_->database();
  return database.head_file_bytes() + database.body_file_bytes(BodyFamily::kNewcomers) +
         database.body_file_bytes(BodyFamily::kMain);
}

}  // namespace freshet::storage
