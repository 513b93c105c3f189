#include "storage/rocksdb/store_core.h"

#include <algorithm>
#include <limits>
#include <string>

namespace freshet::storage {

namespace {

// How often who waits for room asks for it again: a log that RocksDB deletes is no event.
constexpr Milliseconds kAskAgain{50};
constexpr std::uint64_t kIdBlock = 1 << 20;
// As many bodies as this would make of the limit are told apart.
constexpr std::uint64_t kLeastPerBody = 1024;

// Whether the lane has come to a place in its queue.
class Milestone {
 public:
  void reach() {
    const MutexLock lock(mutex_);
    is_reached_ = true;
    reached_.notify_all();
  }
  // False: the bound came first.
  bool wait(std::optional<Milliseconds> bound) {
    const MonoTime until = mono_now() + bound.value_or(Milliseconds{0});
    const MutexLock lock(mutex_);
    while (!is_reached_) {
      if (!bound) {
        reached_.wait(mutex_);
      } else if (const auto left = until - mono_now(); left <= left.zero()) {
        return false;
      } else {
        reached_.wait_for(mutex_, left);
      }
    }
    return true;
  }

 private:
  Mutex mutex_;
  CondVar reached_;
  bool is_reached_ GUARDED_BY(mutex_) = false;
};

}  // namespace

StoreCore::StoreCore(RocksdbOptions options, Describe describe, Counters& counters,
                     std::unique_ptr<Database> database)
    : options_(std::move(options)),
      describe_(std::move(describe)),
      counters_(counters),
      database_(std::move(database)),
      current_(database_.get()),
      used_(options_.byte_limit / kLeastPerBody),
      ghosts_(options_.byte_limit / kLeastPerBody),
      held_chunks_(options_.memory),
      readers_(std::make_shared<IoPool>(options_.io_threads)),
      full_disk_(options_.full_disk_bound),
      lane_(WriteLane::Store{[this](std::uint64_t bytes) { return has_room(bytes); },
                             [this](const Change& change) { return wait_for_room(change); },
                             [this](const Database::Batch& batch) { return write(batch); }}) {}

void StoreCore::post_change(Task task) {
  if (!closed_) lane_.post(std::move(task));
}

void StoreCore::post_change(std::unique_ptr<Change> change) {
  if (!closed_) lane_.post(std::move(change));
}

bool StoreCore::has_room(std::uint64_t bytes) const {
  return database_->estimate() + bytes <= database_->budget().hard();
}

// The evictor needs no lane to make room.
bool StoreCore::wait_for_room(const Change& change) {
  const std::uint64_t bytes = change.room_needed();
  const MutexLock lock(room_mutex_);
  if (!full_since_) full_since_ = mono_now();
  const MonoTime until = *full_since_ + options_.room_bound;
  ++waiting_;
  while (!has_room(bytes) && !failing_ && !abandoned_ && change.is_wanted()) {
    if (room_wanted_) room_wanted_();
    const auto left = until - mono_now();
    if (left <= left.zero()) {
      no_room_ = true;
      break;
    }
    room_made_.wait_for(room_mutex_, std::min<MonoTime::duration>(left, kAskAgain));
  }
  --waiting_;
  if (!has_room(bytes)) return false;
  full_since_.reset();
  no_room_ = false;
  return true;
}

void StoreCore::when_room_is_wanted(std::function<void()> wanted) {
  const MutexLock lock(room_mutex_);
  room_wanted_ = std::move(wanted);
}

void StoreCore::room_changed() {
  const MutexLock lock(room_mutex_);
  // Who waits stops short of the limit by what he would write.
  if (has_room(kBodyChunkSize + kBodyChunkSize / 4)) {
    full_since_.reset();
    no_room_ = false;
  }
  room_made_.notify_all();
}

bool StoreCore::is_pressed() {
  if (backlog_ > options_.backlog_limit / 2) return true;
  const MutexLock lock(room_mutex_);
  return full_since_ && mono_now() - *full_since_ >= options_.room_bound / 2;
}

bool StoreCore::charge(std::uint64_t bytes) {
  std::uint64_t now = backlog_.load(std::memory_order_relaxed);
  do {
    if (now + bytes > options_.backlog_limit) return false;
  } while (!backlog_.compare_exchange_weak(now, now + bytes, std::memory_order_relaxed));
  counters_.add(Counter::kDiskWriteBacklog, static_cast<std::int64_t>(bytes));
  return true;
}

void StoreCore::discharge(std::uint64_t bytes) {
  backlog_.fetch_sub(bytes, std::memory_order_relaxed);
  counters_.add(Counter::kDiskWriteBacklog, -static_cast<std::int64_t>(bytes));
}

std::uint64_t StoreCore::next_body_id() {
  bool reserve = false;
  std::uint64_t id = 0;
  {
    const MutexLock lock(ids_mutex_);
    if (next_id_ == ids_end_ && next_block_ != 0) {
      next_id_ = std::exchange(next_block_, 0);
      ids_end_ = next_id_ + kIdBlock;
    }
    if (next_id_ < ids_end_) id = next_id_++;
    if (id != 0) used_.clear(id);
    const bool half_used = ids_end_ - next_id_ < kIdBlock / 2;
    if (half_used && next_block_ == 0) reserve = !std::exchange(reserving_, true);
  }
  if (reserve && !closed_) {
    lane_.post([core = shared_from_this()] {
      if (Status status = core->reserve_body_ids(); !status.ok()) {
        core->report_error("cannot reserve body ids: " + status.error());
      }
    });
  }
  return id;
}

Status StoreCore::reserve_body_ids() {
  const Result<std::uint64_t> block = database_->reserve_ids("bodies", kIdBlock);
  const MutexLock lock(ids_mutex_);
  reserving_ = false;
  if (!block.ok()) return Error{block.error()};
  next_block_ = block.value();
  if (next_id_ == 0) database_->begin_bodies_at(next_block_);
  return {};
}

bool StoreCore::write(const Database::Batch& batch) {
  if (batch.empty()) return true;
  if (abandoned_) return false;
  const Status written = database_->write(batch);
  if (written.ok()) return true;
  fail("write failed: " + written.error());
  return false;
}

void StoreCore::fail(std::string_view what) {
  counters_.add(Counter::kDiskErrors);
  if (failing_.exchange(true)) return;
  room_changed();
  log_event(LogLevel::kError,
            "disk tier: off until the disk works again, memory serves on: " + std::string(what));
}

void StoreCore::bound_variants(const StoredHead& head, const std::string& place, Database::Batch& batch) {
  // One without selecting fields is the only one of its kind: not worth a look at the others.
  if (head.selecting.empty()) return;
  std::vector<std::pair<std::string, std::string>> others;
  const auto collect = [&](std::string_view at, std::string_view record) {
    if (at != place) others.emplace_back(at, record);
  };
  if (database_->scan_heads(head.key.digest, false, collect) != ReadStatus::kFound) return;
  if (others.size() < options_.max_variants) return;
  std::vector<std::pair<WallTime, std::string>> by_age;
  for (auto& [at, record] : others) {
    const std::optional<StoredHead> other = decode_head(record);
    by_age.emplace_back(other ? other->response_time : WallTime{}, std::move(at));
  }
  std::sort(by_age.begin(), by_age.end());
  const std::size_t too_many = others.size() + 1 - std::max<std::size_t>(options_.max_variants, 1);
  for (std::size_t i = 0; i < too_many; ++i) batch.head_deletes.push_back(std::move(by_age[i].second));
  counters_.add(Counter::kDiskEvictions, static_cast<std::int64_t>(too_many));
}

void StoreCore::report_damage(std::string_view what) {
  counters_.add(Counter::kDiskCorrupt);
  limiter_.log(LogLevel::kWarning, "disk tier: damaged, taken for a miss: " + std::string(what));
}

void StoreCore::report_error(std::string_view what) {
  counters_.add(Counter::kDiskErrors);
  limiter_.log(LogLevel::kError, "disk tier: " + std::string(what));
}

void StoreCore::remove_key(const Digest128& key) {
  const Removals::Ticket ticket = removals_.remove_all(key);
  post_change([core = shared_from_this(), key, ticket] { core->delete_key_now(key, ticket); });
}

void StoreCore::remove_body(const Digest128& key, std::uint64_t body_id) {
  removals_.remove_body(key, body_id);
  post_change([core = shared_from_this(), key, body_id] { core->delete_body_now(key, body_id); });
}

void StoreCore::delete_key_now(const Digest128& key, Removals::Ticket ticket) {
  Database::Batch batch;
  const ReadStatus read = database_->scan_heads(
      key, false, [&batch](std::string_view at, std::string_view) { batch.head_deletes.emplace_back(at); });
  // What cannot be read can still be deleted.
  if (read != ReadStatus::kFound) batch.key_deletes.push_back(key);
  if (write(batch)) {
    removals_.applied(key, ticket);
  } else {
    retry_later([core = shared_from_this(), key, ticket] { core->delete_key_now(key, ticket); });
  }
}

void StoreCore::delete_body_now(const Digest128& key, std::uint64_t body_id) {
  Database::Batch batch;
  const auto collect = [&batch, body_id](std::string_view at, std::string_view record) {
    if (peek_body_id(record) == body_id) batch.head_deletes.emplace_back(at);
  };
  const ReadStatus read = database_->scan_heads(key, false, collect);
  if (read == ReadStatus::kDamaged) batch.key_deletes.push_back(key);
  if (read != ReadStatus::kFailed && write(batch)) {
    removals_.body_applied(key, body_id);
  } else {
    retry_later([core = shared_from_this(), key, body_id] { core->delete_body_now(key, body_id); });
  }
}

void StoreCore::delete_dead_head(std::string place) {
  post_change([core = shared_from_this(), at = std::move(place)] {
    std::string record;
    if (core->database().read_head(at, record) != ReadStatus::kFound) return;
    BodyPlace body;
    const std::optional<StoredHead> head = decode_head(record, &body);
    if (head && head_key(head->key.digest, variant_digest(head->selecting)) == at &&
        core->is_current(*head) && !core->is_dead_place(body))
      return;
    Database::Batch batch;
    batch.head_deletes.push_back(at);
    if (core->write(batch)) core->counters().add(Counter::kDiskSwept);
  });
}

void StoreCore::delete_damaged_key(const Digest128& key) {
  post_change([core = shared_from_this(), key] {
    Database::Batch batch;
    batch.key_deletes.push_back(key);
    (void)core->write(batch);
  });
}

void StoreCore::retry_later(Task task) {
  const MutexLock lock(retry_mutex_);
  retries_.push_back(std::move(task));
}

bool StoreCore::is_dead_place(const BodyPlace& place) const {
  return current_.load()->is_gone(place) ||
         (current_.load()->is_doubtful(place) && !current_.load()->body_may_exist(place));
}

void StoreCore::begin_noting_heads() {
  noted_filled_ = std::numeric_limits<Sequence>::max();
  noted_validated_ = std::numeric_limits<Sequence>::max();
}

void StoreCore::note_head(const StoredHead& head) {
  const auto lower = [](std::atomic<Sequence>& least, Sequence value) {
    Sequence now = least;
    while (value < now && !least.compare_exchange_weak(now, value)) {
    }
  };
  lower(noted_filled_, head.filled_at);
  lower(noted_validated_, head.validated_at);
}

void StoreCore::wait_for_changes() {
  (void)await_changes(std::nullopt);
}

bool StoreCore::await_changes(std::optional<Milliseconds> bound) {
  const auto milestone = std::make_shared<Milestone>();
  lane_.post([milestone] { milestone->reach(); });
  lane_.hurry();
  return milestone->wait(bound);
}

void StoreCore::settle() {
  (void)settle_within(std::nullopt);
}

bool StoreCore::settle_within(std::optional<Milliseconds> bound) {
  if (!await_changes(bound)) return false;
  if (Status synced = database_->sync(); !synced.ok()) fail("sync failed: " + synced.error());
  return true;
}

void StoreCore::housekeep() {
  database_->maintain();
  const auto bytes = static_cast<std::int64_t>(database_->measure());
  counters_.add(Counter::kDiskBytes, bytes - told_bytes_.exchange(bytes));
  room_changed();
  if (database_->take_failure()) fail("a background write failed");
  if (Status there = database_->check_directory(); !there.ok()) fail(there.error());
  if (Status synced = database_->sync(); !synced.ok()) fail("sync failed: " + synced.error());
  if (failing_) recover();
  if (!failing_) run_retries();
}

void StoreCore::note_full_disk(std::string_view failure) {
  wants_space_ = full_disk_.note(failure, mono_now());
  if (wants_space_ && !std::exchange(told_of_full_disk_, true))
    log_event(LogLevel::kWarning, "disk tier: the disk stays full: the oldest files are given up for room");
}

void StoreCore::recover() {
  Status resumed = database_->check_directory();
  if (resumed.ok()) resumed = database_->resume();
  if (!resumed.ok()) {
    counters_.add(Counter::kDiskErrors);
    note_full_disk(resumed.error());
    still_failing_.log(LogLevel::kError, "disk tier: still off: " + resumed.error());
    return;
  }
  (void)database_->take_failure();  // that which has just been mended
  failing_ = false;
  full_disk_.pass();
  told_of_full_disk_ = false;
  wants_space_ = false;
  log_event(LogLevel::kInfo, "disk tier: writes work again");
}

void StoreCore::run_retries() {
  std::vector<Task> retries;
  {
    const MutexLock lock(retry_mutex_);
    retries.swap(retries_);
  }
  for (Task& task : retries) post_change(std::move(task));
}

void StoreCore::stop_changes() {
  if (closed_) return;
  if (!settle_within(options_.close_bound)) {
    abandoned_ = true;
    room_changed();
    log_event(LogLevel::kWarning, "disk tier: slow; what still waits to be written is dropped");
  }
  closed_ = true;
  // Some may have come between; they are made.
  lane_.stop();
  if (Status synced = database_->sync(); !synced.ok()) fail("sync failed: " + synced.error());
  const MutexLock lock(retry_mutex_);
  retries_.clear();  // they hold this
}

Status StoreCore::release(const std::function<void()>& pass) {
  auto snapshot = database_->snapshot();
  if (!snapshot.ok()) return Error{snapshot.error()};
  std::unique_ptr<Database> owned = snapshot.take();
  current_.store(owned.get(), std::memory_order_release);
  readers_->pass();
  pass();
  std::swap(database_, owned);
  return {};
}

void StoreCore::close() {
  stop_changes();
  readers_->stop();
}

}  // namespace freshet::storage
