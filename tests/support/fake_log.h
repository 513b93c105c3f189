// FakeLog: a log of invalidations in memory, under the test's hand: a write fails while the test says so, and
// waits while the test holds it. Owned by the test; the test's thread and the queue's.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/invalidation/invalidation_log.h"

namespace freshet::tests {

class FakeLog final : public storage::InvalidationLog {
 public:
  using Name = std::tuple<storage::ScopeKind, storage::Strength, storage::Digest128>;

  storage::Status write(const Batch& batch, bool synced) override {
    const storage::MutexLock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    while (held_) changed_.wait(mutex_);
    if (failing_) return storage::Error{"no space"};
    for (const storage::ScopeName& name : batch.gone) {
      records_.erase({name.kind, storage::Strength::kHard, name.digest});
      records_.erase({name.kind, storage::Strength::kSoft, name.digest});
    }
    for (const auto& each : batch.puts) records_[name_of(each)] = each;
    for (const auto& each : batch.newest) {
      records_[name_of(each)] = each;
      if (each.strength == storage::Strength::kHard)
        records_.erase({each.name.kind, storage::Strength::kSoft, each.name.digest});
    }
    reserved_ = std::max(reserved_, batch.reserved);
    ++(synced ? synced_writes_ : unsynced_writes_);
    changed_.notify_all();
    return {};
  }
  storage::Status drop_older_than(storage::Sequence hard, storage::Sequence soft) override {
    const storage::MutexLock lock(mutex_);
    for (auto at = records_.begin(); at != records_.end();) {
      const storage::ScopeRecord& each = at->second;
      const bool idle = each.name.kind != storage::ScopeKind::kAll &&
                        each.sequence <= (each.strength == storage::Strength::kHard ? hard : soft);
      at = idle ? records_.erase(at) : std::next(at);
    }
    hard_floor_ = std::max(hard_floor_, hard);
    soft_floor_ = std::max(soft_floor_, soft);
    return {};
  }
  storage::Status recover() override {
    const storage::MutexLock lock(mutex_);
    ++recoveries_;
    return failing_ ? storage::Status(storage::Error{"still no space"}) : storage::Status();
  }
  [[nodiscard]] storage::Sequence reserved() const override {
    const storage::MutexLock lock(mutex_);
    return reserved_;
  }

  void set_failing(bool failing) {
    const storage::MutexLock lock(mutex_);
    failing_ = failing;
  }
  void hold() {
    const storage::MutexLock lock(mutex_);
    held_ = true;
  }
  void let_go() {
    const storage::MutexLock lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  // Blocks until so many writes have begun.
  void wait_until_begun(int writes) {
    const storage::MutexLock lock(mutex_);
    while (begun_ < writes) changed_.wait(mutex_);
  }
  [[nodiscard]] int begun() const {
    const storage::MutexLock lock(mutex_);
    return begun_;
  }
  [[nodiscard]] int synced_writes() const {
    const storage::MutexLock lock(mutex_);
    return synced_writes_;
  }
  [[nodiscard]] storage::Sequence hard_floor() const {
    const storage::MutexLock lock(mutex_);
    return hard_floor_;
  }
  // As a restart reads it.
  [[nodiscard]] std::vector<storage::ScopeRecord> records() const {
    const storage::MutexLock lock(mutex_);
    std::vector<storage::ScopeRecord> all;
    for (const auto& [name, record] : records_) all.push_back(record);
    if (hard_floor_ != 0) all.push_back({{}, storage::Strength::kHard, hard_floor_, {}, {}});
    if (soft_floor_ != 0) all.push_back({{}, storage::Strength::kSoft, soft_floor_, {}, {}});
    return all;
  }
  // The number of a scope; 0: none.
  [[nodiscard]] storage::Sequence number_of(storage::ScopeKind kind, std::string_view text,
                                            storage::Strength strength = storage::Strength::kHard) const {
    const storage::MutexLock lock(mutex_);
    const auto found = records_.find({kind, strength, storage::digest128(text)});
    return found == records_.end() ? 0 : found->second.sequence;
  }

 private:
  static Name name_of(const storage::ScopeRecord& record) {
    return {record.name.kind, record.strength, record.name.digest};
  }

  mutable storage::Mutex mutex_;
  storage::CondVar changed_;
  std::map<Name, storage::ScopeRecord> records_ GUARDED_BY(mutex_);
  storage::Sequence reserved_ GUARDED_BY(mutex_) = 1;
  storage::Sequence hard_floor_ GUARDED_BY(mutex_) = 0;
  storage::Sequence soft_floor_ GUARDED_BY(mutex_) = 0;
  int begun_ GUARDED_BY(mutex_) = 0;
  int synced_writes_ GUARDED_BY(mutex_) = 0;
  int unsynced_writes_ GUARDED_BY(mutex_) = 0;
  int recoveries_ GUARDED_BY(mutex_) = 0;
  bool failing_ GUARDED_BY(mutex_) = false;
  bool held_ GUARDED_BY(mutex_) = false;
};

}  // namespace freshet::tests
