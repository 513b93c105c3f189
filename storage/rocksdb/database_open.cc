#include <algorithm>
#include <filesystem>
#include <rocksdb/convenience.h>
#include <set>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/log.h"
#include "storage/rocksdb/crc32c.h"
#include "storage/rocksdb/database_damage.h"
#include "storage/rocksdb/database_rocks.h"
#include "storage/rocksdb/nowait_files.h"

namespace freshet::storage {

namespace {

constexpr const char* kBodies = "bodies";  // newcomers, since version 3
constexpr const char* kMainBodies = "bodies_main";
constexpr const char* kState = "state";
constexpr const char* kFormatKey = "format";
constexpr std::uint64_t kSnapshotMemory = 16ULL * 1024 * 1024;
constexpr std::uint64_t kSmallestLimit = 16ULL * 1024 * 1024;

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

}  // namespace

namespace {

rocksdb::Options options_of_tables(const DiskBudget& budget, const std::shared_ptr<rocksdb::Cache>& cache,
                                   rocksdb::Env& env) {
  rocksdb::Options options({}, make_body_options(budget, cache));
  options.env = &env;
  return options;
}

}  // namespace

Database::Rocks::Rocks(DatabaseOptions given, Counters& its_counters)
    : options(std::move(given)),
      counters(its_counters),
      budget(divide_budget(options.byte_limit, options.memory)),
      cache(make_block_cache(options.memory)),
      files(std::make_shared<GuardedFiles>(env_of(options).GetFileSystem())),
      guarded_env(rocksdb::NewCompositeEnv(files)),
      env(make_nowait_env(*guarded_env, /*page_cache=*/options.env == nullptr)),
      table_options(options_of_tables(budget, cache, *env)),
      events(its_counters),
      filter([this](std::string_view record) { return is_dead(record); }, its_counters) {}

Database::Rocks::~Rocks() {
  if (!db) return;
  for (rocksdb::ColumnFamilyHandle* family : {default_family, heads, bodies[0], bodies[1], state}) {
    if (family != nullptr) db->DestroyColumnFamilyHandle(family);
  }
  db->Close();
}

std::vector<rocksdb::ColumnFamilyDescriptor> Database::Rocks::families() {
  return {{rocksdb::kDefaultColumnFamilyName, make_state_options()},
          {kHeads, make_head_options(budget, cache, &filter)},
          {kBodies, make_body_options(budget, cache)},
          {kMainBodies, make_body_options(budget, cache)},
          {kState, make_state_options()}};
}

void Database::Rocks::adopt(rocksdb::DB* opened, const std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
  db.reset(opened);
  default_family = handles[0];
  heads = handles[1];
  bodies = {handles[2], handles[3]};
  state = handles[4];
}

rocksdb::Status Database::Rocks::open_read_only() {
  rocksdb::DBOptions db_options = make_db_options(options, budget, cache);
  db_options.env = env.get();
  db_options.max_open_files = -1;  // all are opened now
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(db_options, options.directory, families(), &handles, &opened);
  if (status.ok()) adopt(opened, handles);
  return status;
}

Result<std::unique_ptr<Database>> Database::snapshot() {
  if (Status flushed = flush(); !flushed.ok()) return Error{flushed.error()};
  rocksdb::CancelAllBackgroundWork(rocks_->db.get(), /*wait=*/true);
  DatabaseOptions options = rocks_->options;
  options.memory = std::min(options.memory, kSnapshotMemory);
  auto rocks = std::make_unique<Rocks>(options, rocks_->counters);
  if (const rocksdb::Status opened = rocks->open_read_only(); !opened.ok()) return Error{opened.ToString()};
  return std::unique_ptr<Database>(new Database(std::move(rocks)));
}

rocksdb::Status Database::Rocks::open(bool lenient) {
  rocksdb::DBOptions db_options = make_db_options(options, budget, cache);
  db_options.env = env.get();
  db_options.paranoid_checks = !lenient;
  db_options.listeners.push_back(std::make_shared<DropListener>(events, seen, counters));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(db_options, options.directory, families(), &handles, &opened);
  if (!status.ok()) return status;
  adopt(opened, handles);
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

rocksdb::Status Database::Rocks::put_format(const rocksdb::WriteOptions& write) const {
  return db->Put(write, state, kFormatKey, encode_u32(kFormatVersion));
}

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options, Counters& counters) {
  FRESHET_CHECK(crc32c_is_right());
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

}  // namespace freshet::storage
