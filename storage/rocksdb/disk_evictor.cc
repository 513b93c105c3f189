#include "storage/rocksdb/disk_evictor.h"

#include <algorithm>
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
// What one step looks at and copies; nothing is held beyond it.
constexpr std::size_t kStepBodies = 512;
constexpr std::size_t kStepCopies = 64;
constexpr std::uint64_t kStepBytes = 4ULL << 20;

// Waits until all tokens that were made are let go.
class Pending {
 public:
  [[nodiscard]] std::shared_ptr<void> token() {
    {
      const MutexLock lock(mutex_);
      ++open_;
    }
    return {this, [](Pending* self) { self->let_go(); }};
  }
  void wait() {
    const MutexLock lock(mutex_);
    while (open_ > 0) done_.wait(mutex_);
  }

 private:
  void let_go() {
    const MutexLock lock(mutex_);
    if (--open_ == 0) done_.notify_all();
  }

  Mutex mutex_;
  CondVar done_;
  std::size_t open_ GUARDED_BY(mutex_) = 0;
};

}  // namespace

DiskEvictor::DiskEvictor(std::shared_ptr<StoreCore> core)
    : core_(std::move(core)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "freshet-evict");
  core_->database().when_files_change([this] { wake(); });
}

DiskEvictor::~DiskEvictor() {
  core_->database().when_files_change({});
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
    const std::optional<BodyFile> file = next_to_go();
    if (!file || !evict(*file, Keep::kUsed)) return;
  }
}

std::optional<BodyFile> DiskEvictor::next_to_go() {
  Database& database = core_->database();
  if (database.measure() <= database.budget().soft(database.head_file_bytes())) return std::nullopt;
  if (!core_->takes_writes()) return std::nullopt;
  const std::vector<BodyFile> newcomers = database.body_files(BodyFamily::kNewcomers);
  const std::vector<BodyFile> main = database.body_files(BodyFamily::kMain);
  const std::uint64_t newcomer_bytes = database.body_file_bytes(BodyFamily::kNewcomers);
  const std::uint64_t all_bytes = newcomer_bytes + database.body_file_bytes(BodyFamily::kMain);
  if (newcomers.empty() && main.empty()) return std::nullopt;
  if (main.empty()) return newcomers.front();
  const bool few = newcomers.size() <= kLeastNewcomerFiles;
  if (few || newcomer_bytes * 100 <= all_bytes * kNewcomersPart) return main.front();
  // A body that is still being written keeps its beginning, up to a bound.
  const bool in_use = may_hold_open_body(newcomers.front());
  return in_use && newcomer_bytes <= all_bytes / 2 ? main.front() : newcomers.front();
}

bool DiskEvictor::evict(const BodyFile& file, Keep keep) {
  Database& database = core_->database();
  std::uint64_t from = 0;
  std::uint64_t budget = std::numeric_limits<std::uint64_t>::max();
  if (keep == Keep::kUsed && file.family == BodyFamily::kMain) budget = file.bytes / 2;
  bool copied = false;
  if (keep == Keep::kAlive && may_hold_open_body(file)) return false;
  while (!is_late() && from <= file.highest) {
    const ReadStatus walked = copy_step(file, keep, from, budget, copied);
    // What could not be looked at may be alive; a damaged file has to go when room is needed.
    if (walked == ReadStatus::kDamaged && keep == Keep::kUsed) break;
    if (walked != ReadStatus::kFound || stopping() || !core_->takes_writes()) return false;
  }
  // The copy must not be lost with a log that was not synced, when the original is gone.
  if (copied && !database.sync().ok()) return false;
  if (!database.drop_file(file)) return false;
  core_->note_dropped(file.bytes);
  return true;
}

bool DiskEvictor::is_late() const {
  Database& database = core_->database();
  const std::uint64_t most = (database.budget().byte_limit + database.budget().hard()) / 2;
  // Logs that are no longer needed may have gone since it was counted.
  return database.estimate() > most && database.measure() > most;
}

bool DiskEvictor::may_hold_open_body(const BodyFile& file) const {
  const std::optional<std::uint64_t> open = core_->open_bodies().lowest();
  return open && file.highest >= *open;
}

ReadStatus DiskEvictor::copy_step(const BodyFile& file, Keep keep, std::uint64_t& from, std::uint64_t& budget,
                                  bool& copied) {
  std::vector<ChunkLabel> wanted;
  std::size_t seen = 0;
  std::uint64_t bytes = 0;
  const ReadStatus walked = core_->database().walk_file(file, from, [&](const ChunkLabel& first) {
    from = first.body_id + 1;
    bytes += first.size;
    if (is_wanted(first, keep)) wanted.push_back(first);
    return ++seen < kStepBodies && wanted.size() < kStepCopies && bytes < kStepBytes;
  });
  Pending pending;
  const DiskBudget& limits = core_->database().budget();
  const std::uint64_t largest = limits.reserve(0) / 2;
  for (const ChunkLabel& first : wanted) {
    if (stopping() || budget == 0) break;
    const BodyPlace place{file.family, first.body_id};
    const std::uint64_t moved = move_body(core_, place, first.key, largest, pending.token());
    budget -= std::min(budget, moved);
    copied = copied || moved > 0;
  }
  pending.wait();
  if (walked == ReadStatus::kFound && seen == 0) from = file.highest + 1;
  return walked;
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
      if (stopping() || !evict(file, Keep::kAlive)) break;
      if (file.name == each.last_file) break;
    }
  }
}

}  // namespace freshet::storage
