#include "storage/rocksdb/nowait_files.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <string>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace freshet::storage {

namespace {

thread_local bool no_wait = false;

rocksdb::IOStatus would_wait() {
  return rocksdb::IOStatus::Busy("not in the page cache");
}

// A second descriptor of the same file, since RocksDB's own is private to it.
class NoWaitFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  NoWaitFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, int descriptor)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), descriptor_(descriptor) {}
  ~NoWaitFile() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  NoWaitFile(const NoWaitFile&) = delete;
  NoWaitFile& operator=(const NoWaitFile&) = delete;

  rocksdb::IOStatus Read(std::uint64_t offset, std::size_t size, const rocksdb::IOOptions& options,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext* debug) const override {
    if (!no_wait) return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    const iovec into{scratch, size};
    const ssize_t got = ::preadv2(descriptor_, &into, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    // Fewer bytes: the rest is not in memory, or behind the end. RocksDB asks for blocks, which end before
    // that.
    if (got < 0 || static_cast<std::size_t>(got) != size) return would_wait();
    *result = rocksdb::Slice(scratch, size);
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus MultiRead(rocksdb::FSReadRequest* requests, std::size_t count,
                              const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
    if (!no_wait) return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
    return FSRandomAccessFile::MultiRead(requests, count, options, debug);
  }
  rocksdb::IOStatus Prefetch(std::uint64_t offset, std::size_t size, const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override {
    if (no_wait) return would_wait();
    return FSRandomAccessFileOwnerWrapper::Prefetch(offset, size, options, debug);
  }

 private:
  const int descriptor_;
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
    if (status.ok()) {
      const int descriptor = page_cache_ ? ::open(name.c_str(), O_RDONLY | O_CLOEXEC) : -1;
      *file = std::make_unique<NoWaitFile>(std::move(opened), descriptor);
    }
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

std::unique_ptr<rocksdb::Env> make_nowait_env(rocksdb::Env& base, bool page_cache) {
  return rocksdb::NewCompositeEnv(std::make_shared<NoWaitFileSystem>(base.GetFileSystem(), page_cache));
}

}  // namespace freshet::storage
