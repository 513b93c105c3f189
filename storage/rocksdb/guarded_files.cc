#include "storage/rocksdb/guarded_files.h"

#include <filesystem>
#include <utility>

namespace freshet::storage {

namespace {

using rocksdb::FSRandomAccessFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus may_pass(IOStatus status) {
  if (status.IsIOError() || status.IsNoSpace()) status.SetRetryable(true);
  return status;
}

// A log that goes on as if written when it is not. Null where it could not be made.
class GuardedLog final : public FSWritableFile {
 public:
  GuardedLog(std::unique_ptr<FSWritableFile> file, GuardedFiles& files)
      : file_(std::move(file)), files_(files), failed_(file_ == nullptr) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    size_ += data.size();
    return guard([&] { return file_->Append(data, options, debug); });
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& /*info*/,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return guard([&] { return file_->Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return guard([&] { return file_->Fsync(options, debug); });
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return guard([&] { return file_->Flush(options, debug); });
  }
  IOStatus Truncate(std::uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    return guard([&] { return file_->Truncate(size, options, debug); });
  }
  // Tells nothing: what was written before has been told of.
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    if (file_ != nullptr) file_->Close(options, debug).PermitUncheckedError();
    return IOStatus::OK();
  }
  [[nodiscard]] bool IsSyncThreadSafe() const override {
    return file_ == nullptr || file_->IsSyncThreadSafe();
  }
  std::uint64_t GetFileSize(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return size_;
  }
  IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes, const IOOptions& options,
                     IODebugContext* debug) override {
    return guard([&] { return file_->RangeSync(offset, bytes, options, debug); });
  }
  IOStatus Allocate(std::uint64_t offset, std::uint64_t length, const IOOptions& options,
                    IODebugContext* debug) override {
    if (file_ != nullptr && !failed_)
      file_->Allocate(offset, length, options, debug).PermitUncheckedError();  // a hint
    return IOStatus::OK();
  }
  void SetPreallocationBlockSize(std::size_t size) override {
    if (file_ != nullptr) file_->SetPreallocationBlockSize(size);
  }
  void PrepareWrite(std::size_t offset, std::size_t length, const IOOptions& options,
                    IODebugContext* debug) override {
    if (file_ != nullptr && !failed_) file_->PrepareWrite(offset, length, options, debug);
  }
  void SetWriteLifeTimeHint(rocksdb::Env::WriteLifeTimeHint hint) override {
    if (file_ != nullptr) file_->SetWriteLifeTimeHint(hint);
  }

 private:
  // Behind a piece that may be half written nothing can be read back, so nothing is written.
  template <typename Call>
  IOStatus guard(Call call) {
    IOStatus status = IOStatus::OK();
    if (!failed_) status = call();
    if (!status.ok()) failed_ = true;
    if (failed_) files_.note_log_failure(status);
    return IOStatus::OK();
  }

  const std::unique_ptr<FSWritableFile> file_;
  GuardedFiles& files_;
  std::atomic<bool> failed_;
  std::uint64_t size_ = 0;
};

// Tables, manifests and the like.
class GuardedTable final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using rocksdb::FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return may_pass(target()->Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& info,
                  IODebugContext* debug) override {
    return may_pass(target()->Append(data, options, info, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return may_pass(target()->Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return may_pass(target()->Fsync(options, debug));
  }
  IOStatus RangeSync(std::uint64_t offset, std::uint64_t bytes, const IOOptions& options,
                     IODebugContext* debug) override {
    return may_pass(target()->RangeSync(offset, bytes, options, debug));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return may_pass(target()->Close(options, debug));
  }
};

class GuardedReads final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  using rocksdb::FSRandomAccessFileOwnerWrapper::FSRandomAccessFileOwnerWrapper;

  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* debug) const override {
    return may_pass(target()->Read(offset, size, options, result, scratch, debug));
  }
};

class GuardedDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  using rocksdb::FSDirectoryWrapper::FSDirectoryWrapper;

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return may_pass(rocksdb::FSDirectoryWrapper::Fsync(options, debug));
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& how) override {
    return may_pass(rocksdb::FSDirectoryWrapper::FsyncWithDirOptions(options, debug, how));
  }
};

}  // namespace

Status GuardedFiles::log_status() const {
  if (!log_failed()) return {};
  const MutexLock lock(mutex_);
  return Error{log_error_};
}

void GuardedFiles::note_log_failure(const IOStatus& status) {
  {
    const MutexLock lock(mutex_);
    if (!status.ok()) log_error_ = status.ToString();
  }
  log_failed_.store(true, std::memory_order_release);
}

IOStatus GuardedFiles::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<FSWritableFile>* file, IODebugContext* debug) {
  std::unique_ptr<FSWritableFile> made;
  const IOStatus status = target()->NewWritableFile(path, options, &made, debug);
  if (std::filesystem::path(path).extension() == ".log") {
    if (!status.ok()) note_log_failure(status);
    *file = std::make_unique<GuardedLog>(std::move(made), *this);
    return IOStatus::OK();
  }
  if (status.ok()) *file = std::make_unique<GuardedTable>(std::move(made));
  return may_pass(status);
}

IOStatus GuardedFiles::NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                           std::unique_ptr<FSRandomAccessFile>* file, IODebugContext* debug) {
  std::unique_ptr<FSRandomAccessFile> opened;
  const IOStatus status = target()->NewRandomAccessFile(path, options, &opened, debug);
  if (status.ok()) *file = std::make_unique<GuardedReads>(std::move(opened));
  return may_pass(status);
}

IOStatus GuardedFiles::NewDirectory(const std::string& path, const IOOptions& options,
                                    std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext* debug) {
  std::unique_ptr<rocksdb::FSDirectory> opened;
  const IOStatus status = target()->NewDirectory(path, options, &opened, debug);
  if (status.ok()) *directory = std::make_unique<GuardedDirectory>(std::move(opened));
  return may_pass(status);
}

IOStatus GuardedFiles::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                  IODebugContext* debug) {
  return may_pass(target()->RenameFile(from, to, options, debug));
}

}  // namespace freshet::storage
