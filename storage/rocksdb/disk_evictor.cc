#include "storage/rocksdb/disk_evictor.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <pthread.h>
#include <utility>

#include "storage/rocksdb/body_mover.h"

namespace freshet::storage {

namespace {

constexpr Milliseconds kLongestWait{1000};
constexpr std::uint64_t kNewcomersPart = 10;  // of a hundred
// With a small limit a tenth is less than a file.
constexpr std::size_t kLeastNewcomerFiles = 3;
// Of the limit, for a disk that others have filled.
constexpr std::uint64_t kFullDiskPart = 8;
// What one step looks at and copies; nothing is held beyond it.
constexpr std::size_t kStepBodies = 512;
constexpr std::size_t kStepCopies = 64;
constexpr std::uint64_t kStepBytes = 4ULL << 20;

}  // namespace

// The files of a family as they are, oldest first, and as they would be without those that are to go.
struct DiskEvictor::Queue {
  explicit Queue(std::vector<BodyFile> all) : files(std::move(all)) {
    for (const BodyFile& file : files) bytes += file.bytes;
  }
  [[nodiscard]] bool empty() const { return next == files.size(); }
  [[nodiscard]] std::size_t size() const { return files.size() - next; }
  [[nodiscard]] const BodyFile& front() const { return files[next]; }
  void pop() { bytes -= files[next++].bytes; }

  std::vector<BodyFile> files;
  std::size_t next = 0;
  std::uint64_t bytes = 0;
};

DiskEvictor::DiskEvictor(std::shared_ptr<StoreCore> core)
    : core_(std::move(core)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "freshet-evict");
  core_->database().when_files_change([this] { wake(); });
  core_->when_room_is_wanted([this] { wake(); });
}

DiskEvictor::~DiskEvictor() {
  core_->database().when_files_change({});
  core_->when_room_is_wanted({});
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void DiskEvictor::wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void DiskEvictor::settle() {
  const MutexLock lock(mutex_);
  const std::uint64_t wanted = rounds_begun_ + 1;
  woken_ = true;
  changed_.notify_all();
  while (rounds_done_ < wanted && !stopping_) changed_.wait(mutex_);
}

void DiskEvictor::reclaim(BodyFamily family, const std::string& last_file) {
  const MutexLock lock(mutex_);
  reclaims_.push_back({family, last_file});
  woken_ = true;
  changed_.notify_all();
}

bool DiskEvictor::stopping() const {
  if (core_->abandoned()) return true;  // what cannot be copied is not to be dropped
  const MutexLock lock(mutex_);
  return stopping_;
}

void DiskEvictor::run() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      const MonoTime next = mono_now() + kLongestWait;
      while (!stopping_ && !woken_ && mono_now() < next) changed_.wait_for(mutex_, next - mono_now());
      if (stopping_) return;
      woken_ = false;
      ++rounds_begun_;
    }
    round();
    const MutexLock lock(mutex_);
    rounds_done_ = rounds_begun_;
    changed_.notify_all();
  }
}

void DiskEvictor::round() {
  run_reclaims();
  while (!stopping()) {
    const std::vector<BodyFile> files = next_to_go();
    if (files.empty() || !evict(files, Keep::kUsed)) return;
  }
}

std::vector<BodyFile> DiskEvictor::next_to_go() {
  Database& database = core_->database();
  const std::uint64_t going_already = bytes_still_there();
  const std::uint64_t measured = database.measure();
  core_->room_changed();
  const std::uint64_t now = measured - std::min(measured, going_already);
  const std::uint64_t soft = database.budget().soft(database.head_file_bytes());
  const std::uint64_t hard = database.budget().hard();
  const std::uint64_t excess = std::max(wanted_by_full_disk(), now - std::min(now, soft));
  if (excess == 0) return {};
  // All that is alive in them may be copied before any of them goes.
  const std::uint64_t most = std::min(database.budget().copy_room(), hard - std::min(hard, now));
  Queue newcomers(database.body_files(BodyFamily::kNewcomers));
  Queue main(database.body_files(BodyFamily::kMain));
  std::vector<BodyFile> going;
  std::uint64_t bytes = 0;
  while (bytes < excess && !(newcomers.empty() && main.empty())) {
    Queue& from = takes_from_main(newcomers, main) ? main : newcomers;
    bytes += from.front().bytes;
    if (!going.empty() && bytes > most) break;
    going.push_back(from.front());
    from.pop();
  }
  return going;
}

std::uint64_t DiskEvictor::bytes_still_there() {
  const auto is_gone = [this](const BodyFile& file) {
    std::error_code failure;
    return !std::filesystem::exists(core_->options().directory + "/" + file.name, failure);
  };
  dropped_.erase(std::remove_if(dropped_.begin(), dropped_.end(), is_gone), dropped_.end());
  std::uint64_t bytes = 0;
  for (const BodyFile& file : dropped_) bytes += file.bytes;
  return bytes;
}

bool DiskEvictor::evict(const std::vector<BodyFile>& files, Keep keep) {
  Database& database = core_->database();
  bool copied = false;
  for (const BodyFile& file : files) {
    if (!copy_out(file, keep, copied)) return false;
  }
  // The copies must not be lost with a log that was not synced, when the originals are gone.
  if (copied && !database.sync().ok()) return false;
  for (const BodyFile& file : files) {
    if (!database.drop_file(file)) return false;
    core_->note_dropped(file.bytes);
    dropped_.push_back(file);
  }
  return true;
}

bool DiskEvictor::copy_out(const BodyFile& file, Keep keep, bool& copied) {
  if (keep == Keep::kAlive && may_hold_open_body(file)) return false;
  if (file.family == BodyFamily::kMain)
    main_allowance_ = std::min<std::int64_t>(main_allowance_, 0) + static_cast<std::int64_t>(file.bytes / 2);
  std::uint64_t from = 0;
  while (from <= file.highest) {
    if (core_->failing()) return keep == Keep::kUsed;
    // It is to give room, not to take it, and not at the cost of what is alive.
    if (keep == Keep::kAlive && is_full()) return false;
    const ReadStatus walked = copy_step(file, keep, from, copied);
    if (stopping()) return false;
    if (walked == ReadStatus::kFound) continue;
    // What could not be looked at may be alive; it has to go all the same when room is needed.
    return keep == Keep::kUsed && (walked == ReadStatus::kDamaged || is_full());
  }
  return true;
}

std::uint64_t DiskEvictor::wanted_by_full_disk() {
  const DiskBudget& budget = core_->database().budget();
  const std::int64_t written = core_->counters().get(Counter::kDiskWriteBytes);
  const auto anew = static_cast<std::uint64_t>(written - std::exchange(written_by_then_, written));
  given_to_full_disk_ -= std::min(given_to_full_disk_, anew);
  if (!core_->failing()) return 0;
  // What others fill the disk with is not to cost all that is stored.
  if (!core_->take_want_of_space() || given_to_full_disk_ >= budget.byte_limit / kFullDiskPart) return 0;
  given_to_full_disk_ += budget.reserve(0);
  return budget.reserve(0);
}

bool DiskEvictor::is_full() const {
  if (core_->lacks_room()) return true;
  Database& database = core_->database();
  const std::uint64_t most = database.budget().hard();
  // Logs that are no longer needed may have gone since it was counted.
  return database.estimate() > most && database.measure() > most;
}

bool DiskEvictor::is_late() const {
  return core_->is_pressed() && is_full();
}

bool DiskEvictor::takes_from_main(const Queue& newcomers, const Queue& main) const {
  if (main.empty() || newcomers.empty()) return newcomers.empty();
  const std::uint64_t all_bytes = newcomers.bytes + main.bytes;
  if (newcomers.size() <= kLeastNewcomerFiles) return true;
  if (newcomers.bytes * 100 <= all_bytes * kNewcomersPart) return true;
  // A body that is still being written keeps its beginning, up to a bound.
  return may_hold_open_body(newcomers.front()) && newcomers.bytes <= all_bytes / 2;
}

bool DiskEvictor::may_hold_open_body(const BodyFile& file) const {
  const std::optional<std::uint64_t> open = core_->open_bodies().lowest();
  return open && file.highest >= *open;
}

ReadStatus DiskEvictor::copy_step(const BodyFile& file, Keep keep, std::uint64_t& from, bool& copied) {
  std::vector<ChunkLabel> wanted;
  std::size_t seen = 0;
  std::uint64_t bytes = 0;
  const ReadStatus walked = core_->database().walk_file(file, from, [&](const ChunkLabel& first) {
    from = first.body_id + 1;
    bytes += first.size;
    if (is_wanted(first, keep)) wanted.push_back(first);
    return ++seen < kStepBodies && wanted.size() < kStepCopies && bytes < kStepBytes;
  });
  for (const ChunkLabel& first : wanted) {
    if (stopping()) break;
    copied = copy(first, keep) || copied;
  }
  if (walked == ReadStatus::kFound && seen == 0) from = file.highest + 1;
  return walked;
}

bool DiskEvictor::copy(const ChunkLabel& first, Keep keep) {
  const bool of_main = first.family == BodyFamily::kMain;
  if (keep == Keep::kUsed) {
    if (of_main && main_allowance_ <= 0) return false;
    if (is_late()) {
      core_->counters().add(Counter::kDiskCopiesDropped);
      // It was wanted: who comes back is no newcomer.
      core_->ghosts().add(first.key);
      return false;
    }
  }
  const std::uint64_t moved =
      move_body(core_, {first.family, first.body_id}, first.key, core_->database().budget().copy_room(),
                [this] { return !stopping(); });
  if (of_main) main_allowance_ -= static_cast<std::int64_t>(moved);
  return moved > 0;
}

bool DiskEvictor::is_wanted(const ChunkLabel& first, Keep keep) {
  const bool used = core_->used().is_marked(first.body_id);
  core_->used().clear(first.body_id);
  if (used || keep == Keep::kAlive) return true;
  const auto& in_memory = core_->options().is_in_memory;
  if (in_memory && in_memory(first.key)) return true;
  if (first.family == BodyFamily::kNewcomers) core_->ghosts().add(first.key);
  return false;
}

void DiskEvictor::run_reclaims() {
  std::vector<Reclaim> reclaims;
  {
    const MutexLock lock(mutex_);
    reclaims.swap(reclaims_);
  }
  for (const Reclaim& each : reclaims) {
    const std::vector<BodyFile> files = core_->database().body_files(each.family);
    // Dropped or merged meanwhile: what to go up to is not known any more.
    if (std::none_of(files.begin(), files.end(),
                     [&each](const BodyFile& file) { return file.name == each.last_file; }))
      continue;
    for (const BodyFile& file : files) {
      if (stopping() || !evict({file}, Keep::kAlive)) break;
      if (file.name == each.last_file) break;
    }
  }
}

}  // namespace freshet::storage
