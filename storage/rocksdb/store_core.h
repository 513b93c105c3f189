// StoreCore: what the parts of the disk tier share: the database, the readers, the lane of writes, the
// removals, the bound on what waits to be written, and how a failure is told. Internal to storage/rocksdb.
//
// Shared by the store, its writers, its bodies and the tasks in progress; close() ends the threads, after
// which writes are refused and reads that need a thread are dropped. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/ghosts.h"
#include "storage/base/log.h"
#include "storage/base/mutex.h"
#include "storage/rocksdb/database.h"
#include "storage/rocksdb/full_disk.h"
#include "storage/rocksdb/held_chunks.h"
#include "storage/rocksdb/io_pool.h"
#include "storage/rocksdb/open_bodies.h"
#include "storage/rocksdb/removals.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "storage/rocksdb/used_bodies.h"
#include "storage/rocksdb/write_lane.h"

namespace freshet::storage {

class StoreCore : public std::enable_shared_from_this<StoreCore> {
 public:
  StoreCore(RocksdbOptions options, Describe describe, Counters& counters,
            std::unique_ptr<Database> database);

  [[nodiscard]] const RocksdbOptions& options() const { return options_; }
  [[nodiscard]] const Describe& describe() const { return describe_; }
  [[nodiscard]] Counters& counters() { return counters_; }
  [[nodiscard]] Database& database() { return *current_.load(std::memory_order_acquire); }
  [[nodiscard]] Removals& removals() { return removals_; }
  [[nodiscard]] UsedBodies& used() { return used_; }
  [[nodiscard]] Ghosts& ghosts() { return ghosts_; }
  [[nodiscard]] const HeldChunks& held_chunks() const { return held_chunks_; }
  [[nodiscard]] OpenBodies& open_bodies() { return open_bodies_; }
  [[nodiscard]] bool is_current(const StoredHead& head) const {
    return !options_.is_current || options_.is_current(head);
  }
  // Larger bodies would drop their own beginning.
  [[nodiscard]] std::uint64_t largest_body() const { return options_.byte_limit / 4; }

  // Whether new responses are taken: not closed, and the disk has not failed since it last worked.
  [[nodiscard]] bool takes_writes() const { return !closed_ && !failing_; }
  [[nodiscard]] bool closed() const { return closed_; }
  // Closing takes too long: nothing is written any more.
  [[nodiscard]] bool abandoned() const { return abandoned_; }
  [[nodiscard]] bool failing() const { return failing_; }

  void post_read(Task task) { readers_->post(std::move(task)); }
  // Changes are made in the order in which they are posted.
  void post_change(Task task);
  void post_change(std::unique_ptr<Change> change);
  // Who changes what is stored, and is not one of the above, holds this meanwhile.
  [[nodiscard]] Mutex& change_mutex() { return lane_.change_mutex(); }

  // Takes `bytes` into the backlog, or says that it is full. What was taken is given back with discharge().
  [[nodiscard]] bool charge(std::uint64_t bytes);
  // The same for a write of a body; false also where the directory has been full for too long.
  [[nodiscard]] bool charge_body(std::uint64_t bytes) { return !no_room_ && charge(bytes); }
  void discharge(std::uint64_t bytes);
  // Much waits to be written, or has waited for long: soon, something will be refused.
  [[nodiscard]] bool is_pressed();
  // A write waits for room.
  [[nodiscard]] bool lacks_room() const { return waiting_ > 0; }
  // True once a round while the disk has been full for longer than is waited for.
  [[nodiscard]] bool take_want_of_space() { return wants_space_.exchange(false); }
  // Called when a write begins to wait for room, and while it does; must not block. Empty: no longer.
  void when_room_is_wanted(std::function<void()> wanted);
  // Wakes who waits for room, where there is some: after what was dropped, or measured anew.
  void room_changed();

  // A body id never used before; 0 while none is reserved. Does not block: the next block of ids is reserved
  // on a lane while half of this one is left.
  [[nodiscard]] std::uint64_t next_body_id();
  // Reserves a block of body ids; once before the first response, then from a lane.
  [[nodiscard]] Status reserve_body_ids();

  // Writes; a failure is counted, logged, and turns writing off until the housekeeping succeeds. Not on an
  // event loop.
  [[nodiscard]] bool write(const Database::Batch& batch);

  // Adds to a batch that puts `head` at `place` the deletes of what is too many then: the oldest of the key's
  // variants. Not on an event loop.
  void bound_variants(const StoredHead& head, const std::string& place, Database::Batch& batch);

  // Forgets all heads of a key, or one body of it: at once for look-ups, behind on disk.
  void remove_key(const Digest128& key);
  void remove_body(const Digest128& key, std::uint64_t body_id);
  // Deletes a head record that cannot be read, is not current or has no body, if that is still so; or all of
  // a key whose block is damaged.
  void delete_dead_head(std::string place);
  void delete_damaged_key(const Digest128& key);

  // Counts, logs the change of state, and turns writing off until the housekeeping succeeds.
  void fail(std::string_view what);
  // Counts and logs.
  void report_damage(std::string_view what);
  void report_error(std::string_view what);

  // Whether the place is of a file that was dropped, or a body of which the beginning was.
  [[nodiscard]] bool is_dead_place(const BodyPlace& place) const;
  // Bytes of files that were dropped since the heads were last swept.
  void note_dropped(std::uint64_t bytes) { dropped_bytes_ += bytes; }
  void forget_dropped_bytes() { dropped_bytes_ = 0; }
  [[nodiscard]] std::uint64_t dropped_bytes() const { return dropped_bytes_; }
  // The smallest numbers of all heads that are written from now on.
  void begin_noting_heads();
  void note_head(const StoredHead& head);
  [[nodiscard]] std::pair<Sequence, Sequence> noted_heads() const {
    return {noted_filled_, noted_validated_};
  }

  // Waits until all changes posted before are made.
  void wait_for_changes();
  // The same, and syncs.
  void settle();
  // One round of the housekeeping: sync, follow drops, leave the failed state.
  void housekeep();
  // Ends the writing: what waits is written, within the bound, and synced.
  void stop_changes();
  // After that. Lets go of the directory: what is read from now on comes from the files that are there now.
  // `pass`: blocks until no event loop is in a call any more that it was in before. The error: nothing was
  // done.
  [[nodiscard]] Status release(const std::function<void()>& pass);
  void close();

 private:
  [[nodiscard]] bool has_room(std::uint64_t bytes) const;
  [[nodiscard]] bool wait_for_room(const Change& change);
  // False: the bound passed first.
  [[nodiscard]] bool await_changes(std::optional<Milliseconds> bound);
  // The same, and nothing was synced.
  [[nodiscard]] bool settle_within(std::optional<Milliseconds> bound);
  void delete_key_now(const Digest128& key, Removals::Ticket ticket);
  void delete_body_now(const Digest128& key, std::uint64_t body_id);
  void retry_later(Task task);
  void recover();
  void note_full_disk(std::string_view failure);
  void run_retries();

  const RocksdbOptions options_;
  const Describe describe_;
  Counters& counters_;
  std::unique_ptr<Database> database_;
  std::atomic<Database*> current_;
  Removals removals_;
  UsedBodies used_;
  Ghosts ghosts_;
  OpenBodies open_bodies_;
  const HeldChunks held_chunks_;
  const std::shared_ptr<IoPool> readers_;
  std::atomic<std::uint64_t> backlog_{0};
  std::atomic<std::uint64_t> dropped_bytes_{0};
  std::atomic<Sequence> noted_filled_{0};
  std::atomic<Sequence> noted_validated_{0};
  std::atomic<std::int64_t> told_bytes_{0};  // what the gauge says
  std::atomic<bool> failing_{false};
  std::atomic<bool> closed_{false};
  std::atomic<bool> abandoned_{false};  // what waits to be written is dropped
  LogLimiter limiter_;
  LogLimiter still_failing_{Milliseconds{60'000}};

  Mutex ids_mutex_;
  std::uint64_t next_id_ GUARDED_BY(ids_mutex_) = 0;
  std::uint64_t ids_end_ GUARDED_BY(ids_mutex_) = 0;
  // The block after this one; 0: none yet.
  std::uint64_t next_block_ GUARDED_BY(ids_mutex_) = 0;
  bool reserving_ GUARDED_BY(ids_mutex_) = false;

  Mutex room_mutex_;
  CondVar room_made_;
  std::function<void()> room_wanted_ GUARDED_BY(room_mutex_);
  // Since when a write has been waiting for room, and nothing has found any.
  std::optional<MonoTime> full_since_ GUARDED_BY(room_mutex_);
  std::atomic<bool> no_room_{false};  // for too long
  std::atomic<int> waiting_{0};
  std::atomic<bool> wants_space_{false};
  FullDisk full_disk_;  // the housekeeping's own, as the next
  bool told_of_full_disk_ = false;

  Mutex retry_mutex_;
  std::vector<Task> retries_ GUARDED_BY(retry_mutex_);

  // One: of two each would have half of what comes at a time, and body ids reach the memtable out of order.
  WriteLane lane_;  // the last: its thread uses all of the above
};

}  // namespace freshet::storage
