// FaultEnv: a disk for RocksDB that fails when a test says so. It stands before the real file system: calls
// can be made to fail, to flip a bit of what they read, or to wait until the test lets them go on; and it
// knows what was synced, so that a test can have the directory as a power cut at this very moment would leave
// it.
//
// Owned by the test, outlives the stores on it. Any thread may call anything. clear() before a store is
// closed, or what waits never ends: use Clearing for that. RocksDB's own LOG file is not part of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rocksdb {
class Env;
}

namespace freshet::tests {

enum class FileOp { kCreate, kWrite, kSync, kRead, kRename, kRemove, kSyncDirectory, kList, kLock };
enum class FileKind { kLog, kTable, kManifest, kOther };  // *.log, *.sst, MANIFEST-*; CURRENT, OPTIONS ...

struct Fault {
  enum class What { kNoSpace, kIoError, kHalfWritten, kFlippedBit, kHold };
  What what = What::kIoError;
  std::vector<FileOp> ops;      // empty: all that change or read a file
  std::vector<FileKind> files;  // empty: of every kind
  std::uint64_t skip = 0;       // so many calls are let through first
  std::uint64_t times = ~std::uint64_t{0};
};

class FaultFileSystem;

class FaultEnv {
 public:
  FaultEnv();
  ~FaultEnv();
  FaultEnv(const FaultEnv&) = delete;
  FaultEnv& operator=(const FaultEnv&) = delete;

  [[nodiscard]] rocksdb::Env* env();

  // In effect until clear(); several may be, the first that fits acts.
  void inject(Fault fault);
  // What failed works again; what was held goes on.
  void clear();
  // How many calls a fault has met since the last clear().
  [[nodiscard]] std::uint64_t met() const;
  // Calls of this kind so far, met by a fault or not.
  [[nodiscard]] std::uint64_t calls(FileOp op, FileKind kind) const;
  // Blocks until so many calls are held at once.
  void wait_until_held(std::uint64_t calls) const;
  // Blocks until faults have met so many calls.
  void wait_until_met(std::uint64_t calls) const;

  // Makes in `to`, which must not exist, what a power cut would leave of `directory` now: of each file what
  // was synced, and of what was not, a piece of random length; names that were not synced are there or not.
  // `seed` 0: nothing that was not synced.
  void copy_as_after_power_cut(const std::string& directory, const std::string& to, std::uint64_t seed) const;

 private:
  const std::shared_ptr<FaultFileSystem> files_;
  const std::unique_ptr<rocksdb::Env> env_;
};

// Declared behind the store in a test: ends all faults before that is closed, however the test ends.
class Clearing {
 public:
  explicit Clearing(FaultEnv& env) : env_(env) {}
  ~Clearing() { env_.clear(); }
  Clearing(const Clearing&) = delete;
  Clearing& operator=(const Clearing&) = delete;

 private:
  FaultEnv& env_;
};

// Damage to a file that nobody has open.
void flip_bit(const std::string& path, std::uint64_t offset);
// The files of a directory whose names begin and end so; sorted.
[[nodiscard]] std::vector<std::string> files_named(const std::string& directory, const std::string& beginning,
                                                   const std::string& ending);

}  // namespace freshet::tests
