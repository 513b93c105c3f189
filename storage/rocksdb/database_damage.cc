#include "storage/rocksdb/database_damage.h"

#include <algorithm>
#include <filesystem>
#include <rocksdb/convenience.h>
#include <rocksdb/file_system.h>
#include <rocksdb/sst_file_reader.h>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/rocksdb/database_rocks.h"

namespace freshet::storage {

namespace {

bool has_files_of_a_store(const std::string& directory) {
  std::error_code ignored;
  for (const auto& each : std::filesystem::directory_iterator(directory, ignored)) {
    const std::filesystem::path name = each.path().filename();
    if (name.extension() == ".sst" || name.string().rfind("MANIFEST-", 0) == 0) return true;
  }
  return false;
}

std::string damaged_name(const std::string& directory) {
  return directory + ".damaged-" + std::to_string(wall_now().time_since_epoch().count());
}

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

bool lost_its_beginning(const DatabaseOptions& options) {
  rocksdb::FileSystem& files = *env_of(options).GetFileSystem();
  rocksdb::FileLock* lock = nullptr;
  if (!files.LockFile(options.directory + "/LOCK", {}, &lock, nullptr).ok()) return false;
  const bool lost = files.FileExists(options.directory + "/CURRENT", {}, nullptr).IsNotFound() &&
                    has_files_of_a_store(options.directory);
  (void)files.UnlockFile(lock, {}, nullptr);
  return lost;
}

bool is_damage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound();
}

bool is_of_log(const rocksdb::Status& status) {
  const std::string text = status.ToString();
  return text.find(".log") != std::string::npos || text.find("WAL") != std::string::npos;
}

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
  for (auto each = tables.begin(); each != damaged.base(); ++each) {
    if (each->level == 0) (void)db->DeleteFile(each->name);
  }
}

bool Database::take_failure() {
  return rocks_->seen.failed.exchange(false);
}

Status Database::check_directory() const {
  const std::string& directory = rocks_->options.directory;
  if (!rocks_->env->FileExists(directory + "/CURRENT").IsNotFound()) return {};
  return Error{"the files in " + directory + " were removed while they were in use; restart to begin anew"};
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

}  // namespace freshet::storage
