// The RocksDB options of each family, from a DiskBudget, and the two hooks that RocksDB calls. Internal to
// database*.cc: this header includes RocksDB.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>

#include "storage/base/counters.h"
#include "storage/base/mutex.h"
#include "storage/rocksdb/database.h"

namespace freshet::storage {

// What FIFO families are told for their limit: they have none of their own.
constexpr std::uint64_t kNeverFull = 1ULL << 62;

// Passes on that files came or went, and counts their bytes. Any thread.
class FileEvents {
 public:
  explicit FileEvents(Counters& counters) : counters_(counters) {}
  void listen(std::function<void()> changed);
  void files_changed(std::uint64_t bytes_written);

 private:
  Counters& counters_;
  Mutex mutex_;
  std::function<void()> changed_ GUARDED_BY(mutex_);
};

// What RocksDB's threads have seen and the housekeeping will see to.
struct SeenEvents {
  std::atomic<bool> failed{false};   // a flush or the like has; writes are refused until Database::resume()
  std::atomic<bool> damaged{false};  // a compaction could not read a table
};

// Called by RocksDB's threads; only notes and counts.
class DropListener final : public rocksdb::EventListener {
 public:
  DropListener(FileEvents& events, SeenEvents& seen, Counters& counters)
      : events_(events), seen_(seen), counters_(counters) {}
  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& info) override;
  void OnCompactionCompleted(rocksdb::DB* db, const rocksdb::CompactionJobInfo& info) override;
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  // Not by RocksDB itself: see max_bgerror_resume_count.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override;
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override;

 private:
  FileEvents& events_;
  SeenEvents& seen_;
  Counters& counters_;
};

// Leaves dead heads out when `responses` is compacted.
class DeadHeadFilter final : public rocksdb::CompactionFilter {
 public:
  DeadHeadFilter(std::function<bool(std::string_view)> is_dead, Counters& counters)
      : is_dead_(std::move(is_dead)), counters_(counters) {}
  [[nodiscard]] const char* Name() const override { return "freshet.dead_heads"; }
  bool Filter(int level, const rocksdb::Slice& key, const rocksdb::Slice& record, std::string* changed,
              bool* value_changed) const override;

 private:
  const std::function<bool(std::string_view)> is_dead_;
  Counters& counters_;
};

[[nodiscard]] rocksdb::DBOptions make_db_options(const DatabaseOptions& options, const DiskBudget& budget,
                                                 const std::shared_ptr<rocksdb::Cache>& cache);
[[nodiscard]] rocksdb::ColumnFamilyOptions make_head_options(const DiskBudget& budget,
                                                             const std::shared_ptr<rocksdb::Cache>& cache,
                                                             const rocksdb::CompactionFilter* filter);
[[nodiscard]] rocksdb::ColumnFamilyOptions make_body_options(const DiskBudget& budget,
                                                             const std::shared_ptr<rocksdb::Cache>& cache);
[[nodiscard]] rocksdb::ColumnFamilyOptions make_state_options();
[[nodiscard]] std::shared_ptr<rocksdb::Cache> make_block_cache(std::uint64_t memory);

}  // namespace freshet::storage
