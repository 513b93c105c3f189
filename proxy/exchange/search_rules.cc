#include "proxy/exchange/search_rules.h"

namespace freshet::proxy {

using storage::MutexLock;

storage::Digest128 SearchRules::path_digest(std::string_view key_text) {
  return storage::digest128(key_text.substr(0, key_text.find_first_of("?#")));
}

SearchRules::Rule SearchRules::rule_of(std::string_view key_text) const {
  if (!any_.load(std::memory_order_relaxed)) return nullptr;
  const storage::Digest128 path = path_digest(key_text);
  const Shard& shard = shards_[path.high % kShards];
  const MutexLock lock(shard.mutex);
  const auto known = shard.rules.find(path);
  return known == shard.rules.end() ? nullptr : known->second;
}

void SearchRules::learn(std::string_view key_text, const std::optional<revalidate::NoVarySearch>& rule,
                        const std::function<void()>& forget) {
  const bool forgets = !rule || revalidate::rule_text(*rule).size() > kLongestRule;
  if (forgets && !any_.load(std::memory_order_relaxed)) return;
  const storage::Digest128 path = path_digest(key_text);
  Shard& shard = shards_[path.high % kShards];
  for (bool forgotten = false;; forgotten = true) {
    {
      const MutexLock lock(shard.mutex);
      if (forgets) {
        shard.rules.erase(path);
        return;
      }
      const auto known = shard.rules.find(path);
      if (known != shard.rules.end() && *known->second == *rule) return;
      const bool has_word = shard.invalidated.erase(path) > 0 || (shard.all_invalidated && !forgotten);
      if (!has_word) {
        if (known == shard.rules.end() && shard.rules.size() >= kMostPaths / kShards) shard.rules.clear();
        shard.rules[path] = std::make_shared<const revalidate::NoVarySearch>(*rule);
        any_.store(true, std::memory_order_relaxed);
        return;
      }
    }
    forget();
  }
}

void SearchRules::invalidated(std::string_view key_text) {
  const storage::Digest128 path = path_digest(key_text);
  Shard& shard = shards_[path.high % kShards];
  const MutexLock lock(shard.mutex);
  if (shard.all_invalidated) return;
  shard.invalidated.insert(path);
  if (shard.invalidated.size() <= kMostPaths / kShards) return;
  shard.invalidated.clear();
  shard.all_invalidated = true;
}

}  // namespace freshet::proxy
