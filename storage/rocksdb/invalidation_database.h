// InvalidationDatabase: the log of invalidations on disk, a small RocksDB of its own, so that stalls and
// failures of the store's writes never delay a purge. FORMAT.md, "The log of invalidations", describes its
// bytes. It holds one record for each scope that is alive and strength, and which numbers may have been
// issued.
//
// What was invalidated must never come back. So a log that is damaged is set aside, loudly, and a new one
// begun; a new log has a new id, and a store that knows another one forgets all that it has
// (restore_invalidations). A log of an unknown version, or that another process has open, is refused.
//
// A log whose files were removed or moved while it is open takes no synced write any more, until a restart:
// what is written to them is not found again.
//
// One thread at a time; every call may block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/result.h"
#include "storage/invalidation/generations.h"
#include "storage/invalidation/invalidation_log.h"

namespace rocksdb {
class Env;
class Slice;
class Status;
}  // namespace rocksdb

namespace freshet::storage {

class RocksdbStore;

struct InvalidationDatabaseOptions {
  std::string directory;        // created where it is missing
  rocksdb::Env* env = nullptr;  // files and clock of tests; null: the machine's
};

class InvalidationDatabase final : public InvalidationLog {
 public:
  using Options = InvalidationDatabaseOptions;

  // The error is one line that names the directory.
  [[nodiscard]] static Result<std::unique_ptr<InvalidationDatabase>> open(const Options& options);
  ~InvalidationDatabase() override;

  // Of the log's making; random.
  [[nodiscard]] std::uint64_t id() const { return id_; }
  // All that it has. A record that cannot be read is an error.
  [[nodiscard]] Result<std::vector<ScopeRecord>> records() const;

  Status write(const Batch& batch, bool synced) override;
  Status drop_older_than(Sequence hard_floor, Sequence soft_floor) override;
  Status recover() override;
  [[nodiscard]] Sequence reserved() const override { return reserved_; }

 private:
  struct Rocks;
  explicit InvalidationDatabase(const Options& options);
  // Opens the files, and reads or makes what a log has. Corruption: it is damaged.
  rocksdb::Status begin();
  rocksdb::Status make_new();
  Status done(const rocksdb::Status& written);
  rocksdb::Status visit(const std::function<void(const rocksdb::Slice& key, ScopeRecord record)>& each) const;

  std::unique_ptr<Rocks> rocks_;
  std::uint64_t id_ = 0;
  Sequence reserved_ = 0;
};

// Before anybody looks up in the store: numbers go on above all that were ever issued, `generations` knows
// what the log has, and what an older version of the store has kept of tags goes into the log. Where the
// store was used with another log, all that it has is forgotten. What `generations` has numbered before must
// be above all that the log has reserved.
[[nodiscard]] Status restore_invalidations(RocksdbStore& store, InvalidationDatabase& log,
                                           Generations& generations);

}  // namespace freshet::storage
