// TieredStore: memory before disk, and the one place where invalidation is asked about. A look-up that
// memory cannot answer goes to the disk tier; what that finds is put into memory: heads always, a body of
// some size only when it comes back soon (it would push out others for being read once); until then its head
// is answered from memory, and its bytes come from the disk tier. A write goes to both: memory gets the whole
// response when it is complete, the disk its chunks as they come.
//
// The disk tier and the log may come late (attach()): until then this is the memory tier, and an operator's
// invalidation is in effect at once but acknowledged when the log has it. And they may go before the store
// does (detach(), close_log()): then nothing is reused any more, nothing is stored, and what is invalidated
// is somebody else's to do.
//
// The disk tier may be absent (null): then this is the memory tier with invalidation. The log may be absent:
// then invalidations by an operator are as durable as what they speak of only where there is no disk tier.
// Any thread; owned by main, outlives the workers, does not own the tiers and the log. The disk tier has to
// ask about invalidation itself when a commit reaches it: by then the removal may have gone by.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/base/mutex.h"
#include "storage/base/recent_keys.h"
#include "storage/invalidation/generations.h"
#include "storage/invalidation/invalidation_queue.h"
#include "storage/invalidation/scope.h"
#include "storage/memory/memory_store.h"
#include "storage/response_store.h"

namespace freshet::storage {

// Who has what a detached store had. Calls from any thread; each returns when it is in effect there.
class InvalidatedElsewhere {
 public:
  virtual ~InvalidatedElsewhere() = default;
  virtual void invalidate(const CacheKey& key) = 0;
  virtual void invalidate_tag(std::string_view tag) = 0;
};

class TieredStore final : public ResponseStore {
 public:
  struct Later {};
  TieredStore(MemoryStore& memory, ResponseStore* disk, Generations& generations, Counters& counters,
              InvalidationLog* log = nullptr, InvalidationQueueOptions queue = {});
  // Without disk tier and log, for now.
  TieredStore(MemoryStore& memory, Generations& generations, Counters& counters, Later later,
              InvalidationQueueOptions queue = {});

  // After restore_invalidations(). What was stored, removed or invalidated meanwhile is newer than what the
  // disk has of it, in the place of which it is stored there. Blocks for a moment; no event loop.
  void attach(ResponseStore& disk, InvalidationLog& log);
  // They cannot be had now, for this reason (InvalidationQueue::give_up()).
  void attach_failed(std::string why);

  // From its return on, who asks is told that there is nothing, and nothing is stored; who asks does not join
  // the flights of those before. Whoever was in a call already may still use the disk tier.
  void detach(InvalidatedElsewhere& elsewhere);
  // After detach(). What was asked of the log is done; it is not used any more. Blocks.
  void close_log();

  [[nodiscard]] LookupResult try_lookup(const CacheKey& key) override;
  void lookup(const CacheKey& key, Executor& executor, std::function<void(VariantSetPtr)> done) override;
  // What a look-up would find, and where it is. Leaves no trace: no use, no promotion, nothing counted.
  struct Peeked {
    VariantSetPtr variants;   // what lookup() would give
    VariantSetPtr in_memory;  // all that the tiers have, dead ones too
    VariantSetPtr on_disk;
  };
  void look_without_trace(const CacheKey& key, Executor& executor, std::function<void(Peeked)> done) const;
  [[nodiscard]] std::unique_ptr<StoreWriter> begin(const CacheKey& key,
                                                   std::optional<std::uint64_t> expected_size) override;
  void freshen(const StoredResponsePtr& old, const StoredResponsePtr& fresh) override;
  void add_variant(const StoredResponsePtr& old, const StoredResponsePtr& added) override;
  void remove(const CacheKey& key) override;
  void remove(const StoredResponse& response) override;
  void settle() override;

  // What an operator asks for. When `done` is posted to `executor`, all of it is in effect, under one number:
  // nothing that was stored, or began to be filled, before is served again (hard), or as fresh (soft), and it
  // is on disk, or the acknowledgement says why not (G4). A crash before it is durable forgets it; until it
  // is, nothing is written to the disk tier.
  void purge(const Invalidation& invalidation, Executor& executor,
             std::function<void(const Acknowledgement&)> done);
  // False: an invalidation waits to be written to a log that fails, and the disk tier takes no writes.
  [[nodiscard]] bool log_works() const { return !queue_ || !queue_->failing(); }

  // RFC 9111, 4.4: in effect when these return, durable as writes are.
  // The key in both tiers, and whatever is being filled or read for it now.
  void invalidate(const CacheKey& key);
  // The same for what a URL has under a further key; not counted as another URL.
  void invalidate_beside(const CacheKey& key);
  // All that carries the tag, in both tiers or on its way there (StoredHead::tags).
  void invalidate_tag(std::string_view tag);

  // For who walks all that is stored: everything that lives was filled at `hard_floor` or later, validated at
  // `soft_floor` or later, both at most generations().current() as it was when the walk began. Takes effect
  // with a later call: what was filled or was in memory meanwhile is not counted in the walk.
  void drop_older_than(Sequence hard_floor, Sequence soft_floor);

  [[nodiscard]] const Generations& generations() const { return generations_; }
  [[nodiscard]] const Describe& describe() const { return memory_.describe(); }
  // The largest body worth keeping whole in memory.
  [[nodiscard]] std::size_t max_in_memory() const { return memory_.max_response(); }
  [[nodiscard]] bool has_disk() const { return disk() != nullptr; }

 private:
  class Writer;

  [[nodiscard]] ResponseStore* disk() const { return disk_.load(std::memory_order_acquire); }
  [[nodiscard]] InvalidatedElsewhere* elsewhere() const { return elsewhere_.load(std::memory_order_acquire); }
  [[nodiscard]] std::unique_ptr<InvalidationQueue> make_queue(InvalidationLog* log,
                                                              InvalidationQueueOptions options);
  using NotedKeys = std::unordered_map<Digest128, CacheKey, Digest128Hash>;
  // Before anybody else writes to it.
  void bring_down(const NotedKeys& keys, ResponseStore& disk);
  void store_below(const StoredResponsePtr& response, ResponseStore& disk);
  // What is stored or removed while the disk tier is not there. False: it is.
  bool note_later(const CacheKey& key);

  // What memory has; forgets of it what is not current.
  VariantSetPtr in_memory(const CacheKey& key, bool& complete);
  // Those that are current; null: none.
  [[nodiscard]] VariantSetPtr only_current(const VariantSetPtr& variants) const;
  // As lookup() puts together what the tiers have.
  [[nodiscard]] VariantSetPtr put_together(const Peeked& found, bool complete) const;
  // What is worth a place in memory now; null: nothing.
  VariantSetPtr worth_keeping(const CacheKey& key, const VariantSetPtr& from_disk);
  // What memory has, some of it with its bodies on disk: those that come back soon are brought into memory.
  VariantSetPtr with_bodies(const CacheKey& key, VariantSetPtr variants);
  // `removals`: memory's count from before the disk was asked.
  VariantSetPtr promote(const CacheKey& key, const VariantSetPtr& from_disk, std::uint64_t removals);

  // Where a new head of what is stored is to be written too; null: nowhere.
  [[nodiscard]] ResponseStore* disk_for(const StoredHead& head) const {
    return head.body_id != 0 && log_works() ? disk() : nullptr;
  }
  void applied(const Invalidation& invalidation);

  MemoryStore& memory_;
  std::atomic<ResponseStore*> disk_;
  std::atomic<InvalidatedElsewhere*> elsewhere_{nullptr};  // set: detached
  Generations& generations_;
  Counters& counters_;
  RecentKeys read_once_;  // whose body was read from disk lately
  std::atomic<Sequence> last_walk_{0};
  std::atomic<bool> later_{false};  // attach() is still to come
  Mutex later_mutex_;
  NotedKeys noted_ GUARDED_BY(later_mutex_);
  bool noted_too_many_ GUARDED_BY(later_mutex_) = false;
  const std::unique_ptr<InvalidationQueue> queue_;  // null: no log
};

}  // namespace freshet::storage
