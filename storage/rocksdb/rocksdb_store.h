// RocksdbStore: the disk tier. Responses survive a restart, `kill -9` (all that was visible) and a power cut
// (all but the loss bound's last writes); what is on disk is described in FORMAT.md.
//
// Writes go to a lane, a thread that writes what waits in batches; a response becomes visible with one atomic
// write of the last chunk and the head. Removals take effect at once, in memory, and reach the disk behind.
// Look-ups try what is in memory, RocksDB's and the kernel's (nowait_files.h), without I/O; else the io pool
// reads. A response of one chunk (256 KiB) comes back with its body in memory, so that a tier above may keep
// it; a larger one reads its chunks from disk as they are asked for, each pinned in the block cache while
// somebody holds it.
//
// The write log (WAL) is always on and synced at least once in every loss bound; see FORMAT.md, "Durability".
//
// A failing disk is a miss, a refused write, a counter and a limited log line; begin() gives null until a
// synced write succeeds again. Owned by main; destroyed when no executor that was passed in has gone before,
// from a thread that is not the io pool's. Bodies that outlive the store keep its files open. RFC 9111,
// section 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/counters.h"
#include "storage/base/result.h"
#include "storage/invalidation/scope_record.h"
#include "storage/response_store.h"

namespace rocksdb {
class Env;
}

namespace freshet::storage {

struct RocksdbOptions {
  std::string directory;                      // created where it is missing
  std::uint64_t byte_limit = 1ULL << 30;      // of the directory, all in all; at least 16 MiB
  std::uint64_t memory = 64ULL << 20;         // block cache, memtables, open tables
  std::uint64_t backlog_limit = 64ULL << 20;  // bytes that may wait to be written
  Milliseconds loss_bound{2000};              // what a power cut may cost
  Milliseconds room_bound{5000};              // a full directory may make a write wait
  Milliseconds full_disk_bound{10'000};       // after which the oldest files are given up for a full disk
  Milliseconds close_bound{10'000};           // of writing what waits, at the end; the rest is dropped
  std::size_t io_threads = 4;                 // that read; another writes
  int max_open_files = 1000;
  std::size_t max_variants = 64;  // of one key; the oldest go first
  // Asked for each head that was read from disk or is about to become visible, on any thread: false, and it
  // is as if it were not there. Empty: all are current.
  std::function<bool(const StoredHead&)> is_current;
  // Told after each sweep of the heads, on the sweeper's thread: the smallest filled_at and validated_at of
  // all that is stored (the greatest number there is: of none), and what current_sequence() was when it
  // began. Fills that are open are not among them.
  std::function<void(Sequence oldest_filled, Sequence oldest_validated, Sequence current)> on_swept;
  std::function<Sequence()> current_sequence;
  // Whether a memory tier has the key, on the evictor's thread: what it has is kept on disk. Empty: none has.
  std::function<bool(const Digest128& key)> is_in_memory;
  rocksdb::Env* env = nullptr;  // files of tests; outlives the store. Null: the machine's
};

class StoreCore;
class DiskEvictor;
class HeadSweeper;
class Housekeeper;

class RocksdbStore final : public ResponseStore {
 public:
  // The error is one line that names the directory. `describe` may be empty; it is called on any thread.
  // `counters` must outlive the store and every body it gave out.
  [[nodiscard]] static Result<std::unique_ptr<RocksdbStore>> open(RocksdbOptions options, Describe describe,
                                                                  Counters& counters);
  // Writes what waits, for `close_bound` at most; syncs, closes. Blocks.
  ~RocksdbStore() override;

  [[nodiscard]] LookupResult try_lookup(const CacheKey& key) override;
  void lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) override;
  void peek(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) override;
  [[nodiscard]] std::unique_ptr<StoreWriter> begin(const CacheKey& key,
                                                   std::optional<std::uint64_t> expected_size) override;
  // A response is known by its body id; one whose id is 0 is not on disk.
  void freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) override;
  void add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) override;
  void remove(const CacheKey& key) override;
  void remove(const StoredResponse& response) override;
  void settle() override;

  // The first of `count` numbers that were never given before under this name, nor will be, whatever
  // crashes. A synced write; any thread that may block.
  Result<std::uint64_t> reserve_ids(const std::string& name, std::uint64_t count);

  // For restore_invalidations(): what earlier programs have kept here of tags, and which log this store
  // belongs to (Database::bind_log).
  [[nodiscard]] Result<std::vector<ScopeRecord>> old_invalidations() const;
  [[nodiscard]] Result<bool> bind_log(std::uint64_t id);

  // Has the heads swept in a moment, so that their space comes back. Nothing is swept before it is called.
  void sweep_soon() override;
  // Sweeps now and waits for it and for what it frees. Tests; never on an event loop.
  void sweep();

  // For who hands the directory on: writes what waits, syncs, and lets go of it. What was given out can still
  // be read, from the files as they were, which may be dropped meanwhile; look-ups and writes belong to the
  // next owner. `pass` blocks until no event loop is in a call any more that it was in before. Blocks. The
  // error: the directory is still ours, and writes are over.
  [[nodiscard]] Status release(const std::function<void()>& pass);
  // Has what is in memory written to files, so that release() is soon done. Blocks.
  void flush();

  // Bytes of table files: heads and bodies.
  [[nodiscard]] std::uint64_t file_bytes() const;
  // Bytes of chunks that readers hold on to now.
  [[nodiscard]] std::uint64_t held_bytes() const;
  // A body waits for room in the directory.
  [[nodiscard]] bool lacks_room() const;

 private:
  explicit RocksdbStore(std::shared_ptr<StoreCore> core);
  // Posts a write of `fresh`'s head over the body of `old`.
  void write_head(const StoredResponsePtr& old, const StoredResponsePtr& fresh, bool keep_old);

  const std::shared_ptr<StoreCore> core_;
  std::unique_ptr<Housekeeper> housekeeper_;
  std::unique_ptr<DiskEvictor> evictor_;
  std::unique_ptr<HeadSweeper> sweeper_;
};

}  // namespace freshet::storage
