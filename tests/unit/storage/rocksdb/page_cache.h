// What a test says to the kernel about the pages of files.
#pragma once

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/uio.h>
#include <unistd.h>

namespace freshet::storage {

// Each file's pages are written and given up. A file system in memory keeps them.
inline void drop_from_page_cache(const std::string& directory) {
  for (const auto& each : std::filesystem::directory_iterator(directory)) {
    const int file = ::open(each.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    ::fsync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

// Whether this file system can read "only if it is in memory".
inline bool page_cache_can_be_asked(const std::string& directory) {
  const std::string name = directory + "/page-cache-probe";
  std::ofstream(name) << "probe";
  const int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  char bytes[5];
  const iovec into{bytes, sizeof bytes};
  const bool can = ::preadv2(file, &into, 1, 0, RWF_NOWAIT) == sizeof bytes;
  ::close(file);
  std::filesystem::remove(name);
  return can;
}

}  // namespace freshet::storage
