// Database: the RocksDB under the disk tier, with the families of FORMAT.md, its options and its
// bounds; the one class that calls RocksDB. It knows records and keys as bytes and the live range of bodies;
// what a response is, it does not know.
//
// Any thread may call anything. Only scan_heads() with `cache_only`, read_chunk() with Caching::kOnly and
// what says "without I/O" never wait for the disk; writes and all else may and belong on the io pool or the
// maintenance thread. Chunks that were read keep their block of the cache pinned, and may outlive the
// database.
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
#include "storage/rocksdb/table_file.h"

namespace rocksdb {
class Env;
}

namespace freshet::storage {

struct DatabaseOptions {
  std::string directory;
  std::uint64_t byte_limit = 0;  // of the directory, all in all
  std::uint64_t memory = 0;      // block cache and memtables
  int max_open_files = 1000;
  int most_body_files = 400;  // of a family; over that, the newest are merged
  // Asked for head records when `responses` is compacted: true, and the record is left out. Empty: none.
  std::function<bool(std::string_view record)> head_is_dead;
  rocksdb::Env* env = nullptr;  // files and clock of tests; null: the machine's
};

// How one byte limit is divided. FORMAT.md, "Budget".
struct DiskBudget {
  std::uint64_t byte_limit = 0;
  std::uint64_t body_buffer = 0;  // memtable and file size of each family of bodies
  std::uint64_t head_buffer = 0;  // of `responses`
  std::uint64_t head_file = 0;    // file size of `responses` when compacted
  std::uint64_t wal = 0;
  // What is copied before room is made for it, and the largest body that is.
  [[nodiscard]] std::uint64_t copy_room() const { return byte_limit / 32; }
  // What may be written twice for a moment: flushes in flight, a compaction of heads, a step of copying.
  [[nodiscard]] std::uint64_t reserve(std::uint64_t head_bytes) const;
  // Above this, the oldest file goes; above `hard`, new bodies wait.
  [[nodiscard]] std::uint64_t soft(std::uint64_t head_bytes) const;
  [[nodiscard]] std::uint64_t hard() const;
};
[[nodiscard]] DiskBudget divide_budget(std::uint64_t byte_limit, std::uint64_t memory);

// One file of a family of bodies; the ids of the first and the last body in it.
struct BodyFile {
  BodyFamily family = BodyFamily::kNewcomers;
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t lowest = 0;
  std::uint64_t highest = 0;
};

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
    // Keeps its memory for the next.
    void clear() {
      chunks.clear();
      head_puts.clear();
      head_deletes.clear();
      key_deletes.clear();
    }
  };

  // Creates the directory where it is missing. The error names it, and both versions where they differ.
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options,
                                                              Counters& counters);
  ~Database();

  // What is in the files now, for reading alone, on memory of its own, with all files open: they may be
  // dropped by whoever has the directory next. Nothing is written here any more: not by the caller, and
  // RocksDB does nothing by itself from now on. Blocks.
  [[nodiscard]] Result<std::unique_ptr<Database>> snapshot();

  // Calls `visit` with key and record of each head of the key. kFound: all of them seen (even if none).
  ReadStatus scan_heads(
      const Digest128& key, bool cache_only,
      const std::function<void(std::string_view key, std::string_view record)>& visit) const;
  // Visits up to `most` heads from `from` on and before `end` (empty: to the last), and moves `from` on.
  // `from` is empty when none is left. Not kFound: some were not seen. Holds on to nothing when it returns.
  ReadStatus walk_heads(
      std::string& from, const std::string& end, std::size_t most,
      const std::function<void(std::string_view key, std::string_view record)>& visit) const;
  // Compacts them, which leaves out the dead.
  void compact_heads(const std::string& from, const std::string& end);
  ReadStatus read_head(const std::string& head_key, std::string& record) const;
  // `kPass` reads past the block cache: for what nobody is expected to read again.
  enum class Caching { kOnly, kFill, kPass };
  // `bytes`: the chunk's, without its header. `place`, where they came from a file just now: where they stand
  // there, whole.
  ReadStatus read_chunk(const ChunkLabel& label, Caching caching, Chunk& bytes,
                        std::optional<FilePlace>* place = nullptr) const;
  // False: the body's first chunk is certainly not there. Without I/O.
  [[nodiscard]] bool body_may_exist(const BodyPlace& place) const;

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

  // True: the body is certainly gone with its file, or was lost before this process began.
  [[nodiscard]] bool is_gone(const BodyPlace& place) const;
  // True: its file was dropped, or one of about that age.
  [[nodiscard]] bool is_doubtful(const BodyPlace& place) const;
  // The first id that this process gives to a body; once, before any is written.
  void begin_bodies_at(std::uint64_t first_id);

  // Oldest first.
  [[nodiscard]] std::vector<BodyFile> body_files(BodyFamily family) const;
  // Visits the first chunk of each body in the file with an id of `from` or more, until `visit` says false.
  // Holds on to nothing when it returns.
  ReadStatus walk_file(const BodyFile& file, std::uint64_t from,
                       const std::function<bool(const ChunkLabel& label)>& visit) const;
  // Drops the file, which must be the oldest of its family. False: it is still there.
  bool drop_file(const BodyFile& file);

  // Bytes of the directory: counted now, or then and all that was written since.
  std::uint64_t measure();
  [[nodiscard]] std::uint64_t estimate() const;
  [[nodiscard]] const DiskBudget& budget() const;
  // Called by RocksDB's threads whenever files came or went; must not block. Empty: no longer.
  void when_files_change(std::function<void()> changed);
  // Keeps the number of files in bounds. Cheap when nothing has changed; call it every so often.
  void maintain();
  // Whether a flush or the like has failed since this was last asked: RocksDB refuses writes until resume().
  [[nodiscard]] bool take_failure();
  // The error says that somebody has removed the files.
  [[nodiscard]] Status check_directory() const;
  // Tries to leave the read-only state into which a failed background write puts RocksDB, and proves it
  // with a synced write. What stands in a log that failed goes to tables.
  Status resume();

  [[nodiscard]] std::uint64_t body_file_bytes(BodyFamily family) const;
  [[nodiscard]] std::uint64_t head_file_bytes() const;
  // Memtables to files (tests; a scan of what a crash would leave).
  Status flush();

 private:
  struct Rocks;
  explicit Database(std::unique_ptr<Rocks> rocks);
  void adopt_files();
  // So many ids below those in files may belong to bodies that are not in files yet.
  void update_floor(BodyFamily family, std::uint64_t on_the_way);

  const std::unique_ptr<Rocks> rocks_;
  std::atomic<bool> unsynced_{false};
  // Else RocksDB has the first of several writers copy the batches of the others: work, and what the thread
  // sanitizer takes for a race at each of its bytes.
  Mutex write_mutex_;
  Mutex ids_mutex_;
  Mutex measure_mutex_;
  Mutex drop_mutex_;  // files are not merged while one is dropped
};

}  // namespace freshet::storage
