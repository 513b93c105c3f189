// TableFile: one of RocksDB's files as the kernel sees it: to read what the page cache holds and nothing
// else, and to read again, without RocksDB, what was read and found whole there before.
//
// RocksDB never changes a file once it reads from it; whoever else does (a repair, a tool) changes the stamp,
// and then what was found whole is to be verified again.
//
// Owned by the table that has the file open, and for the time of a read by the reader: so a file that is
// dropped gives its room back. Immutable; any thread; never waits for the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "storage/base/clock.h"

namespace freshet::storage {

class TableFile {
 public:
  // The time of the file's last change, in nanoseconds (st_ctim); 0: it cannot be told.
  using Stamp = std::int64_t;

  // Null: it cannot be opened.
  [[nodiscard]] static std::shared_ptr<const TableFile> open(const std::string& name);
  ~TableFile();
  TableFile(const TableFile&) = delete;
  TableFile& operator=(const TableFile&) = delete;

  // All of it, from the page cache; false: that has not all, or it is behind the end.
  [[nodiscard]] bool read_now(std::uint64_t offset, std::size_t size, char* into) const;
  [[nodiscard]] Stamp stamp() const;

 private:
  explicit TableFile(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
};

// Where bytes stand that were read and found whole. They are taken for whole for a minute: what has left the
// page cache may have come back into it from a disk that has gone bad, and nobody would tell.
struct FilePlace {
  static constexpr Seconds kTrusted{60};

  std::weak_ptr<const TableFile> file;
  std::uint64_t offset = 0;
  TableFile::Stamp stamp = 0;  // from before they were read
  MonoTime read{};             // before that, too

  // Null: it was dropped, or is to be verified again.
  [[nodiscard]] std::shared_ptr<const TableFile> trusted(MonoTime now) const {
    return now - read < kTrusted ? file.lock() : nullptr;
  }
};

}  // namespace freshet::storage
