// Database: the RocksDB under the disk tier, with the three families of FORMAT.md, its options and its
// bounds; the one class that calls RocksDB. It knows records and keys as bytes and the live range of bodies;
// what a response is, it does not know.
//
// Any thread may call anything. Only reads with `cache_only` never wait for the disk; writes and all else may
// and belong on the io pool or the maintenance thread. Chunks that were read keep their block of the cache
// pinned, and may outlive the database.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/chunk.h"
#include "storage/base/counters.h"
#include "storage/base/mutex.h"
#include "storage/base/result.h"
#include "storage/response_store.h"
#include "storage/rocksdb/record.h"

namespace rocksdb {
class Env;
}

namespace freshet::storage {

struct DatabaseOptions {
  std::string directory;
  std::uint64_t byte_limit = 0;  // of the directory, all in all
  std::uint64_t memory = 0;      // block cache and memtables
  int max_open_files = 1000;
  rocksdb::Env* env = nullptr;  // files and clock of tests; null: the machine's
};

// How one byte limit is divided. FORMAT.md, "Budget".
struct DiskBudget {
  std::uint64_t body_buffer = 0;  // memtable and file size of `bodies`
  std::uint64_t head_buffer = 0;  // of `responses`
  std::uint64_t wal = 0;
  std::uint64_t fixed = 0;  // manifests, RocksDB's own log, what is being dropped
  // What `bodies` may take beside heads of that size.
  [[nodiscard]] std::uint64_t bodies(std::uint64_t byte_limit, std::uint64_t head_bytes) const;
};
[[nodiscard]] DiskBudget divide_budget(std::uint64_t byte_limit, std::uint64_t memory);

enum class ReadStatus { kFound, kMissing, kWouldBlock, kDamaged, kFailed };

class Database {
 public:
  // What one atomic write holds.
  struct ChunkPut {
    ChunkLabel label;
    ChunkList parts;
  };
  struct Batch {
    std::vector<ChunkPut> chunks;
    std::vector<std::pair<std::string, std::string>> head_puts;
    std::vector<std::string> head_deletes;
    // Deletes every head of these keys without reading any (for a damaged block).
    std::vector<Digest128> key_deletes;
    [[nodiscard]] bool empty() const {
      return chunks.empty() && head_puts.empty() && head_deletes.empty() && key_deletes.empty();
    }
  };

  // Creates the directory where it is missing. The error names it, and both versions where they differ.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options,
                                                              Counters& counters);
  ~Database();

  // Calls `visit` with key and record of each head of the key. kFound: all of them seen (even if none).
  ReadStatus scan_heads(
      const Digest128& key, bool cache_only,
      const std::function<void(std::string_view key, std::string_view record)>& visit) const;
  ReadStatus read_head(const std::string& head_key, std::string& record) const;
  // `bytes`: the chunk's, without its header.
  ReadStatus read_chunk(const ChunkLabel& label, bool cache_only, Chunk& bytes) const;
  // False: the chunk is certainly not there. Without I/O.
  [[nodiscard]] bool chunk_may_exist(std::uint64_t body_id, std::uint32_t number) const;

  // What earlier programs kept here of invalidated tags: digest (zero: every other tag) and number.
  Result<std::vector<std::pair<Digest128, Sequence>>> old_tags() const;
  // From now on this store's invalidations are in the log of that id (not 0); the tags above are deleted.
  // Where they were in another, all heads are deleted, and it returns false. Synced.
  Result<bool> bind_log(std::uint64_t id);

  // Into the log (WAL), unsynced: survives the process, not the machine. See sync().
  Status write(const Batch& batch);
  // Makes durable what was written before; does nothing when nothing was.
  Status sync();
  // The first of `count` numbers that were never given before under this name, nor will be, whatever
  // crashes. Costs a synced write.
  Result<std::uint64_t> reserve_ids(const std::string& name, std::uint64_t count);

  // Bodies with ids below this are gone: their files were dropped.
  [[nodiscard]] std::uint64_t floor() const;
  // Follows what RocksDB dropped, and moves the limit of `bodies` with the size of the heads. Cheap when
  // nothing has changed; call it every so often.
  void maintain();
  // Whether a flush or the like has failed since this was last asked: RocksDB refuses writes until resume().
  [[nodiscard]] bool take_failure();
  // The error says that somebody has removed the files.
  [[nodiscard]] Status check_directory() const;
  // Tries to leave the read-only state into which a failed background write puts RocksDB, and proves it
  // with a synced write. What stands in a log that failed goes to tables.
  Status resume();

  [[nodiscard]] std::uint64_t body_file_bytes() const;
  [[nodiscard]] std::uint64_t head_file_bytes() const;
  // Memtables to files (tests; a scan of what a crash would leave).
  Status flush();

 private:
  struct Rocks;
  explicit Database(std::unique_ptr<Rocks> rocks);
  void adopt_limits();
  void update_floor();

  const std::unique_ptr<Rocks> rocks_;
  std::atomic<bool> unsynced_{false};
  Mutex ids_mutex_;
};

}  // namespace freshet::storage
