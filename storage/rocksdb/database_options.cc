#include "storage/rocksdb/database_options.h"

#include <algorithm>
#include <limits>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>
#include <string>

#include "storage/base/log.h"

namespace freshet::storage {

namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

rocksdb::CompressionType head_compression() {
  const auto supported = rocksdb::GetSupportedCompressions();
  const bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  return lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
}

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                              std::size_t block_size) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = block_size;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  // Filters and indexes count against the same budget, and are the last that it gives up.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // So do what a table needs to be open, and what is needed while a filter is made.
  for (const auto role :
       {rocksdb::CacheEntryRole::kBlockBasedTableReader, rocksdb::CacheEntryRole::kFilterConstruction}) {
    table.cache_usage_options.options_overrides[role].charged =
        rocksdb::CacheEntryRoleOptions::Decision::kEnabled;
  }
  return table;
}

}  // namespace

void FileEvents::listen(std::function<void()> changed) {
  const MutexLock lock(mutex_);
  changed_ = std::move(changed);
}

void FileEvents::files_changed(std::uint64_t bytes_written) {
  counters_.add(Counter::kDiskFileBytes, static_cast<std::int64_t>(bytes_written));
  const MutexLock lock(mutex_);
  if (changed_) changed_();
}

void DropListener::OnFlushCompleted(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& info) {
  const rocksdb::TableProperties& table = info.table_properties;
  events_.files_changed(table.data_size + table.index_size + table.filter_size);
}

void DropListener::OnCompactionCompleted(rocksdb::DB* /*db*/, const rocksdb::CompactionJobInfo& info) {
  events_.files_changed(info.stats.total_output_bytes);
}

void DropListener::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                                        bool* auto_recovery) {
  *auto_recovery = false;
}

void DropListener::OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) {
  static LogLimiter limiter;
  limiter.log(LogLevel::kError, "disk tier: background error: " + error->ToString());
  if (error->IsCorruption() && reason == rocksdb::BackgroundErrorReason::kCompaction) {
    // One damaged table is no reason to refuse writes for good.
    seen_.damaged.store(true);
    *error = rocksdb::Status::OK();
    return;
  }
  // A new table that cannot be read back can be made again: by DB::Resume(), where this is not final.
  const bool of_flush = reason == rocksdb::BackgroundErrorReason::kFlush ||
                        reason == rocksdb::BackgroundErrorReason::kFlushNoWAL;
  if (error->IsCorruption() && of_flush)
    *error = rocksdb::Status(rocksdb::Status::IOError(error->ToString()), rocksdb::Status::kHardError);
  seen_.failed.store(true);
}

void DropListener::OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) {
  if (info.condition.cur != rocksdb::WriteStallCondition::kNormal) counters_.add(Counter::kDiskStalls);
}

bool DeadHeadFilter::Filter(int /*level*/, const rocksdb::Slice& /*key*/, const rocksdb::Slice& record,
                            std::string* /*changed*/, bool* /*value_changed*/) const {
  // A record that cannot be read is left to the look-up that finds it and counts it.
  if (!is_dead_({record.data(), record.size()})) return false;
  counters_.add(Counter::kDiskSwept);
  return true;
}

std::shared_ptr<rocksdb::Cache> make_block_cache(std::uint64_t memory) {
  // Few shards, so that a 256 KiB block is small beside one of them.
  const int shard_bits = memory >= 256 * kMiB ? 4 : memory >= 64 * kMiB ? 2 : memory >= 16 * kMiB ? 1 : 0;
  // Filters and indexes of ten million heads and their bodies need some 40 MiB: bodies do not flush them out.
  return rocksdb::NewLRUCache(memory, shard_bits, false, 0.6);
}

rocksdb::DBOptions make_db_options(const DatabaseOptions& options, const DiskBudget& budget,
                                   const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions db;
  db.create_if_missing = true;
  db.create_missing_column_families = true;
  db.max_open_files = options.max_open_files;
  db.skip_stats_update_on_db_open = true;
  db.skip_checking_sst_file_sizes_on_db_open = true;
  db.max_total_wal_size = budget.wal;
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.max_background_jobs = 3;
  // What is written ahead is not there yet: the budget counts what is.
  db.allow_fallocate = false;
  // The housekeeping resumes, and proves it with a synced write.
  db.max_bgerror_resume_count = 0;
  db.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(options.memory / 2, cache, /*allow_stall=*/false);
  // Smooths what a file's last fsync has to write; adds none.
  db.bytes_per_sync = kMiB;
  db.avoid_unnecessary_blocking_io = true;
  // RocksDB's own log and statistics stay small.
  db.info_log_level = rocksdb::WARN_LEVEL;
  db.max_log_file_size = 512 * kKiB;
  db.keep_log_file_num = 2;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.max_manifest_file_size = 512 * kKiB;
  db.manifest_preallocation_size = 64 * kKiB;
  return db;
}

rocksdb::ColumnFamilyOptions make_head_options(const DiskBudget& budget,
                                               const std::shared_ptr<rocksdb::Cache>& cache,
                                               const rocksdb::CompactionFilter* filter) {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table = table_options(cache, 8 * kKiB);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.optimize_filters_for_memory = true;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(kHeadKeySize / 2));
  family.memtable_prefix_bloom_size_ratio = 0.1;
  family.compression = head_compression();
  family.write_buffer_size = budget.head_buffer;
  family.max_write_buffer_number = 4;
  family.target_file_size_base = budget.head_file;
  family.max_compaction_bytes = 4 * budget.head_file;
  family.max_bytes_for_level_base = 4 * family.target_file_size_base;
  family.level_compaction_dynamic_level_bytes = true;
  family.compaction_filter = filter;
  return family;
}

rocksdb::ColumnFamilyOptions make_body_options(const DiskBudget& budget,
                                               const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions family;
  // No filters: who asks for a chunk knows that it was there, and each file has ids of its own.
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(cache, 16 * kKiB)));
  family.compression = rocksdb::kNoCompression;
  family.compaction_style = rocksdb::kCompactionStyleFIFO;
  // Files are dropped by us alone: RocksDB takes one that is deleted twice at the same time for damage, and
  // then waits for ever in whoever changes its list of files next.
  family.compaction_options_fifo.max_table_files_size = kNeverFull;
  family.compaction_options_fifo.allow_compaction = false;
  // Where many small files are merged (Database::maintain()).
  family.level0_file_num_compaction_trigger = 8;
  family.max_compaction_bytes = 8 * budget.body_buffer;
  family.ttl = 0;
  family.periodic_compaction_seconds = 0;
  family.write_buffer_size = budget.body_buffer;
  family.max_write_buffer_number = 4;
  // One level of many files is what FIFO is: their number must not slow writes down.
  family.level0_slowdown_writes_trigger = std::numeric_limits<int>::max();
  family.level0_stop_writes_trigger = std::numeric_limits<int>::max();
  return family;
}

rocksdb::ColumnFamilyOptions make_state_options() {
  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = 64 * kKiB;
  family.compression = rocksdb::kNoCompression;
  return family;
}

DiskBudget divide_budget(std::uint64_t byte_limit, std::uint64_t memory) {
  DiskBudget budget;
  budget.byte_limit = byte_limit;
  // Some 400 files of bodies. Where the memory is small beside that, the write buffer manager flushes sooner.
  budget.body_buffer = std::max(kMiB, byte_limit / 400);
  budget.head_buffer =
      std::clamp(byte_limit / 400, 512 * kKiB, std::max(512 * kKiB, std::min(16 * kMiB, memory / 8)));
  budget.head_file = std::clamp(byte_limit / 200, kMiB, 64 * kMiB);
  budget.wal = 2 * (2 * std::min(budget.body_buffer, std::max(kMiB, memory / 4)) + budget.head_buffer);
  return budget;
}

std::uint64_t DiskBudget::reserve(std::uint64_t head_bytes) const {
  return 2 * body_buffer + head_buffer + std::min(head_bytes, 4 * head_file) + copy_room();
}

std::uint64_t DiskBudget::hard() const {
  return byte_limit;
}

std::uint64_t DiskBudget::soft(std::uint64_t head_bytes) const {
  const std::uint64_t kept = reserve(head_bytes);
  return std::max(byte_limit / 4, byte_limit > kept ? byte_limit - kept : 0);
}

}  // namespace freshet::storage
