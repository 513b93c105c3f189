#include "storage/rocksdb/invalidation_database.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>
#include <utility>

#include "storage/base/log.h"
#include "storage/rocksdb/record.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace freshet::storage {

namespace {

constexpr std::uint32_t kLogVersion = 1;
constexpr const char* kFormatKey = "format";
constexpr const char* kIdKey = "id";
constexpr const char* kReservedKey = "reserved";
constexpr char kScopePrefix = 's';
constexpr std::size_t kScopeKeySize = 19;
constexpr std::size_t kLeastRecord = 8 + 16;
constexpr std::size_t kDropBatch = 16384;
constexpr Sequence kBlock = Sequence{1} << 40U;
constexpr std::size_t kKiB = 1024;

std::string scope_key(const ScopeName& name, Strength strength) {
  std::string key(1, kScopePrefix);
  key.push_back(static_cast<char>(name.kind));
  key.push_back(static_cast<char>(strength));
  return key.append(head_key_prefix(name.digest));
}

std::string encode(const ScopeRecord& record) {
  return encode_u64(record.sequence).append(head_key_prefix(record.host)).append(record.text);
}

std::optional<ScopeRecord> decode(std::string_view key, std::string_view value) {
  if (key.size() != kScopeKeySize || value.size() < kLeastRecord) return std::nullopt;
  const auto kind = static_cast<unsigned char>(key[1]);
  const auto strength = static_cast<unsigned char>(key[2]);
  if (kind > static_cast<unsigned char>(ScopeKind::kUrl) ||
      strength > static_cast<unsigned char>(Strength::kSoft))
    return std::nullopt;
  ScopeRecord record;
  record.name = {static_cast<ScopeKind>(kind), *decode_digest(key.substr(3))};
  record.strength = static_cast<Strength>(strength);
  record.sequence = *decode_u64(value.substr(0, 8));
  record.host = *decode_digest(value.substr(8, 16));
  record.text = value.substr(kLeastRecord);
  return record;
}

std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

Status to_status(const rocksdb::Status& status) {
  return status.ok() ? Status() : Status(Error{status.ToString()});
}

rocksdb::WriteOptions write_options(bool synced) {
  rocksdb::WriteOptions options;
  options.sync = synced;
  return options;
}

rocksdb::Options make_options(rocksdb::Env* env) {
  rocksdb::Options options;
  if (env != nullptr) options.env = env;
  options.create_if_missing = true;
  options.max_open_files = 32;
  options.avoid_flush_during_recovery = true;  // on a full disk, less to write
  options.max_bgerror_resume_count = 0;
  options.max_background_jobs = 2;
  options.write_buffer_size = kKiB * kKiB;
  options.arena_block_size = 64 * kKiB;
  options.target_file_size_base = 4 * kKiB * kKiB;
  options.max_bytes_for_level_base = 16 * kKiB * kKiB;
  options.compression = rocksdb::kNoCompression;
  // A torn end is what a crash leaves; anything else is damage, and nothing that was synced may be passed
  // over.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_log_file_size = 128 * kKiB;
  options.keep_log_file_num = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.max_manifest_file_size = 256 * kKiB;
  options.manifest_preallocation_size = 16 * kKiB;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kKiB * kKiB, 0);
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

bool is_locked(const rocksdb::Status& status) {
  return status.IsIOError() && status.ToString().find("LOCK") != std::string::npos;
}

// Not a disk that is full or does not answer: that passes.
bool is_damage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsPathNotFound();
}

rocksdb::Status as_damage(const rocksdb::Status& status) {
  return status.IsNotFound() ? rocksdb::Status::Corruption("a record is missing") : status;
}

// Which file stands under a name; zeros where none does.
using FileId = std::pair<dev_t, ino_t>;

FileId file_at(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? FileId{found.st_dev, found.st_ino} : FileId{};
}

Status set_aside(const std::string& directory) {
  const std::string aside = directory + ".damaged";
  std::error_code failure;
  std::filesystem::remove_all(aside, failure);
  std::filesystem::rename(directory, aside, failure);
  if (!failure) std::filesystem::create_directories(directory, failure);
  if (failure) return Error{"cannot rename " + directory + " to " + aside + ": " + failure.message()};
  return {};
}

}  // namespace

struct InvalidationDatabase::Rocks {
  explicit Rocks(Options given) : options(std::move(given)) {}
  ~Rocks() { close(); }
  Rocks(const Rocks&) = delete;
  Rocks& operator=(const Rocks&) = delete;

  rocksdb::Status open() {
    rocksdb::DB* opened = nullptr;
    rocksdb::Status status = rocksdb::DB::Open(make_options(options.env), options.directory, &opened);
    db.reset(opened);
    if (status.ok()) lock_file = file_at(options.directory + "/LOCK");
    return status;
  }
  // Files that were removed, or moved, are written to without an error, and nobody finds them again. LOCK is
  // never replaced while the log is open.
  [[nodiscard]] Status check_directory() const {
    rocksdb::Env* const env = options.env != nullptr ? options.env : rocksdb::Env::Default();
    const bool there = !env->FileExists(options.directory + "/CURRENT").IsNotFound();
    if (there && file_at(options.directory + "/LOCK") == lock_file) return {};
    return Error{"the files in " + options.directory +
                 " were removed while they were in use; restart to begin anew"};
  }
  void close() {
    if (db) db->Close();
    db.reset();
  }

  const Options options;
  std::unique_ptr<rocksdb::DB> db;
  FileId lock_file;
};

InvalidationDatabase::InvalidationDatabase(const Options& options)
    : rocks_(std::make_unique<Rocks>(options)) {}
InvalidationDatabase::~InvalidationDatabase() = default;

Result<std::unique_ptr<InvalidationDatabase>> InvalidationDatabase::open(const Options& options) {
  const std::string what = "the log of invalidations in " + options.directory;
  std::error_code failure;
  std::filesystem::create_directories(options.directory, failure);
  if (failure) return Error{"cannot create " + options.directory + ": " + failure.message()};
  std::unique_ptr<InvalidationDatabase> log(new InvalidationDatabase(options));
  rocksdb::Status opened = log->begin();
  if (is_damage(opened)) {
    log_event(LogLevel::kError, what + " cannot be read (" + opened.ToString() +
                                    "): it is set aside, and all that is stored is forgotten");
    log = nullptr;
    if (Status aside = set_aside(options.directory); !aside.ok()) return Error{aside.error()};
    log.reset(new InvalidationDatabase(options));
    opened = log->begin();
  }
  if (opened.ok()) return log;
  if (is_locked(opened)) return Error{what + " is in use by another process (" + opened.ToString() + ")"};
  return Error{"cannot open " + what + ": " + opened.ToString()};
}

rocksdb::Status InvalidationDatabase::begin() {
  rocksdb::Status status = rocks_->open();
  if (!status.ok()) return status;
  std::string id;
  status = rocks_->db->Get({}, kIdKey, &id);
  if (status.IsNotFound()) return make_new();
  if (!status.ok()) return status;
  std::string format;
  status = rocks_->db->Get({}, kFormatKey, &format);
  if (!status.ok()) return as_damage(status);
  if (format != encode_u32(kLogVersion)) {
    return rocksdb::Status::NotSupported("it has format version " +
                                         std::to_string(decode_u32(format).value_or(0)) +
                                         ", this program reads version " + std::to_string(kLogVersion));
  }
  std::string reserved;
  status = rocks_->db->Get({}, kReservedKey, &reserved);
  if (!status.ok()) return as_damage(status);
  if (!decode_u64(id) || !decode_u64(reserved)) return rocksdb::Status::Corruption("numbers are damaged");
  id_ = *decode_u64(id);
  reserved_ = *decode_u64(reserved);
  return visit([](const rocksdb::Slice& /*key*/, const ScopeRecord& /*record*/) {});
}

rocksdb::Status InvalidationDatabase::make_new() {
  std::random_device random;
  id_ = (std::uint64_t{random()} << 32U | random()) | 1U;
  reserved_ = 1;
  rocksdb::WriteBatch batch;
  batch.Put(kFormatKey, encode_u32(kLogVersion));
  batch.Put(kIdKey, encode_u64(id_));
  batch.Put(kReservedKey, encode_u64(reserved_));
  return rocks_->db->Write(write_options(true), &batch);
}

rocksdb::Status InvalidationDatabase::visit(
    const std::function<void(const rocksdb::Slice& key, ScopeRecord record)>& each) const {
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator({}));
  for (at->Seek(std::string(1, kScopePrefix)); at->Valid(); at->Next()) {
    auto record = decode(view(at->key()), view(at->value()));
    if (!record) return rocksdb::Status::Corruption("a record of an invalidation is damaged");
    each(at->key(), std::move(*record));
  }
  return at->status();
}

Result<std::vector<ScopeRecord>> InvalidationDatabase::records() const {
  std::vector<ScopeRecord> records;
  const rocksdb::Status status =
      visit([&](const rocksdb::Slice& /*key*/, ScopeRecord record) { records.push_back(std::move(record)); });
  if (!status.ok()) return Error{status.ToString()};
  return records;
}

Status InvalidationDatabase::write(const Batch& batch, bool synced) {
  if (!rocks_->db) return Error{"the log of invalidations is not open"};
  rocksdb::WriteBatch out;
  for (const ScopeName& name : batch.gone) {
    for (const Strength strength : {Strength::kHard, Strength::kSoft}) out.Delete(scope_key(name, strength));
  }
  for (const ScopeRecord& record : batch.puts)
    out.Put(scope_key(record.name, record.strength), encode(record));
  for (const ScopeRecord& record : batch.newest) {
    out.Put(scope_key(record.name, record.strength), encode(record));
    if (record.strength == Strength::kHard) out.Delete(scope_key(record.name, Strength::kSoft));
  }
  const Sequence reserved = std::max(batch.reserved, reserved_);
  // Also where there is nothing else: a batch without content would not be synced.
  out.Put(kReservedKey, encode_u64(reserved));
  const rocksdb::Status written = rocks_->db->Write(write_options(synced), &out);
  if (written.ok()) reserved_ = reserved;
  Status status = done(written);
  if (!status.ok() || !synced) return status;
  status = rocks_->check_directory();
  if (!status.ok()) rocks_->close();
  return status;
}

Status InvalidationDatabase::drop_older_than(Sequence hard_floor, Sequence soft_floor) {
  if (!rocks_->db) return Error{"the log of invalidations is not open"};
  rocksdb::WriteBatch out;
  const auto floor_of = [&](Strength strength) {
    return strength == Strength::kHard ? hard_floor : soft_floor;
  };
  for (const Strength strength : {Strength::kHard, Strength::kSoft}) {
    if (floor_of(strength) == 0) continue;
    ScopeRecord floor{{ScopeKind::kAll, {}}, strength, floor_of(strength), {}, {}};
    const std::string key = scope_key(floor.name, strength);
    std::string kept;
    const rocksdb::Status read = rocks_->db->Get({}, key, &kept);
    if (!read.ok() && !read.IsNotFound()) return to_status(read);
    if (const auto had = decode(key, kept); had && had->sequence >= floor.sequence) continue;
    out.Put(key, encode(floor));
  }
  // The floors come with the first of the deletes.
  rocksdb::Status written;
  const rocksdb::Status visited = visit([&](const rocksdb::Slice& key, const ScopeRecord& record) {
    if (record.name.kind == ScopeKind::kAll || record.sequence > floor_of(record.strength)) return;
    out.Delete(key);
    if (out.Count() < static_cast<int>(kDropBatch)) return;
    if (written.ok()) written = rocks_->db->Write(write_options(true), &out);
    out.Clear();
  });
  if (written.ok()) written = visited;
  if (written.ok() && out.Count() > 0) written = rocks_->db->Write(write_options(true), &out);
  return done(written);
}

// Nothing is made anew: where the files are gone, so is what they had.
Status InvalidationDatabase::recover() {
  if (rocks_->db) return {};
  Status status = rocks_->check_directory();
  return status.ok() ? to_status(rocks_->open()) : status;
}

// As Debian builds RocksDB, a sync after a write to its log that failed may end the process, Resume() or not:
// it is closed at once, and opened again it has all that was written with success.
Status InvalidationDatabase::done(const rocksdb::Status& written) {
  if (!written.ok()) rocks_->close();
  return to_status(written);
}

Status restore_invalidations(RocksdbStore& store, InvalidationDatabase& log, Generations& generations) {
  Result<std::vector<ScopeRecord>> old = store.old_invalidations();
  if (!old.ok()) return Error{old.error()};
  // Both give numbers: should the log be lost, the store still knows which have been issued.
  const Result<std::uint64_t> block = store.reserve_ids("invalidations", kBlock);
  if (!block.ok()) return Error{block.error()};
  const Sequence first = std::max({block.value(), log.reserved(), generations.current()});
  if (first > block.value()) {
    const Result<std::uint64_t> rest = store.reserve_ids("invalidations", first - block.value());
    if (!rest.ok()) return Error{rest.error()};
  }
  InvalidationLog::Batch batch;
  batch.puts = old.take();
  batch.reserved = first + kBlock;
  if (Status written = log.write(batch, true); !written.ok()) return written;
  const Result<bool> known = store.bind_log(log.id());
  if (!known.ok()) return Error{known.error()};
  if (!known.value())
    log_event(LogLevel::kError,
              "the log of invalidations is not the store's: all that is stored is forgotten");
  Result<std::vector<ScopeRecord>> records = log.records();
  if (!records.ok()) return Error{records.error()};
  generations.raise_to(first);
  generations.restore(records.take());
  return {};
}

}  // namespace freshet::storage
