#include "storage/rocksdb/database.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/write_batch.h>
#include <set>
#include <utility>

#include "storage/base/log.h"
#include "storage/rocksdb/database_options.h"
#include "storage/rocksdb/guarded_files.h"
#include "storage/rocksdb/nowait_files.h"

namespace freshet::storage {

namespace {

constexpr const char* kHeads = "responses";
constexpr const char* kBodies = "bodies";  // newcomers, since version 3
constexpr const char* kMainBodies = "bodies_main";
constexpr const char* kState = "state";
constexpr const char* kFormatKey = "format";
constexpr const char* kIdPrefix = "ids/";
constexpr const char* kLogKey = "invalidation-log";
// Of earlier programs.
constexpr const char* kTagPrefix = "tag/";
constexpr const char* kTagEnd = "tag0";  // the first key behind those
constexpr const char* kTagFloorKey = "tag-floor";
constexpr std::uint64_t kPage = 4096;
// More ids than may be given and not yet written: what waits to be written is bounded.
constexpr std::uint64_t kIdsOnTheWay = 1 << 17;
constexpr std::uint64_t kSmallestLimit = 16ULL * 1024 * 1024;

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

ReadStatus read_status(const rocksdb::Status& status) {
  if (status.ok()) return ReadStatus::kFound;
  if (status.IsNotFound()) return ReadStatus::kMissing;
  if (status.IsBusy() || status.IsIncomplete()) return ReadStatus::kWouldBlock;
  return status.IsCorruption() ? ReadStatus::kDamaged : ReadStatus::kFailed;
}

Status to_status(const rocksdb::Status& status) {
  return status.ok() ? Status() : Status(Error{status.ToString()});
}

// A block of the cache, pinned as long as a chunk needs it. The slice goes first: it gives the block back
// to the cache.
struct PinnedRecord {
  explicit PinnedRecord(std::shared_ptr<rocksdb::Cache> owner) : cache(std::move(owner)) {}
  std::shared_ptr<rocksdb::Cache> cache;
  rocksdb::PinnableSlice slice;
};

Error version_error(const std::string& directory, const std::string& found) {
  return {"cache directory " + directory + " has store format version " + found +
          ", this program reads version " + std::to_string(kFormatVersion) +
          "; move it away or name another directory"};
}

std::string describe_version(const std::string& value) {
  const auto version = decode_u32(value);
  return version ? std::to_string(*version) : "unknown";
}

Error open_error(const std::string& directory, const rocksdb::Status& status) {
  const std::string text = status.ToString();
  if (status.IsIOError() && text.find("LOCK") != std::string::npos &&
      text.find("lock") != std::string::npos) {
    return {"cache directory " + directory + " is in use by another process (" + text + ")"};
  }
  return {"cannot open the store in " + directory + ": " + text};
}

rocksdb::Env& env_of(const DatabaseOptions& options) {
  return options.env != nullptr ? *options.env : *rocksdb::Env::Default();
}

// A store of another version may have other families, which RocksDB would refuse with words of its own.
Status check_families(rocksdb::Env& env, const std::string& directory) {
  if (!env.FileExists(directory + "/CURRENT").ok()) return {};
  rocksdb::DBOptions options;
  options.env = &env;
  std::vector<std::string> names;
  // What cannot be read is opening's to tell.
  if (!rocksdb::DB::ListColumnFamilies(options, directory, &names).ok()) return {};
  const std::set<std::string> ours{rocksdb::kDefaultColumnFamilyName, kHeads, kBodies, kMainBodies, kState};
  const bool known = std::all_of(names.begin(), names.end(),
                                 [&ours](const std::string& name) { return ours.count(name) > 0; });
  return known ? Status() : Status(version_error(directory, "unknown"));
}

// What is gone meanwhile is fine: RocksDB deletes a log once its content is in tables.
rocksdb::IOStatus sync_file(rocksdb::FileSystem& files, const std::string& path) {
  std::unique_ptr<rocksdb::FSRandomRWFile> file;  // of these alone, opening makes no file
  rocksdb::IOStatus status = files.NewRandomRWFile(path, {}, &file, nullptr);
  if (status.IsPathNotFound()) return rocksdb::IOStatus::OK();
  if (status.ok()) status = file->Fsync({}, nullptr);
  return status;
}

rocksdb::IOStatus sync_directory(rocksdb::FileSystem& files, const std::string& path) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  rocksdb::IOStatus status = files.NewDirectory(path, {}, &directory, nullptr);
  if (status.ok()) status = directory->FsyncWithDirOptions({}, nullptr, {});
  return status;
}

// RocksDB hands each write to the kernel, so the log files hold all of it. Not DB::SyncWAL(): as Debian
// builds it, that ends the process where a write to the log failed before or fails meanwhile: a full disk.
rocksdb::IOStatus sync_logs(rocksdb::FileSystem& files, const std::string& directory) {
  std::vector<std::string> names;
  rocksdb::IOStatus status = files.GetChildren(directory, {}, &names, nullptr);
  for (const std::string& name : names) {
    if (status.ok() && std::filesystem::path(name).extension() == ".log")
      status = sync_file(files, (std::filesystem::path(directory) / name).string());
  }
  return status.ok() ? sync_directory(files, directory) : status;
}

bool has_files_of_a_store(const std::string& directory) {
  std::error_code ignored;
  for (const auto& each : std::filesystem::directory_iterator(directory, ignored)) {
    const std::filesystem::path name = each.path().filename();
    if (name.extension() == ".sst" || name.string().rfind("MANIFEST-", 0) == 0) return true;
  }
  return false;
}

// Where CURRENT is gone RocksDB would begin a new store among the files of the old one. Looked at under
// RocksDB's lock, so that no other process is just making it.
bool lost_its_beginning(const DatabaseOptions& options) {
  rocksdb::FileSystem& files = *env_of(options).GetFileSystem();
  rocksdb::FileLock* lock = nullptr;
  if (!files.LockFile(options.directory + "/LOCK", {}, &lock, nullptr).ok()) return false;
  const bool lost = files.FileExists(options.directory + "/CURRENT", {}, nullptr).IsNotFound() &&
                    has_files_of_a_store(options.directory);
  (void)files.UnlockFile(lock, {}, nullptr);
  return lost;
}

// No more can be told of the store: which tables are its, or which numbers were given.
bool is_damage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound();
}

std::string damaged_name(const std::string& directory) {
  return directory + ".damaged-" + std::to_string(wall_now().time_since_epoch().count());
}

// A lenient RocksDB would leave records of the log out, and go on with later ones.
bool is_of_log(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  return text.find(".log") != std::string::npos || text.find("WAL") != std::string::npos;
}

// The last one alone is kept: they count in no limit.
Status move_aside(const std::string& directory, const std::string& why) {
  const std::filesystem::path place(directory);
  std::error_code failure;
  for (const auto& each : std::filesystem::directory_iterator(place.parent_path(), failure)) {
    if (each.path().filename().string().rfind(place.filename().string() + ".damaged-", 0) != 0) continue;
    std::error_code ignored;
    std::filesystem::remove_all(each.path(), ignored);
  }
  const std::string aside = damaged_name(directory);
  std::filesystem::rename(directory, aside, failure);
  if (failure)
    return Error{"the store in " + directory + " is damaged (" + why +
                 ") and cannot be moved away: " + failure.message()};
  std::filesystem::create_directories(directory, failure);
  if (failure) return Error{"cannot create cache directory " + directory + ": " + failure.message()};
  log_event(LogLevel::kError, "disk tier: the store in " + directory + " is damaged (" + why +
                                  "); it was moved to " + aside +
                                  ", which may be deleted, and an empty one is begun");
  return {};
}

}  // namespace

struct Database::Rocks {
  Rocks(DatabaseOptions given, Counters& its_counters)
      : options(std::move(given)),
        counters(its_counters),
        budget(divide_budget(options.byte_limit, options.memory)),
        cache(make_block_cache(options.memory)),
        files(std::make_shared<GuardedFiles>(env_of(options).GetFileSystem())),
        guarded_env(rocksdb::NewCompositeEnv(files)),
        env(make_nowait_env(*guarded_env, /*page_cache=*/options.env == nullptr)),
        events(its_counters),
        filter([this](std::string_view record) { return is_dead(record); }, its_counters) {}
  ~Rocks() {
    if (!db) return;
    for (rocksdb::ColumnFamilyHandle* family : {default_family, heads, bodies[0], bodies[1], state}) {
      if (family != nullptr) db->DestroyColumnFamilyHandle(family);
    }
    db->Close();
  }
  Rocks(const Rocks&) = delete;
  Rocks& operator=(const Rocks&) = delete;

  const DatabaseOptions options;
  Counters& counters;
  const DiskBudget budget;
  const std::shared_ptr<rocksdb::Cache> cache;
  const std::shared_ptr<GuardedFiles> files;
  const std::unique_ptr<rocksdb::Env> guarded_env;
  const std::unique_ptr<rocksdb::Env> env;
  SeenEvents seen;
  // Of each family: below the floor, or above the ceiling but older than this process, all is gone.
  std::array<std::atomic<std::uint64_t>, kBodyFamilies> floors{};
  std::array<std::atomic<std::uint64_t>, kBodyFamilies> ceilings{};
  // The highest id in a file that was dropped.
  std::array<std::atomic<std::uint64_t>, kBodyFamilies> dropped{};
  std::array<bool, kBodyFamilies> merging{};  // under drop_mutex_
  std::atomic<std::uint64_t> first_id{0};
  std::atomic<std::uint64_t> measured{0};
  std::atomic<std::uint64_t> written_since{0};
  FileEvents events;
  DeadHeadFilter filter;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::ColumnFamilyHandle* default_family = nullptr;
  rocksdb::ColumnFamilyHandle* heads = nullptr;
  std::array<rocksdb::ColumnFamilyHandle*, kBodyFamilies> bodies{};
  rocksdb::ColumnFamilyHandle* state = nullptr;

  [[nodiscard]] bool is_gone(const BodyPlace& place) const;
  [[nodiscard]] bool is_dead(std::string_view record) const;
  // Corruption: see is_damage(). `lenient`: with tables that cannot be read; what they hold is lost.
  rocksdb::Status open(bool lenient = false);
  [[nodiscard]] rocksdb::Status read_state() const;
  Status check_format();
  Status write_format();
  [[nodiscard]] rocksdb::Status put_format(const rocksdb::WriteOptions& write) const;
  [[nodiscard]] bool is_readable(const rocksdb::LiveFileMetaData& table) const;
  void forget_damaged_heads() const;
  // Whether RocksDB may merge the family's files; false: it could not be told.
  bool set_merging(BodyFamily family, bool wanted);
  [[nodiscard]] std::uint64_t file_bytes(rocksdb::ColumnFamilyHandle* family) const;
  [[nodiscard]] rocksdb::ColumnFamilyHandle* of(BodyFamily family) const {
    return bodies[static_cast<std::size_t>(family)];
  }
};

rocksdb::Status Database::Rocks::open(bool lenient) {
  rocksdb::DBOptions db_options = make_db_options(options, budget, cache);
  db_options.env = env.get();
  db_options.paranoid_checks = !lenient;
  db_options.listeners.push_back(std::make_shared<DropListener>(events, seen, counters));
  const std::vector<rocksdb::ColumnFamilyDescriptor> families{
      {rocksdb::kDefaultColumnFamilyName, make_state_options()},
      {kHeads, make_head_options(budget, cache, &filter)},
      {kBodies, make_body_options(budget, cache)},
      {kMainBodies, make_body_options(budget, cache)},
      {kState, make_state_options()}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(db_options, options.directory, families, &handles, &opened);
  if (!status.ok()) return status;
  db.reset(opened);
  default_family = handles[0];
  heads = handles[1];
  bodies = {handles[2], handles[3]};
  state = handles[4];
  if (lenient) forget_damaged_heads();
  return read_state();
}

rocksdb::Status Database::Rocks::read_state() const {
  rocksdb::ReadOptions all;
  all.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(all, state));
  at->SeekToFirst();
  while (at->Valid()) at->Next();
  return at->status();
}

Status Database::Rocks::check_format() {
  std::string found;
  const rocksdb::Status read = db->Get({}, state, kFormatKey, &found);
  if (read.ok()) {
    const std::uint32_t version = decode_u32(found).value_or(0);
    if (version == kFormatVersion) return {};
    if (version < kOldestFormatVersion || version > kFormatVersion)
      return version_error(options.directory, describe_version(found));
    // Its records are read as they are; from now on there may be newer ones.
    return write_format();
  }
  if (!read.IsNotFound()) return open_error(options.directory, read);
  // A new store, or one whose making was cut short before its first write.
  const std::unique_ptr<rocksdb::Iterator> any(db->NewIterator({}, of(BodyFamily::kNewcomers)));
  any->SeekToFirst();
  if (any->Valid()) return version_error(options.directory, "unknown");
  return write_format();
}

Status Database::Rocks::write_format() {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const rocksdb::Status written = put_format(synced);
  if (!written.ok()) return open_error(options.directory, written);
  return files->log_status();
}

std::uint64_t Database::Rocks::file_bytes(rocksdb::ColumnFamilyHandle* family) const {
  std::uint64_t bytes = 0;
  db->GetIntProperty(family, rocksdb::DB::Properties::kLiveSstFilesSize, &bytes);
  return bytes;
}

Database::Database(std::unique_ptr<Rocks> rocks) : rocks_(std::move(rocks)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options, Counters& counters) {
  if (options.byte_limit < kSmallestLimit) {
    return Error{"the disk limit of the store in " + options.directory + " is " +
                 std::to_string(options.byte_limit) + " bytes; at least " + std::to_string(kSmallestLimit) +
                 " are needed"};
  }
  std::error_code failure;
  std::filesystem::create_directories(options.directory, failure);
  if (failure) return Error{"cannot create cache directory " + options.directory + ": " + failure.message()};
  if (lost_its_beginning(options)) {
    if (Status moved = move_aside(options.directory, "CURRENT is missing"); !moved.ok())
      return Error{moved.error()};
  }
  if (Status families = check_families(env_of(options), options.directory); !families.ok())
    return Error{families.error()};
  auto rocks = std::make_unique<Rocks>(options, counters);
  rocksdb::Status opened = rocks->open();
  if (is_damage(opened) && !is_of_log(opened)) {
    const std::string why = opened.ToString();
    rocks = nullptr;  // one at a time has the directory
    rocks = std::make_unique<Rocks>(options, counters);
    opened = rocks->open(/*lenient=*/true);
    if (opened.ok()) log_event(LogLevel::kError, "disk tier: what a damaged table held is forgotten: " + why);
  }
  if (is_damage(opened)) {
    rocks = nullptr;
    if (Status moved = move_aside(options.directory, opened.ToString()); !moved.ok())
      return Error{moved.error()};
    rocks = std::make_unique<Rocks>(options, counters);
    opened = rocks->open();
  }
  if (!opened.ok()) return open_error(options.directory, opened);
  if (Status format = rocks->check_format(); !format.ok()) return Error{format.error()};
  std::unique_ptr<Database> database(new Database(std::move(rocks)));
  database->adopt_files();
  return database;
}

ReadStatus Database::scan_heads(
    const Digest128& key, bool cache_only,
    const std::function<void(std::string_view key, std::string_view record)>& visit) const {
  const NoWaitScope no_wait(cache_only);
  rocksdb::ReadOptions read;
  read.prefix_same_as_start = true;
  read.background_purge_on_iterator_cleanup = true;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator(read, rocks_->heads));
  const std::string prefix = head_key_prefix(key);
  for (at->Seek(prefix); at->Valid(); at->Next()) {
    if (!at->key().starts_with(prefix)) break;
    visit(view(at->key()), view(at->value()));
  }
  return read_status(at->status());
}

ReadStatus Database::walk_heads(
    std::string& from, const std::string& end, std::size_t most,
    const std::function<void(std::string_view key, std::string_view record)>& visit) const {
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions read;
  read.total_order_seek = true;
  read.fill_cache = false;
  if (!end.empty()) read.iterate_upper_bound = &upper;
  read.background_purge_on_iterator_cleanup = true;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator(read, rocks_->heads));
  std::size_t seen = 0;
  for (at->Seek(from); at->Valid(); at->Next()) {
    if (seen++ == most) {
      from = at->key().ToString();
      return ReadStatus::kFound;
    }
    visit(view(at->key()), view(at->value()));
  }
  from.clear();
  return read_status(at->status());
}

void Database::compact_heads(const std::string& from, const std::string& end) {
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const rocksdb::Slice first(from);
  const rocksdb::Slice last(end);
  const rocksdb::Status done =
      rocks_->db->CompactRange(options, rocks_->heads, &first, end.empty() ? nullptr : &last);
  if (!done.ok()) log_event(LogLevel::kWarning, "disk tier: heads not compacted: " + done.ToString());
}

ReadStatus Database::read_head(const std::string& head_key, std::string& record) const {
  return read_status(rocks_->db->Get({}, rocks_->heads, head_key, &record));
}

ReadStatus Database::read_chunk(const ChunkLabel& label, Caching caching, Chunk& bytes) const {
  auto pinned = std::make_shared<PinnedRecord>(rocks_->cache);
  const std::string key = chunk_key(label.body_id, label.number);
  const NoWaitScope no_wait(caching == Caching::kOnly);
  rocksdb::ReadOptions read;
  read.fill_cache = caching != Caching::kPass;
  const ReadStatus status = read_status(rocks_->db->Get(read, rocks_->of(label.family), key, &pinned->slice));
  if (status != ReadStatus::kFound) return status;
  if (!is_chunk(view(pinned->slice), label)) return ReadStatus::kDamaged;
  const char* data = pinned->slice.data() + kChunkHeaderSize;
  bytes = Chunk(std::move(pinned), data, label.size);
  return ReadStatus::kFound;
}

bool Database::body_may_exist(const BodyPlace& place) const {
  std::string ignored;
  const NoWaitScope no_wait(true);
  return rocks_->db->KeyMayExist({}, rocks_->of(place.family), chunk_key(place.id, 0), &ignored);
}

Status Database::write(const Batch& batch) {
  rocksdb::WriteBatch out;
  for (const ChunkPut& put : batch.chunks) {
    const std::string key = chunk_key(put.label.body_id, put.label.number);
    const std::string header = encode_chunk_header(put.label);
    const rocksdb::Slice key_slice(key);
    std::vector<rocksdb::Slice> parts{slice(header)};
    for (const Chunk& part : put.parts) parts.push_back(slice(part.view()));
    const rocksdb::Status added = out.Put(rocks_->of(put.label.family), rocksdb::SliceParts(&key_slice, 1),
                                          rocksdb::SliceParts(parts.data(), static_cast<int>(parts.size())));
    if (!added.ok()) return to_status(added);
  }
  for (const std::string& key : batch.head_deletes) out.Delete(rocks_->heads, key);
  for (const auto& [key, record] : batch.head_puts) out.Put(rocks_->heads, key, record);
  for (const Digest128& key : batch.key_deletes) {
    const std::string prefix = head_key_prefix(key);
    out.DeleteRange(rocks_->heads, prefix, prefix + std::string(kHeadKeySize / 2 + 1, '\xff'));
  }
  const rocksdb::Status written = rocks_->db->Write({}, &out);
  // Not before: a sync in between would take the mark away and miss the write.
  unsynced_ = true;
  rocks_->written_since += out.GetDataSize();
  return written.ok() ? rocks_->files->log_status() : to_status(written);
}

Status Database::sync() {
  if (!unsynced_.exchange(false)) return {};
  const rocksdb::IOStatus synced = sync_logs(*rocks_->files, rocks_->options.directory);
  if (!synced.ok()) unsynced_ = true;
  return to_status(synced);
}

Result<std::uint64_t> Database::reserve_ids(const std::string& name, std::uint64_t count) {
  const MutexLock lock(ids_mutex_);
  const std::string key = kIdPrefix + name;
  std::string stored;
  const rocksdb::Status read = rocks_->db->Get({}, rocks_->state, key, &stored);
  std::uint64_t next = 1;
  if (read.ok()) {
    const auto decoded = decode_u64(stored);
    if (!decoded) return Error{"the record of reserved ids '" + name + "' is damaged"};
    next = *decoded;
  } else if (!read.IsNotFound()) {
    return Error{read.ToString()};
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const rocksdb::Status written = rocks_->db->Put(synced, rocks_->state, key, encode_u64(next + count));
  if (!written.ok()) return Error{written.ToString()};
  if (Status logged = rocks_->files->log_status(); !logged.ok()) return Error{logged.error()};
  return next;
}

Result<std::vector<std::pair<Digest128, Sequence>>> Database::old_tags() const {
  std::vector<std::pair<Digest128, Sequence>> tags;
  const std::string prefix = kTagPrefix;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator({}, rocks_->state));
  for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
    const auto tag = decode_digest(view(at->key()).substr(prefix.size()));
    const auto sequence = decode_u64(view(at->value()));
    if (!tag || !sequence) return Error{"a record of an invalidated tag is damaged"};
    tags.emplace_back(*tag, *sequence);
  }
  if (!at->status().ok()) return Error{at->status().ToString()};
  std::string stored;
  const rocksdb::Status read = rocks_->db->Get({}, rocks_->state, kTagFloorKey, &stored);
  if (read.IsNotFound()) return tags;
  if (!read.ok()) return Error{read.ToString()};
  const auto floor = decode_u64(stored);
  if (!floor) return Error{"the record of the oldest invalidated tags is damaged"};
  tags.emplace_back(Digest128{}, *floor);
  return tags;
}

Result<bool> Database::bind_log(std::uint64_t id) {
  std::string stored;
  const rocksdb::Status read = rocks_->db->Get({}, rocks_->state, kLogKey, &stored);
  if (!read.ok() && !read.IsNotFound()) return Error{read.ToString()};
  if (read.ok() && stored == encode_u64(id)) return true;
  rocksdb::WriteBatch out;
  if (read.ok()) out.DeleteRange(rocks_->heads, "", std::string(kHeadKeySize + 1, '\xff'));
  out.DeleteRange(rocks_->state, kTagPrefix, kTagEnd);
  out.Delete(rocks_->state, kTagFloorKey);
  out.Put(rocks_->state, kLogKey, encode_u64(id));
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const rocksdb::Status written = rocks_->db->Write(synced, &out);
  if (!written.ok()) return Error{written.ToString()};
  return read.IsNotFound();
}

bool Database::Rocks::is_gone(const BodyPlace& place) const {
  const auto family = static_cast<std::size_t>(place.family);
  if (place.id < floors[family].load(std::memory_order_relaxed)) return true;
  return place.id < first_id.load(std::memory_order_relaxed) &&
         place.id > ceilings[family].load(std::memory_order_relaxed);
}

bool Database::Rocks::is_dead(std::string_view record) const {
  const std::optional<BodyPlace> place = peek_place(record);
  return (place && is_gone(*place)) || (options.head_is_dead && options.head_is_dead(record));
}

bool Database::is_gone(const BodyPlace& place) const {
  return rocks_->is_gone(place);
}

bool Database::is_doubtful(const BodyPlace& place) const {
  return place.id <= rocks_->dropped[static_cast<std::size_t>(place.family)];
}

void Database::begin_bodies_at(std::uint64_t first_id) {
  rocks_->first_id = first_id;
}

std::vector<BodyFile> Database::body_files(BodyFamily family) const {
  rocksdb::ColumnFamilyMetaData data;
  rocks_->db->GetColumnFamilyMetaData(rocks_->of(family), &data);
  std::vector<BodyFile> found;
  for (const rocksdb::LevelMetaData& level : data.levels) {
    for (const rocksdb::SstFileMetaData& file : level.files) {
      const auto lowest = body_id_of_chunk_key(file.smallestkey);
      const auto highest = body_id_of_chunk_key(file.largestkey);
      if (lowest && highest) found.push_back({family, file.relative_filename, file.size, *lowest, *highest});
    }
  }
  // RocksDB has the newest first.
  std::reverse(found.begin(), found.end());
  return found;
}

// What recovery found in the log is in files by now.
void Database::adopt_files() {
  for (const BodyFamily family : {BodyFamily::kNewcomers, BodyFamily::kMain}) {
    std::uint64_t ceiling = 0;
    for (const BodyFile& file : body_files(family)) ceiling = std::max(ceiling, file.highest);
    rocks_->ceilings[static_cast<std::size_t>(family)] = ceiling;
    update_floor(family, 0);
  }
  measure();
}

void Database::update_floor(BodyFamily family, std::uint64_t on_the_way) {
  std::optional<std::uint64_t> lowest;
  for (const BodyFile& file : body_files(family))
    lowest = std::min(file.lowest, lowest.value_or(file.lowest));
  // Only upwards: a body that was gone stays gone.
  std::atomic<std::uint64_t>& floor = rocks_->floors[static_cast<std::size_t>(family)];
  if (!lowest) return;
  const std::uint64_t written = std::min(*lowest, rocks_->first_id.load());  // by earlier processes
  floor = std::max({floor.load(), written, *lowest - std::min(*lowest, on_the_way)});
}

ReadStatus Database::walk_file(const BodyFile& file, std::uint64_t from,
                               const std::function<bool(const ChunkLabel& label)>& visit) const {
  const std::string begin = chunk_key(std::max(from, file.lowest), 0);
  const std::string end = chunk_key(file.highest + 1, 0);
  const rocksdb::Slice upper(end);
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  read.iterate_upper_bound = &upper;
  read.background_purge_on_iterator_cleanup = true;
  const std::unique_ptr<rocksdb::Iterator> at(rocks_->db->NewIterator(read, rocks_->of(file.family)));
  at->Seek(begin);
  while (at->Valid()) {
    std::optional<ChunkLabel> label = decode_chunk_header(view(at->value()));
    const std::uint64_t id = body_id_of_chunk_key(view(at->key())).value_or(file.highest);
    if (label && label->body_id == id && label->number == 0) {
      label->family = file.family;
      if (!visit(*label)) break;
    }
    // Further chunks of the same body are not looked at.
    if (label && label->number == 0 && label->size < kBodyChunkSize) {
      at->Next();
    } else {
      at->Seek(chunk_key(id + 1, 0));
    }
  }
  return read_status(at->status());
}

bool Database::drop_file(const BodyFile& file) {
  // RocksDB takes a file that is merged while it is dropped for damage, and waits for ever in whoever changes
  // its list of files next. One whose merging has begun stays, without an error.
  const MutexLock lock(drop_mutex_);
  if (!rocks_->set_merging(file.family, false)) return false;
  const rocksdb::Status dropped = rocks_->db->DeleteFile(file.name);
  if (!dropped.ok()) return false;
  std::atomic<std::uint64_t>& highest = rocks_->dropped[static_cast<std::size_t>(file.family)];
  highest = std::max(highest.load(), file.highest);
  update_floor(file.family, kIdsOnTheWay);
  const std::vector<BodyFile> left = body_files(file.family);
  return std::none_of(left.begin(), left.end(),
                      [&file](const BodyFile& other) { return other.name == file.name; });
}

std::uint64_t Database::measure() {
  std::vector<rocksdb::Env::FileAttributes> files;
  const std::uint64_t written = rocks_->written_since;
  if (!rocks_->env->GetChildrenFileAttributes(rocks_->options.directory, &files).ok()) return estimate();
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += (file.size_bytes + kPage - 1) / kPage * kPage;
  rocks_->measured = bytes;
  rocks_->written_since -= written;
  return bytes;
}

std::uint64_t Database::estimate() const {
  return rocks_->measured + rocks_->written_since;
}

const DiskBudget& Database::budget() const {
  return rocks_->budget;
}

void Database::when_files_change(std::function<void()> changed) {
  rocks_->events.listen(std::move(changed));
}

// A family of many small files (a trickle, many restarts, memtables cut short for another's sake) has them
// merged, the newest first, until they are few again.
void Database::maintain() {
  if (rocks_->seen.damaged.exchange(false)) rocks_->forget_damaged_heads();
  const MutexLock lock(drop_mutex_);
  for (const BodyFamily family : {BodyFamily::kNewcomers, BodyFamily::kMain}) {
    const bool merging = rocks_->merging[static_cast<std::size_t>(family)];
    std::string count;
    rocks_->db->GetProperty(rocks_->of(family), "rocksdb.num-files-at-level0", &count);
    // A look-up walks them: 4 µs at 500.
    const int most = rocks_->options.most_body_files;
    const bool wanted = std::atoi(count.c_str()) > (merging ? most * 5 / 8 : most);
    (void)rocks_->set_merging(family, wanted);
  }
}

bool Database::Rocks::set_merging(BodyFamily family, bool wanted) {
  bool& now = merging[static_cast<std::size_t>(family)];
  if (now == wanted) return true;
  // Writes the OPTIONS file anew: hence only for a change.
  const rocksdb::Status set = db->SetOptions(
      of(family),
      {{"compaction_options_fifo", "{max_table_files_size=" + std::to_string(kNeverFull) +
                                       ";allow_compaction=" + (wanted ? "true" : "false") + ";}"}});
  if (set.ok()) now = wanted;
  return set.ok();
}

namespace {

using Tables = std::vector<rocksdb::LiveFileMetaData>;

Tables tables_of_heads(rocksdb::DB& db) {
  Tables tables;
  db.GetLiveFilesMetaData(&tables);
  tables.erase(std::remove_if(tables.begin(), tables.end(),
                              [](const auto& each) { return each.column_family_name != kHeads; }),
               tables.end());
  return tables;
}

}  // namespace

bool Database::Rocks::is_readable(const rocksdb::LiveFileMetaData& table) const {
  rocksdb::Options reading;
  reading.env = guarded_env.get();
  rocksdb::SstFileReader reader(reading);
  return reader.Open(options.directory + table.name).ok() && reader.VerifyChecksum().ok();
}

// Compaction would meet the same table again and again, and stop. The oldest go first, so that nothing that a
// newer table has deleted or replaced comes back; what bodies these heads had is dropped with its file.
void Database::Rocks::forget_damaged_heads() const {
  Tables tables = tables_of_heads(*db);
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) {
    return a.level != b.level ? a.level > b.level : a.largest_seqno < b.largest_seqno;
  });
  // The newest that is damaged, and all before it.
  const auto damaged =
      std::find_if(tables.rbegin(), tables.rend(), [this](const auto& each) { return !is_readable(each); });
  if (damaged == tables.rend()) return;  // it was on the way, or the table is gone
  log_event(LogLevel::kError, "disk tier: a damaged table, " + options.directory + damaged->name +
                                  ": the responses that are listed there or in older tables are forgotten");
  counters.add(Counter::kDiskCorrupt);
  (void)rocksdb::DeleteFilesInRange(db.get(), heads, nullptr, nullptr);
  (void)db->PauseBackgroundWork();  // see drop_file()
  for (auto each = tables.begin(); each != damaged.base(); ++each) {
    if (each->level == 0) (void)db->DeleteFile(each->name);
  }
  (void)db->ContinueBackgroundWork();
}

bool Database::take_failure() {
  return rocks_->seen.failed.exchange(false);
}

Status Database::check_directory() const {
  const std::string& directory = rocks_->options.directory;
  if (!rocks_->env->FileExists(directory + "/CURRENT").IsNotFound()) return {};
  return Error{"the files in " + directory + " were removed while they were in use; restart to begin anew"};
}

rocksdb::Status Database::Rocks::put_format(const rocksdb::WriteOptions& write) const {
  return db->Put(write, state, kFormatKey, encode_u32(kFormatVersion));
}

Status Database::resume() {
  const rocksdb::Status resumed = rocks_->db->Resume();
  if (!resumed.ok()) return to_status(resumed);
  rocks_->files->forget_log_failure();
  // What stands in a log that failed, or whose sync did, is made sure of in tables, and a new log is begun.
  // A write comes first, since memtables that are empty would not be.
  rocksdb::WriteOptions write;
  rocksdb::Status status = rocks_->put_format(write);
  if (status.ok())
    status = rocks_->db->Flush({}, {rocks_->heads, rocks_->bodies[0], rocks_->bodies[1], rocks_->state});
  if (!status.ok()) return to_status(status);
  rocks_->files->forget_log_failure();
  write.sync = true;
  status = rocks_->put_format(write);
  return status.ok() ? rocks_->files->log_status() : to_status(status);
}

std::uint64_t Database::body_file_bytes(BodyFamily family) const {
  return rocks_->file_bytes(rocks_->of(family));
}
std::uint64_t Database::head_file_bytes() const {
  return rocks_->file_bytes(rocks_->heads);
}

Status Database::flush() {
  return to_status(
      rocks_->db->Flush({}, {rocks_->heads, rocks_->bodies[0], rocks_->bodies[1], rocks_->state}));
}

}  // namespace freshet::storage
