#include "storage/invalidation/invalidation_queue.h"

#include <algorithm>
#include <pthread.h>
#include <string>
#include <utility>

namespace freshet::storage {

namespace {

// Numbers are reserved so many at a time, and again when half of them are gone.
constexpr Sequence kBlock = Sequence{1} << 40U;

}  // namespace

InvalidationQueue::InvalidationQueue(Generations& generations, InvalidationLog* log, Counters& counters,
                                     Options options, std::function<void(const Invalidation&)> applied)
    : generations_(generations),
      counters_(counters),
      options_(options),
      applied_(std::move(applied)),
      log_(log),
      thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "freshet-purge");
}

InvalidationQueue::~InvalidationQueue() {
  {
    const MutexLock lock(mutex_);
    waiting_.stopping = true;
  }
  wake_.notify_all();
  thread_.join();
}

void InvalidationQueue::attach(InvalidationLog& log) {
  {
    const MutexLock lock(mutex_);
    waiting_.log = &log;
  }
  wake_.notify_one();
}

void InvalidationQueue::give_up(std::string why) {
  {
    const MutexLock lock(mutex_);
    waiting_.no_log = std::move(why);
  }
  wake_.notify_one();
}

void InvalidationQueue::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = waiting_.closing = true;
  }
  settle();
}

bool InvalidationQueue::purge(Invalidation invalidation, Executor& executor, Done done) {
  {
    const MutexLock lock(mutex_);
    if (closed_) return false;
    waiting_.purges.push_back({std::move(invalidation), &executor, std::move(done), {}});
  }
  wake_.notify_one();
  return true;
}

void InvalidationQueue::keep(ScopeRecord record) {
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    waiting_.kept.push_back(std::move(record));
  }
  wake_.notify_one();
}

void InvalidationQueue::drop_older_than(Sequence hard_floor, Sequence soft_floor) {
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    waiting_.floors.hard = std::max(waiting_.floors.hard, hard_floor);
    waiting_.floors.soft = std::max(waiting_.floors.soft, soft_floor);
  }
  wake_.notify_one();
}

void InvalidationQueue::settle() {
  const MutexLock lock(mutex_);
  const std::uint64_t mine = ++settles_asked_;
  waiting_.settles = mine;
  wake_.notify_one();
  while (settles_done_ < mine) settled_.wait(mutex_);
}

bool InvalidationQueue::Work::nothing() const {
  return purges.empty() && kept.empty() && log == nullptr && no_log.empty() && settles == 0 && !stopping &&
         !closing && floors.hard == 0 && floors.soft == 0;
}

// Something to do, or the time after which what was left undone is tried again.
InvalidationQueue::Work InvalidationQueue::wait_for_work() {
  const MutexLock lock(mutex_);
  const bool failed = failing();
  const MonoTime until = mono_now() + (failed ? options_.retry : options_.sync_within);
  while (waiting_.nothing()) {
    if (!failed && !unsynced_) {
      wake_.wait(mutex_);
    } else if (mono_now() >= until) {
      break;
    } else {
      wake_.wait_for(mutex_, until - mono_now());
    }
  }
  const bool stopping = waiting_.stopping;
  Work work = std::exchange(waiting_, {});
  waiting_.stopping = stopping;
  return work;
}

void InvalidationQueue::run() {
  for (bool stopping = false; !stopping;) {
    Work work = wait_for_work();
    stopping = work.stopping;
    do_round(std::move(work));
  }
}

void InvalidationQueue::do_round(Work work) {
  if (work.log != nullptr) log_ = work.log;
  if (!work.no_log.empty()) no_log_ = std::move(work.no_log);
  const bool nothing_new = work.purges.empty() && work.kept.empty();
  for (ScopeRecord& record : work.kept) {
    // Two threads may have come here in another order than they were numbered.
    record.sequence = std::max(record.sequence, generations_.newest_of(record.name, record.strength));
    remember(record);
  }
  if (log_ == nullptr) {
    await_log(work.purges);
  } else {
    // What was taken before there was a log comes first.
    if (work.log != nullptr) acknowledge_held(write({}, true));
    do_purges(work.purges);
  }
  drop_now(work.floors);
  // Here because the time is up, or because somebody waits for the sync.
  const bool sync = (nothing_new && unsynced_) || work.settles != 0 || work.stopping || failing();
  const bool unwritten = !unwritten_.empty() || !gone_.empty();
  if (log_ != nullptr && (unwritten || (sync && unsynced_) || failing())) (void)write({}, sync);
  if (work.closing) log_ = nullptr;
  if (work.settles == 0) return;
  const MutexLock lock(mutex_);
  settles_done_ = work.settles;
  settled_.notify_all();
}

void InvalidationQueue::do_purges(std::vector<Purge>& purges) {
  auto first = purges.begin();
  while (first != purges.end()) {
    purges.erase(purges.begin(), first);
    Sequence number = generations_.ahead();
    for (Purge& purge : purges) purge.records = records_of(purge.invalidation, number++);
    const Status written = write(purges, true);
    // Overtaken, while the write took so long, by more invalidations than there were numbers between: those
    // that are left are numbered anew.
    for (first = purges.begin(); first != purges.end(); ++first) {
      if (!generations_.apply(first->records)) break;
      if (applied_) applied_(first->invalidation);
      acknowledge(*first, written);
    }
  }
}

// In effect at once; acknowledged when it is in the log, or when that cannot be had.
void InvalidationQueue::await_log(std::vector<Purge>& purges) {
  for (Purge& purge : purges) {
    do {
      purge.records = records_of(purge.invalidation, generations_.ahead());
    } while (!generations_.apply(purge.records));
    if (applied_) applied_(purge.invalidation);
    for (const ScopeRecord& record : purge.records) remember(record);
    held_.push_back(std::move(purge));
  }
  if (!no_log_.empty()) acknowledge_held(Error{no_log_});
}

void InvalidationQueue::acknowledge_held(const Status& written) {
  for (Purge& purge : held_) acknowledge(purge, written);
  held_.clear();
}

void InvalidationQueue::acknowledge(Purge& purge, const Status& written) {
  Acknowledgement acknowledgement;
  acknowledgement.sequence = purge.records.empty() ? generations_.current() : purge.records.front().sequence;
  acknowledgement.durable = written.ok();
  if (!written.ok()) {
    acknowledgement.error = written.error();
    counters_.add(Counter::kPurgesNotDurable);
  }
  purge.executor->post([done = std::move(purge.done), acknowledgement] { done(acknowledgement); });
  for (const ScopeRecord& record : purge.records) {
    if (record.name.kind != ScopeKind::kAll) continue;
    const bool hard = record.strength == Strength::kHard;
    // Whatever was invalidated before is idle.
    drop_now({hard ? record.sequence : 0, record.sequence});
  }
}

void InvalidationQueue::drop_now(const ScopeTable::Numbers& floors) {
  if (floors.hard == 0 && floors.soft == 0) return;
  const Sequence now = generations_.current();
  const ScopeTable::Numbers bounded{std::min(floors.hard, now), std::min(floors.soft, now)};
  generations_.drop_older_than(bounded.hard, bounded.soft);
  if (failing() || log_ == nullptr) return;
  if (Status dropped = log_->drop_older_than(bounded.hard, bounded.soft); !dropped.ok())
    limiter_.log(LogLevel::kError, "invalidations: cannot forget old ones: " + dropped.error());
}

Status InvalidationQueue::write(const std::vector<Purge>& purges, bool synced) {
  Generations::Merged merged = generations_.take_merged();
  gone_.insert(gone_.end(), merged.gone.begin(), merged.gone.end());
  for (const ScopeRecord& record : merged.into) remember(record);
  forget_gone();
  InvalidationLog::Batch batch;
  batch.gone = gone_;
  for (const auto& [name, record] : unwritten_) batch.puts.push_back(record);
  for (const Purge& purge : purges)
    batch.newest.insert(batch.newest.end(), purge.records.begin(), purge.records.end());
  const Sequence last = generations_.ahead() + purges.size();
  if (last + kBlock / 2 > log_->reserved()) {
    batch.reserved = last + kBlock;
    synced = true;
  }
  Status written = failing() ? log_->recover() : Status();
  if (written.ok()) written = log_->write(batch, synced || failing());
  if (written.ok()) {
    unsynced_ = !synced && !failing();
    unwritten_.clear();
    gone_.clear();
    if (failing_.exchange(false)) log_event(LogLevel::kInfo, "invalidations: writes work again");
    return written;
  }
  const bool again = failing_.exchange(true) && purges.empty();
  for (const Purge& purge : purges) {
    for (const ScopeRecord& record : purge.records) remember(record);
  }
  (again ? again_limiter_ : limiter_)
      .log(LogLevel::kError,
           "invalidations: write failed, the disk tier is off until one succeeds: " + written.error());
  return written;
}

// What was invalidated again after it was merged is not gone, and the log may have its number already.
void InvalidationQueue::forget_gone() {
  const auto is_back = [&](const ScopeName& name) {
    return generations_.newest_of(name, Strength::kHard) != 0 ||
           generations_.newest_of(name, Strength::kSoft) != 0;
  };
  gone_.erase(std::remove_if(gone_.begin(), gone_.end(), is_back), gone_.end());
  for (const ScopeName& name : gone_) {
    for (const Strength strength : {Strength::kHard, Strength::kSoft})
      unwritten_.erase({name.kind, strength, name.digest});
  }
}

void InvalidationQueue::remember(const ScopeRecord& record) {
  ScopeRecord& place = unwritten_[{record.name.kind, record.strength, record.name.digest}];
  if (place.sequence < record.sequence) place = record;
}

}  // namespace freshet::storage
