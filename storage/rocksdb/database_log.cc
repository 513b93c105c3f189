#include <filesystem>
#include <rocksdb/file_system.h>
#include <vector>

#include "storage/rocksdb/database_rocks.h"

namespace freshet::storage {

namespace {

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

}  // namespace

Status Database::sync() {
  if (!unsynced_.exchange(false)) return {};
  const rocksdb::IOStatus synced = sync_logs(*rocks_->files, rocks_->options.directory);
  if (!synced.ok()) unsynced_ = true;
  return to_status(synced);
}

}  // namespace freshet::storage
