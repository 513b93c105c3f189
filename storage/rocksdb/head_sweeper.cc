#include "storage/rocksdb/head_sweeper.h"

#include <algorithm>
#include <array>
#include <limits>
#include <pthread.h>
#include <utility>

#include "storage/base/log.h"

namespace freshet::storage {

namespace {

constexpr std::size_t kStepHeads = 4096;
constexpr Milliseconds kStepPause{2};
constexpr Milliseconds kTick{500};
constexpr Milliseconds kAfterAsked{1000};
constexpr Milliseconds kLongest{600'000};
constexpr unsigned kSlices = 16;  // of the keys; dead heads are removed slice by slice
constexpr std::size_t kFewDead = 1000;

Digest128 slice_begin(unsigned slice) {
  return {std::uint64_t{slice} << 60, 0};
}

}  // namespace

// A file as the pass found it, and how much of it is alive.
struct HeadSweeper::LiveFile {
  BodyFile file;
  std::uint64_t live = 0;
  std::uint64_t reach = 0;   // the highest id up to here
  std::uint64_t onward = 0;  // the lowest from here on
};

// What one pass has seen.
class HeadSweeper::Pass {
 public:
  explicit Pass(StoreCore& core) : core_(core) {
    for (const BodyFamily family : {BodyFamily::kNewcomers, BodyFamily::kMain}) {
      std::vector<LiveFile>& files = files_[static_cast<std::size_t>(family)];
      for (BodyFile& file : core.database().body_files(family)) files.push_back({std::move(file)});
      std::uint64_t reach = 0;
      for (LiveFile& each : files) each.reach = reach = std::max(reach, each.file.highest);
      std::uint64_t onward = std::numeric_limits<std::uint64_t>::max();
      for (auto each = files.rbegin(); each != files.rend(); ++each) {
        each->onward = onward = std::min(onward, each->file.lowest);
      }
    }
  }

  void see(std::string_view at, std::string_view record) {
    BodyPlace place;
    const std::optional<StoredHead> head = decode_head(record, &place);
    if (!head) return;  // the look-up that finds it says so
    if (core_.is_dead_place(place) || !core_.is_current(*head)) {
      dead_.emplace_back(at);
      return;
    }
    ++alive_in_slice_;
    ++alive_;
    oldest_filled_ = std::min(oldest_filled_, head->filled_at);
    oldest_validated_ = std::min(oldest_validated_, head->validated_at);
    count_live(place, stored_body_size(*head));
  }

  // Removes the dead of the slice: one by one, or by compaction where they are many.
  void end_slice(unsigned slice) {
    const std::size_t few = std::max(kFewDead, alive_in_slice_ / 8);
    if (dead_.size() > few) {
      const std::string end = slice + 1 < kSlices ? head_key_prefix(slice_begin(slice + 1)) : std::string();
      core_.database().compact_heads(head_key_prefix(slice_begin(slice)), end);
    } else {
      for (std::string& at : dead_) core_.delete_dead_head(std::move(at));
      core_.wait_for_changes();
    }
    dead_.clear();
    alive_in_slice_ = 0;
  }

  [[nodiscard]] std::size_t alive() const { return alive_; }
  [[nodiscard]] Sequence oldest_filled() const { return oldest_filled_; }
  [[nodiscard]] Sequence oldest_validated() const { return oldest_validated_; }
  [[nodiscard]] const std::vector<LiveFile>& files(BodyFamily family) const {
    return files_[static_cast<std::size_t>(family)];
  }

 private:
  // A body may go on in the next file: each that may have some of it counts the whole.
  void count_live(const BodyPlace& place, std::uint64_t size) {
    std::vector<LiveFile>& files = files_[static_cast<std::size_t>(place.family)];
    auto at = std::lower_bound(files.begin(), files.end(), place.id,
                               [](const LiveFile& file, std::uint64_t id) { return file.reach < id; });
    for (; at != files.end() && at->onward <= place.id; ++at) {
      if (at->file.lowest <= place.id && place.id <= at->file.highest) at->live += size;
    }
  }

  StoreCore& core_;
  std::array<std::vector<LiveFile>, kBodyFamilies> files_;
  std::vector<std::string> dead_;
  std::size_t alive_in_slice_ = 0;
  std::size_t alive_ = 0;
  Sequence oldest_filled_ = std::numeric_limits<Sequence>::max();
  Sequence oldest_validated_ = std::numeric_limits<Sequence>::max();
};

HeadSweeper::HeadSweeper(std::shared_ptr<StoreCore> core, DiskEvictor& evictor)
    : core_(std::move(core)), evictor_(evictor), asked_at_(mono_now()), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "freshet-sweep");
}

HeadSweeper::~HeadSweeper() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void HeadSweeper::soon() {
  const MutexLock lock(mutex_);
  if (!std::exchange(asked_, true)) asked_at_ = mono_now();
}

void HeadSweeper::sweep() {
  const MutexLock lock(mutex_);
  const std::uint64_t wanted = begun_ + 1;
  now_ = true;
  changed_.notify_all();
  while (done_ < wanted && !stopping_) changed_.wait(mutex_);
}

bool HeadSweeper::is_due(MonoTime now, MonoTime last) const {
  if (now_ || (asked_ && now - asked_at_ >= kAfterAsked) || now - last >= kLongest) return true;
  return core_->dropped_bytes() > core_->options().byte_limit / 8;
}

void HeadSweeper::run() {
  MonoTime last = mono_now();
  for (;;) {
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && !is_due(mono_now(), last)) changed_.wait_for(mutex_, kTick);
      if (stopping_) return;
      asked_ = false;
      now_ = false;
      ++begun_;
    }
    core_->forget_dropped_bytes();
    if (!run_pass()) return;
    last = mono_now();
    const MutexLock lock(mutex_);
    done_ = begun_;
    changed_.notify_all();
  }
}

bool HeadSweeper::pause() {
  const MutexLock lock(mutex_);
  if (!stopping_ && !now_) changed_.wait_for(mutex_, kStepPause);
  return !stopping_;
}

bool HeadSweeper::run_pass() {
  const RocksdbOptions& options = core_->options();
  const Sequence current = options.current_sequence ? options.current_sequence() : 0;
  core_->begin_noting_heads();
  Pass pass(*core_);
  for (unsigned slice = 0; slice < kSlices; ++slice) {
    const std::string end = slice + 1 < kSlices ? head_key_prefix(slice_begin(slice + 1)) : std::string();
    std::string from = head_key_prefix(slice_begin(slice));
    while (!from.empty()) {
      const ReadStatus walked = core_->database().walk_heads(
          from, end, kStepHeads,
          [&pass](std::string_view at, std::string_view record) { pass.see(at, record); });
      // What cannot be read is not counted as dead: neither forgotten nor dropped.
      if (walked != ReadStatus::kFound) {
        core_->report_error("cannot read the heads: they are swept another time");
        return pause();
      }
      if (!from.empty() && !pause()) return false;
    }
    if (!core_->takes_writes()) return pause();
    pass.end_slice(slice);
  }
  // What was sealed while this went on is behind it, or noted.
  core_->wait_for_changes();
  const auto [noted_filled, noted_validated] = core_->noted_heads();
  core_->counters().add(Counter::kDiskResponses, static_cast<std::int64_t>(pass.alive()) - counted_);
  counted_ = static_cast<std::int64_t>(pass.alive());
  if (options.on_swept) {
    options.on_swept(std::min(pass.oldest_filled(), noted_filled),
                     std::min(pass.oldest_validated(), noted_validated), current);
  }
  reclaim(pass);
  return pause();
}

// Where more than a quarter is dead, the oldest files go as far as there is more dead than alive in them.
void HeadSweeper::reclaim(const Pass& pass) {
  std::uint64_t all = 0;
  std::uint64_t dead = 0;
  for (const BodyFamily family : {BodyFamily::kNewcomers, BodyFamily::kMain}) {
    for (const LiveFile& each : pass.files(family)) {
      all += each.file.bytes;
      dead += each.file.bytes - std::min(each.live, each.file.bytes);
    }
  }
  if (dead == 0 || dead < all / 4) return;
  if (pass.alive() == 0) return reclaim_all();
  for (const BodyFamily family : {BodyFamily::kNewcomers, BodyFamily::kMain}) {
    std::uint64_t alive_so_far = 0;
    std::uint64_t dead_so_far = 0;
    const LiveFile* last = nullptr;
    for (const LiveFile& each : pass.files(family)) {
      const std::uint64_t live = std::min(each.live, each.file.bytes);
      alive_so_far += live;
      dead_so_far += each.file.bytes - live;
      if (alive_so_far <= dead_so_far && live * 2 <= each.file.bytes) last = &each;
    }
    if (last != nullptr) evictor_.reclaim(family, last->file.name);
  }
}

// Nothing is alive: not in the files, and not in what is not in files yet.
void HeadSweeper::reclaim_all() {
  if (Status flushed = core_->database().flush(); !flushed.ok()) {
    return core_->report_error("flush failed: " + flushed.error());
  }
  for (const BodyFamily family : {BodyFamily::kNewcomers, BodyFamily::kMain}) {
    const std::vector<BodyFile> files = core_->database().body_files(family);
    if (!files.empty()) evictor_.reclaim(family, files.back().name);
  }
}

}  // namespace freshet::storage
