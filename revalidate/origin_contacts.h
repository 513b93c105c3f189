// OriginContacts: the last requests to origins and what came of each, some thousands over all keys, for an
// operator who asks why something was a miss. Written by flights, once for each request to the origin and
// never on a hit; the newest overwrite the oldest. Any thread; sharded by key. Owned by the flight table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "revalidate/policy/reason.h"
#include "storage/base/clock.h"
#include "storage/base/hash.h"
#include "storage/base/mutex.h"
#include "storage/cache_key.h"
#include "storage/http/method.h"

namespace freshet::revalidate {

struct OriginContact {
  storage::WallTime at{};         // when the request left
  storage::Milliseconds took{0};  // from there to the head of the answer, or to the failure
  storage::Method method = storage::Method::kGet;
  bool conditional = false;  // with the validators of what was stored
  int status = 0;            // 0: no answer came
  // What became of it: kStored and its like, why it was not stored, kRevalidated, or how the origin failed.
  Reason reason = Reason::kNone;
};

class OriginContacts {
 public:
  void add(const storage::CacheKey& key, const OriginContact& contact);
  // The newest first.
  [[nodiscard]] std::vector<OriginContact> of(const storage::CacheKey& key) const;

  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kOfShard = 64;

 private:
  struct Entry {
    storage::Digest128 key;
    OriginContact contact;
  };
  struct Shard {
    mutable storage::Mutex mutex;
    std::array<Entry, kOfShard> ring GUARDED_BY(mutex){};
    std::uint64_t added GUARDED_BY(mutex) = 0;
  };

  std::array<Shard, kShards> shards_;
};

}  // namespace freshet::revalidate
