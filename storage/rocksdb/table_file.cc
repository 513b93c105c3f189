#include "storage/rocksdb/table_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace freshet::storage {

std::shared_ptr<const TableFile> TableFile::open(const std::string& name) {
  const int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return nullptr;
  return std::shared_ptr<const TableFile>(new TableFile(descriptor));
}

TableFile::~TableFile() {
  ::close(descriptor_);
}

// Fewer bytes: the rest is not in memory, or behind the end.
bool TableFile::read_now(std::uint64_t offset, std::size_t size, char* into) const {
  const iovec where{into, size};
  const ssize_t got = ::preadv2(descriptor_, &where, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  return got >= 0 && static_cast<std::size_t>(got) == size;
}

TableFile::Stamp TableFile::stamp() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return 0;
  return std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec;
}

}  // namespace freshet::storage
