// SearchRules: which parts of a query the origin says do not matter (No-Vary-Search), by path: the rule of
// the last stored response that came for a path. A request's key is made by the rule of its path, if there is
// one, so that queries which differ only in what does not matter find one stored response.
//
// Only a memory of what was seen: a rule that is forgotten costs requests to the origin, and one that no
// longer holds is found out by looking at the stored response itself. Bounded in paths and bytes.
//
// What was stored by a rule that is forgotten, or was replaced, is found by nobody until it is learned again.
// So who invalidates a query by use without knowing that rule leaves word here (invalidated()), and the word
// is taken before another rule of the path is used. Any thread; sharded; nothing is called under a lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "revalidate/policy/key_rules.h"
#include "storage/base/hash.h"
#include "storage/base/mutex.h"

namespace freshet::proxy {

class SearchRules {
 public:
  static constexpr std::size_t kMostPaths = 16'384;
  static constexpr std::size_t kLongestRule = 1'024;  // as text

  // Null: none is known.
  using Rule = std::shared_ptr<const revalidate::NoVarySearch>;

  // The rule of the path that a key's text begins with ("http://host/path", up to its '?').
  [[nodiscard]] Rule rule_of(std::string_view key_text) const;
  // What a response for that path said. No rule, or one that is too long: forgets the path's. Before a rule
  // that is new for the path is used, `forget` is called where there is word of an invalidation: what is
  // stored by rules of the path (revalidate::search_tag) is to be invalidated.
  void learn(std::string_view key_text, const std::optional<revalidate::NoVarySearch>& rule,
             const std::function<void()>& forget);
  // A target URI of the path, with a query, was invalidated. Before rule_of() is asked what else that
  // concerns.
  void invalidated(std::string_view key_text);

 private:
  static constexpr std::size_t kShards = 16;
  struct Shard {
    mutable storage::Mutex mutex;
    std::unordered_map<storage::Digest128, Rule, storage::Digest128Hash> rules GUARDED_BY(mutex);
    // Paths of which there is word; or, once they were too many, all.
    std::unordered_set<storage::Digest128, storage::Digest128Hash> invalidated GUARDED_BY(mutex);
    bool all_invalidated GUARDED_BY(mutex) = false;
  };

  [[nodiscard]] static storage::Digest128 path_digest(std::string_view key_text);

  std::array<Shard, kShards> shards_;
  std::atomic<bool> any_{false};  // most sites have none: then nothing is locked
};

}  // namespace freshet::proxy
