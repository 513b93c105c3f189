// ScopeTable: the newest invalidations of all scopes of one kind: name to numbers, hard and soft. Internal to
// storage/invalidation.
//
// Any thread may find(). One thread at a time may change it (Generations' lock). A number is put before it is
// published: until then find() answers with the one that it has replaced, so that all scopes of an
// invalidation come into effect at once, whichever tables and shards they are in.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <unordered_map>

#include "storage/base/mutex.h"
#include "storage/invalidation/scope_record.h"

namespace freshet::storage {

class ScopeTable {
 public:
  struct Numbers {
    Sequence hard = 0;
    Sequence soft = 0;
  };
  struct Scope {
    Digest128 name;
    Numbers numbers;
    Digest128 host;
    bool logged = false;
  };

  // As of `now`, the newest published number: 0 where there is none.
  [[nodiscard]] Numbers find(const Digest128& name, Sequence now) const;
  // Nothing here has a greater number.
  [[nodiscard]] Sequence newest() const { return newest_.load(std::memory_order_relaxed); }
  // Who finds a scope gone sees what it was merged into.
  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_acquire); }

  // A number that is not published yet. `pinned`: never among the oldest.
  void put(const ScopeRecord& record, bool logged, bool pinned);
  // Numbers that are published already.
  void raise(const Digest128& name, const Numbers& numbers, bool logged, bool pinned);

  // The one that was changed longest ago.
  [[nodiscard]] std::optional<Scope> oldest() const;
  void erase(const Digest128& name);

  static constexpr std::size_t kShards = 64;
  // Forgets of one shard what is not above the floors; returns how many.
  std::size_t drop(std::size_t shard, Sequence hard_floor, Sequence soft_floor);

 private:
  // `before` is in effect until `value` is published, and is published.
  struct Level {
    Sequence value = 0;
    Sequence before = 0;
    void put(Sequence sequence);
    void raise(Sequence published);
    [[nodiscard]] Sequence as_of(Sequence now) const { return value <= now ? value : before; }
  };
  struct Entry;
  using Node = std::pair<const Digest128, Entry>;
  struct Entry {
    Level hard;
    Level soft;
    Digest128 host;
    // By time of the last change; the writer's alone.
    Node* older = nullptr;
    Node* newer = nullptr;
    bool listed = false;
    bool logged = false;
  };
  struct Shard {
    mutable Mutex mutex;
    std::unordered_map<Digest128, Entry, Digest128Hash> entries GUARDED_BY(mutex);
  };

  [[nodiscard]] Shard& shard_of(const Digest128& name) { return shards_[name.high % kShards]; }
  void touch(Node& node, bool pinned);
  void unlink(Node& node);
  void note(Sequence sequence);

  std::array<Shard, kShards> shards_;
  Node* oldest_ = nullptr;
  Node* newest_node_ = nullptr;
  std::atomic<Sequence> newest_{0};
  std::atomic<std::size_t> size_{0};
};

}  // namespace freshet::storage
