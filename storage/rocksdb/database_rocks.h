// Database::Rocks: what a Database is made of, an open RocksDB with its families and what we know of its
// files. Internal to database*.cc: this header includes RocksDB.
//
//   database.cc         reads and writes of records
//   database_open.cc    opening, versions of the format
//   database_damage.cc  a store that is damaged, and one that a failing disk has made read-only
//   database_log.cc     syncing what was written
//   database_state.cc   the records of the family `state`
//   database_bodies.cc  the files of bodies: which are there, what is gone with those that are not
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>
#include <string>
#include <string_view>
#include <vector>

#include "storage/rocksdb/database.h"
#include "storage/rocksdb/database_options.h"
#include "storage/rocksdb/guarded_files.h"

namespace freshet::storage {

inline constexpr const char* kHeads = "responses";

inline rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
inline std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}
inline Status to_status(const rocksdb::Status& status) {
  return status.ok() ? Status() : Status(Error{status.ToString()});
}

// Of tests, or the machine's.
inline rocksdb::Env& env_of(const DatabaseOptions& options) {
  return options.env != nullptr ? *options.env : *rocksdb::Env::Default();
}

struct Database::Rocks {
  Rocks(DatabaseOptions given, Counters& its_counters);
  ~Rocks();
  Rocks(const Rocks&) = delete;
  Rocks& operator=(const Rocks&) = delete;

  const DatabaseOptions options;
  Counters& counters;
  const DiskBudget budget;
  const std::shared_ptr<rocksdb::Cache> cache;
  const std::shared_ptr<GuardedFiles> files;
  const std::unique_ptr<rocksdb::Env> guarded_env;
  const std::unique_ptr<rocksdb::Env> env;
  const rocksdb::Options table_options;  // for one file of bodies by itself
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
  rocksdb::WriteBatch batch;  // under write_mutex_; keeps its memory from one write to the next
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
  rocksdb::Status open_read_only();
  [[nodiscard]] std::vector<rocksdb::ColumnFamilyDescriptor> families();
  void adopt(rocksdb::DB* opened, const std::vector<rocksdb::ColumnFamilyHandle*>& handles);
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

}  // namespace freshet::storage
