#include "storage/rocksdb/nowait_files.h"

#include <functional>
#include <rocksdb/file_system.h>
#include <string>
#include <utility>

namespace freshet::storage {

namespace {

thread_local bool no_wait = false;
thread_local LastRead* last_read = nullptr;

rocksdb::IOStatus would_wait() {
  return rocksdb::IOStatus::Busy("not in the page cache");
}

// A second descriptor of the same file, since RocksDB's own is private to it.
class NoWaitFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  // `table` may be null: then nothing can be read without waiting.
  NoWaitFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::shared_ptr<const TableFile> table)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), table_(std::move(table)) {}

  rocksdb::IOStatus Read(std::uint64_t offset, std::size_t size, const rocksdb::IOOptions& options,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    FilePlace from;
    if (last_read != nullptr && table_) from = {table_, offset, table_->stamp(), mono_now()};
    rocksdb::IOStatus read =
        no_wait ? read_now(offset, size, *result, scratch)
                : FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    if (read.ok() && last_read != nullptr) last_read->note(std::move(from), result->data(), result->size());
    return read;
  }
  rocksdb::IOStatus MultiRead(rocksdb::FSReadRequest* requests, std::size_t count,
                              const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    if (!no_wait) return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
    // The base's: one Read() of ours after the other.
    // NOLINTNEXTLINE(bugprone-parent-virtual-call)
    return FSRandomAccessFile::MultiRead(requests, count, options, debug);
  }
  rocksdb::IOStatus Prefetch(std::uint64_t offset, std::size_t size, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
    if (no_wait) return would_wait();
    return FSRandomAccessFileOwnerWrapper::Prefetch(offset, size, options, debug);
  }

 private:
  rocksdb::IOStatus read_now(std::uint64_t offset, std::size_t size, rocksdb::Slice& result,
                             char* scratch) const {
    if (!table_ || !table_->read_now(offset, size, scratch)) return would_wait();
    result = rocksdb::Slice(scratch, size);
    return rocksdb::IOStatus::OK();
  }

  const std::shared_ptr<const TableFile> table_;
};

class NoWaitFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  NoWaitFileSystem(const std::shared_ptr<rocksdb::FileSystem>& files, bool page_cache)
      : FileSystemWrapper(files), page_cache_(page_cache) {}
  [[nodiscard]] const char* Name() const override { return "freshet.nowait"; }

  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override {
    if (no_wait) return would_wait();
    std::unique_ptr<rocksdb::FSRandomAccessFile> opened;
    rocksdb::IOStatus status = FileSystemWrapper::NewRandomAccessFile(name, options, &opened, debug);
    // Without a second descriptor the file can be read all the same, by threads that may wait.
    if (status.ok())
      *file = std::make_unique<NoWaitFile>(std::move(opened), page_cache_ ? TableFile::open(name) : nullptr);
    return status;
  }

 private:
  const bool page_cache_;
};

}  // namespace

NoWaitScope::NoWaitScope(bool active) : before_(std::exchange(no_wait, active)) {}
NoWaitScope::~NoWaitScope() {
  no_wait = before_;
}

LastRead::LastRead() : before_(std::exchange(last_read, this)) {}
LastRead::~LastRead() {
  last_read = before_;
}

void LastRead::note(FilePlace from, const char* data, std::size_t size) {
  from_ = std::move(from);
  data_ = data;
  size_ = size;
}

std::optional<FilePlace> LastRead::place_of(const char* data, std::size_t size) const {
  const std::less_equal<const char*> before;
  if (data_ == nullptr || from_.stamp == 0) return std::nullopt;
  if (!before(data_, data) || !before(data + size, data_ + size_)) return std::nullopt;
  FilePlace place = from_;
  place.offset += static_cast<std::uint64_t>(data - data_);
  return place;
}

std::unique_ptr<rocksdb::Env> make_nowait_env(rocksdb::Env& base, bool page_cache) {
  return rocksdb::NewCompositeEnv(std::make_shared<NoWaitFileSystem>(base.GetFileSystem(), page_cache));
}

}  // namespace freshet::storage
