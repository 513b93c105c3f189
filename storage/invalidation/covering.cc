#include "storage/invalidation/covering.h"

#include <algorithm>
#include <string>
#include <utility>

#include "storage/invalidation/scope_record.h"

namespace freshet::storage {

namespace {

class Finder {
 public:
  explicit Finder(const Generations& generations) : generations_(generations) {}

  void ask(const Scope& scope, const Digest128& digest) {
    for (const Strength strength : {Strength::kHard, Strength::kSoft}) {
      const Sequence sequence = generations_.newest_of({scope.kind, digest}, strength);
      if (sequence != 0) found_.push_back({scope, strength, sequence});
    }
  }
  void ask(ScopeKind kind, std::string_view text) { ask({kind, std::string(text)}, digest128(text)); }
  std::vector<CoveringScope> take() { return std::move(found_); }

 private:
  const Generations& generations_;
  std::vector<CoveringScope> found_;
};

void ask_of_key(Finder& finder, const CacheKey& key) {
  const KeyParts parts = key_parts(key.text);
  finder.ask(ScopeKind::kUrl, parts.uri);
  if (parts.uri.size() != key.text.size()) finder.ask(ScopeKind::kUrl, key.text);
  std::size_t depth = 0;
  for (std::size_t at = parts.path; at < parts.path_end && depth < kMaxPrefixDepth; ++at) {
    if (parts.uri[at] != '/') continue;
    finder.ask(ScopeKind::kPrefix, parts.uri.substr(0, at + 1));
    ++depth;
  }
  const std::string host(parts.host);
  finder.ask({ScopeKind::kHost, host}, host_digest(parts));
  const std::string_view port = !parts.port.empty() ? parts.port : parts.https ? "443" : "80";
  finder.ask({ScopeKind::kHost, std::string(host).append(":").append(port)}, authority_digest(parts));
  finder.ask({ScopeKind::kAll, ""}, Digest128{});
}

}  // namespace

std::vector<CoveringScope> scopes_covering(const Generations& generations, const CacheKey& key) {
  Finder finder(generations);
  ask_of_key(finder, key);
  return finder.take();
}

std::vector<CoveringScope> scopes_covering(const Generations& generations, const StoredHead& head) {
  Finder finder(generations);
  ask_of_key(finder, head.key);
  for (const std::string& tag : head.tags) finder.ask(ScopeKind::kTag, tag);
  if (!head.tags.empty()) finder.ask({ScopeKind::kTag, ""}, Digest128{});
  return finder.take();
}

bool takes_effect(const CoveringScope& covering, const StoredHead& head) {
  if (covering.strength == Strength::kHard) return head.filled_at < covering.sequence;
  return std::max(head.filled_at, head.validated_at) < covering.sequence;
}

}  // namespace freshet::storage
