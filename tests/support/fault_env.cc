#include "tests/support/fault_env.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/mutex.h"

namespace freshet::tests {

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using storage::CondVar;
using storage::Mutex;
using storage::MutexLock;
namespace fs = std::filesystem;

constexpr std::size_t kOps = static_cast<std::size_t>(FileOp::kLock) + 1;
constexpr std::size_t kKinds = static_cast<std::size_t>(FileKind::kOther) + 1;

FileKind kind_of(const std::string& path) {
  const fs::path name = fs::path(path).filename();
  if (name.extension() == ".log") return FileKind::kLog;
  if (name.extension() == ".sst") return FileKind::kTable;
  return name.string().rfind("MANIFEST-", 0) == 0 ? FileKind::kManifest : FileKind::kOther;
}

// "/a//b" and "/a/b" are one file, and "/a/" the directory "/a".
std::string tidy(const std::string& path) {
  std::string plain = fs::path(path).lexically_normal().string();
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  return plain;
}

template <typename T>
bool fits(const std::vector<T>& wanted, T value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

IOStatus as_status(Fault::What what, const std::string& path) {
  if (what == Fault::What::kIoError) return IOStatus::IOError("injected: Input/output error", path);
  IOStatus full = IOStatus::NoSpace("injected: No space left on device", path);
  full.SetRetryable(true);  // as the real file system says it
  return full;
}

}  // namespace

// What stands on the disk, as far as a power cut is concerned.
struct Inode {
  std::uint64_t size = 0;
  std::uint64_t synced = 0;
  std::string kept;  // where its bytes are once its name is removed
};
using InodePtr = std::shared_ptr<Inode>;

class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultFileSystem() : rocksdb::FileSystemWrapper(rocksdb::FileSystem::Default()) {
    std::string pattern = (fs::temp_directory_path() / "freshet-removed-XXXXXX").string();
    FRESHET_CHECK(::mkdtemp(pattern.data()) != nullptr);
    removed_ = pattern;
  }
  ~FaultFileSystem() override {
    std::error_code ignored;
    fs::remove_all(removed_, ignored);
  }
  [[nodiscard]] const char* Name() const override { return "FaultFileSystem"; }

  // --- faults

  void inject(Fault fault) {
    const MutexLock lock(faults_mutex_);
    faults_.push_back(std::move(fault));
  }
  void clear() {
    const MutexLock lock(faults_mutex_);
    faults_.clear();
    met_ = 0;
    ++released_;
    changed_.notify_all();
  }
  std::uint64_t met() const {
    const MutexLock lock(faults_mutex_);
    return met_;
  }
  std::uint64_t calls(FileOp op, FileKind kind) const {
    const MutexLock lock(faults_mutex_);
    return calls_[static_cast<std::size_t>(op)][static_cast<std::size_t>(kind)];
  }
  void wait_until_held(std::uint64_t calls) const {
    const MutexLock lock(faults_mutex_);
    while (held_ < calls) changed_.wait(faults_mutex_);
  }
  void wait_until_met(std::uint64_t calls) const {
    const MutexLock lock(faults_mutex_);
    while (met_ < calls) changed_.wait(faults_mutex_);
  }

  // The fault that meets this call. Waits here where that is its kind. Without `mutex_`.
  std::optional<Fault::What> meet(FileOp op, const std::string& path) {
    const FileKind kind = kind_of(path);
    const MutexLock lock(faults_mutex_);
    ++calls_[static_cast<std::size_t>(op)][static_cast<std::size_t>(kind)];
    for (Fault& fault : faults_) {
      if (!fits(fault.ops, op) || !fits(fault.files, kind)) continue;
      if (fault.skip > 0) {
        --fault.skip;
        continue;
      }
      if (fault.times == 0) continue;
      --fault.times;
      ++met_;
      const Fault::What what = fault.what;  // the list may change while this waits
      changed_.notify_all();
      if (what == Fault::What::kHold) hold();
      return what;
    }
    return std::nullopt;
  }
  // For calls that cannot flip or halve anything.
  IOStatus check(FileOp op, const std::string& path) {
    const auto what = meet(op, path);
    if (!what || *what == Fault::What::kHold || *what == Fault::What::kFlippedBit) return IOStatus::OK();
    return as_status(*what, path);
  }

  // --- what was synced

  void wrote(const InodePtr& inode, std::uint64_t bytes) REQUIRES(mutex_) { inode->size += bytes; }
  void synced(const std::string& path) {
    const MutexLock lock(mutex_);
    const auto found = names_.find(path);
    if (found != names_.end()) found->second->synced = found->second->size;
  }
  void directory_synced(const std::string& directory) {
    const MutexLock lock(mutex_);
    const auto within = [&](const std::string& path) { return fs::path(path).parent_path() == directory; };
    for (auto each = durable_names_.begin(); each != durable_names_.end();) {
      each = within(each->first) && names_.count(each->first) == 0 ? durable_names_.erase(each) : ++each;
    }
    for (const auto& [path, inode] : names_) {
      if (within(path)) durable_names_[path] = inode;
    }
  }
  void copy_as_after_power_cut(const std::string& directory, const std::string& to, std::uint64_t seed);

  // --- the file system

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override;
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext* debug) override;
  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext* debug) override;
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSRandomRWFile>* result, IODebugContext* debug) override;
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* debug) override;

  IOStatus GetChildren(const std::string& directory, const IOOptions& options,
                       std::vector<std::string>* names, IODebugContext* debug) override {
    IOStatus status = check(FileOp::kList, directory);
    return status.ok() ? target()->GetChildren(directory, options, names, debug) : status;
  }
  IOStatus LockFile(const std::string& path, const IOOptions& options, rocksdb::FileLock** lock,
                    IODebugContext* debug) override {
    IOStatus status = check(FileOp::kLock, path);
    return status.ok() ? target()->LockFile(path, options, lock, debug) : status;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = check(FileOp::kRemove, path);
    if (!status.ok()) return status;
    const MutexLock lock(mutex_);
    forget_name(tidy(path));
    return target()->DeleteFile(path, options, debug);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    IOStatus status = check(FileOp::kRename, to);
    if (!status.ok()) return status;
    const MutexLock lock(mutex_);
    forget_name(tidy(to));
    status = target()->RenameFile(from, to, options, debug);
    const auto found = names_.find(tidy(from));
    if (!status.ok() || found == names_.end()) return status;
    names_[tidy(to)] = found->second;
    names_.erase(from);
    return status;
  }

  Mutex mutex_;  // held while a file changes: what a power cut leaves is taken between two changes

 private:
  // Stands before what `open` opens.
  template <typename Ours, typename File>
  IOStatus open_to_read(const std::string& path, std::unique_ptr<File>* result,
                        const std::function<IOStatus(std::unique_ptr<File>*)>& open);
  void hold() REQUIRES(faults_mutex_) {
    const std::uint64_t until = released_ + 1;
    ++held_;
    while (released_ < until) changed_.wait(faults_mutex_);
    --held_;
  }
  // Its bytes are kept: until the directory is synced, a power cut brings the name back.
  void forget_name(const std::string& path) REQUIRES(mutex_) {
    const auto found = names_.find(path);
    if (found == names_.end()) return;
    const auto durable = durable_names_.find(path);
    if (durable != durable_names_.end() && durable->second == found->second) {
      found->second->kept = removed_ + "/" + std::to_string(++kept_);
      std::error_code ignored;
      fs::create_hard_link(path, found->second->kept, ignored);
    }
    names_.erase(found);
  }

  std::map<std::string, InodePtr> names_ GUARDED_BY(mutex_);
  std::map<std::string, InodePtr> durable_names_ GUARDED_BY(mutex_);
  std::string removed_;
  std::uint64_t kept_ GUARDED_BY(mutex_) = 0;

  mutable Mutex faults_mutex_;
  mutable CondVar changed_;
  std::vector<Fault> faults_ GUARDED_BY(faults_mutex_);
  std::uint64_t met_ GUARDED_BY(faults_mutex_) = 0;
  std::uint64_t held_ GUARDED_BY(faults_mutex_) = 0;
  std::uint64_t released_ GUARDED_BY(faults_mutex_) = 0;
  std::array<std::array<std::uint64_t, kKinds>, kOps> calls_ GUARDED_BY(faults_mutex_){};
};

namespace {

class WritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  WritableFile(std::unique_ptr<rocksdb::FSWritableFile> file, FaultFileSystem& files, std::string path,
               InodePtr inode)
      : FSWritableFileOwnerWrapper(std::move(file)),
        files_(files),
        path_(std::move(path)),
        inode_(std::move(inode)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const auto fault = files_.meet(FileOp::kWrite, path_);
    const bool half = fault == Fault::What::kHalfWritten;
    if (fault && !half && *fault != Fault::What::kHold) return as_status(*fault, path_);
    const MutexLock lock(files_.mutex_);
    const rocksdb::Slice written(data.data(), half ? data.size() / 2 : data.size());
    IOStatus status = target()->Append(written, options, debug);
    if (status.ok()) files_.wrote(inode_, written.size());
    return half && status.ok() ? as_status(*fault, path_) : status;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*info*/, IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = files_.check(FileOp::kSync, path_);
    if (status.ok()) status = target()->Sync(options, debug);
    if (status.ok()) files_.synced(path_);
    return status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = files_.check(FileOp::kSync, path_);
    if (status.ok()) status = target()->Fsync(options, debug);
    if (status.ok()) files_.synced(path_);
    return status;
  }

 private:
  FaultFileSystem& files_;
  const std::string path_;
  const InodePtr inode_;
};

// Flips a bit in the middle of what was read, in the reader's own memory.
IOStatus after_read(std::optional<Fault::What> fault, const std::string& path, IOStatus status,
                    rocksdb::Slice* result, char* scratch) {
  if (!fault || *fault == Fault::What::kHold || !status.ok() || result->empty()) return status;
  if (*fault != Fault::What::kFlippedBit) return as_status(*fault, path);
  if (result->data() != scratch) std::copy_n(result->data(), result->size(), scratch);
  scratch[result->size() / 2] ^= 0x10;
  *result = rocksdb::Slice(scratch, result->size());
  return status;
}

class RandomAccessFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  RandomAccessFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, FaultFileSystem& files,
                   std::string path)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), files_(files), path_(std::move(path)) {}

  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions& options, rocksdb::Slice* result,
                char* scratch, IODebugContext* debug) const override {
    const auto fault = files_.meet(FileOp::kRead, path_);
    return after_read(fault, path_, target()->Read(offset, size, options, result, scratch, debug), result,
                      scratch);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, std::size_t count, const IOOptions& options,
                     IODebugContext* debug) override {
    // By Read(); the wrapper's own goes past it.
    return FSRandomAccessFile::MultiRead(  // NOLINT(bugprone-parent-virtual-call)
        requests, count, options, debug);
  }

 private:
  FaultFileSystem& files_;
  const std::string path_;
};

class SequentialFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  SequentialFile(std::unique_ptr<rocksdb::FSSequentialFile> file, FaultFileSystem& files, std::string path)
      : FSSequentialFileOwnerWrapper(std::move(file)), files_(files), path_(std::move(path)) {}

  IOStatus Read(std::size_t size, const IOOptions& options, rocksdb::Slice* result, char* scratch,
                IODebugContext* debug) override {
    const auto fault = files_.meet(FileOp::kRead, path_);
    return after_read(fault, path_, target()->Read(size, options, result, scratch, debug), result, scratch);
  }

 private:
  FaultFileSystem& files_;
  const std::string path_;
};

class ReadWriteFile final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  ReadWriteFile(std::unique_ptr<rocksdb::FSRandomRWFile> file, FaultFileSystem& files, std::string path)
      : FSRandomRWFileOwnerWrapper(std::move(file)), files_(files), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = files_.check(FileOp::kSync, path_);
    if (status.ok()) status = target()->Fsync(options, debug);
    if (status.ok()) files_.synced(path_);
    return status;
  }

 private:
  FaultFileSystem& files_;
  const std::string path_;
};

class Directory final : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<rocksdb::FSDirectory> directory, FaultFileSystem& files, std::string path)
      : FSDirectoryWrapper(std::move(directory)), files_(files), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return FsyncWithDirOptions(options, debug, {});
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& how) override {
    IOStatus status = files_.check(FileOp::kSyncDirectory, path_);
    if (status.ok()) status = FSDirectoryWrapper::FsyncWithDirOptions(options, debug, how);
    if (status.ok()) files_.directory_synced(path_);
    return status;
  }

 private:
  FaultFileSystem& files_;
  const std::string path_;
};

}  // namespace

IOStatus FaultFileSystem::NewWritableFile(const std::string& path, const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* result,
                                          IODebugContext* debug) {
  const std::string name = tidy(path);
  IOStatus status = check(FileOp::kCreate, name);
  if (!status.ok()) return status;
  const MutexLock lock(mutex_);
  forget_name(name);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  status = target()->NewWritableFile(path, options, &file, debug);
  if (!status.ok()) return status;
  InodePtr inode = std::make_shared<Inode>();
  names_[name] = inode;
  *result = std::make_unique<WritableFile>(std::move(file), *this, name, inode);
  return status;
}

template <typename Ours, typename File>
IOStatus FaultFileSystem::open_to_read(const std::string& path, std::unique_ptr<File>* result,
                                       const std::function<IOStatus(std::unique_ptr<File>*)>& open) {
  if (IOStatus fault = check(FileOp::kRead, path); !fault.ok()) return fault;
  std::unique_ptr<File> file;
  IOStatus status = open(&file);
  if (status.ok()) *result = std::make_unique<Ours>(std::move(file), *this, tidy(path));
  return status;
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                              IODebugContext* debug) {
  return open_to_read<RandomAccessFile, rocksdb::FSRandomAccessFile>(
      path, result, [&](auto* file) { return target()->NewRandomAccessFile(path, options, file, debug); });
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& path, const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                            IODebugContext* debug) {
  return open_to_read<SequentialFile, rocksdb::FSSequentialFile>(
      path, result, [&](auto* file) { return target()->NewSequentialFile(path, options, file, debug); });
}

IOStatus FaultFileSystem::NewRandomRWFile(const std::string& path, const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* result,
                                          IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSRandomRWFile> file;
  IOStatus status = target()->NewRandomRWFile(path, options, &file, debug);
  if (status.ok()) *result = std::make_unique<ReadWriteFile>(std::move(file), *this, tidy(path));
  return status;
}

IOStatus FaultFileSystem::NewDirectory(const std::string& path, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  IOStatus status = target()->NewDirectory(path, options, &directory, debug);
  if (status.ok()) *result = std::make_unique<Directory>(std::move(directory), *this, tidy(path));
  return status;
}

void FaultFileSystem::copy_as_after_power_cut(const std::string& directory, const std::string& to,
                                              std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto upto = [&](std::uint64_t most) {
    return seed == 0 ? 0 : std::uniform_int_distribution<std::uint64_t>(0, most)(random);
  };
  const std::string from = tidy(directory);
  const MutexLock lock(mutex_);
  std::map<std::string, InodePtr> left = durable_names_;
  // In the order of the names alone, so that one seed means one outcome.
  for (const auto& [path, inode] : names_) {
    const auto durable = left.find(path);
    if ((durable == left.end() || durable->second != inode) && upto(1) == 1) left[path] = inode;
  }
  for (auto each = left.begin(); each != left.end();) {
    const bool removed = names_.count(each->first) == 0;
    each = removed && upto(1) == 1 ? left.erase(each) : std::next(each);
  }
  fs::create_directories(to);
  // What was there before this watched.
  for (const fs::directory_entry& each : fs::directory_iterator(from)) {
    const std::string path = each.path();
    const bool ours = names_.count(path) > 0 || durable_names_.count(path) > 0;
    if (!ours && each.is_regular_file()) fs::copy_file(path, to + "/" + each.path().filename().string());
  }
  for (const auto& [path, inode] : left) {
    if (fs::path(path).parent_path() != from) continue;
    std::string source = inode->kept.empty() ? path : inode->kept;
    // Renamed meanwhile, and the new name not synced: found under that.
    for (const auto& [name, other] : names_) {
      if (other == inode) source = name;
    }
    const std::string copy = to + "/" + fs::path(path).filename().string();
    fs::copy_file(source, copy);
    const std::uint64_t size = inode->synced + upto(inode->size - inode->synced);
    fs::resize_file(copy, size);
  }
}

FaultEnv::FaultEnv() : files_(std::make_shared<FaultFileSystem>()), env_(rocksdb::NewCompositeEnv(files_)) {}
FaultEnv::~FaultEnv() {
  clear();
}

rocksdb::Env* FaultEnv::env() {
  return env_.get();
}
void FaultEnv::inject(Fault fault) {
  files_->inject(std::move(fault));
}
void FaultEnv::clear() {
  files_->clear();
}
std::uint64_t FaultEnv::met() const {
  return files_->met();
}
std::uint64_t FaultEnv::calls(FileOp op, FileKind kind) const {
  return files_->calls(op, kind);
}
void FaultEnv::wait_until_held(std::uint64_t calls) const {
  files_->wait_until_held(calls);
}
void FaultEnv::wait_until_met(std::uint64_t calls) const {
  files_->wait_until_met(calls);
}
void FaultEnv::copy_as_after_power_cut(const std::string& directory, const std::string& to,
                                       std::uint64_t seed) const {
  files_->copy_as_after_power_cut(directory, to, seed);
}

void flip_bit(const std::string& path, std::uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  FRESHET_CHECK(file.good());
  file.seekg(static_cast<std::streamoff>(offset));
  const int byte = file.get();
  FRESHET_CHECK(byte >= 0);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(byte ^ 0x10));
}

std::vector<std::string> files_named(const std::string& directory, const std::string& beginning,
                                     const std::string& ending) {
  std::vector<std::string> found;
  for (const fs::directory_entry& each : fs::directory_iterator(directory)) {
    const std::string name = each.path().filename().string();
    if (name.size() < beginning.size() + ending.size()) continue;
    if (name.compare(0, beginning.size(), beginning) != 0) continue;
    if (name.compare(name.size() - ending.size(), ending.size(), ending) == 0) found.push_back(each.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace freshet::tests
