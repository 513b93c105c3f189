// ScopeRecord: one scope of an invalidation in the form in which it is compared and kept: a kind and a digest
// instead of a text, the number, and the host that it would be merged into. Also how a cache key is taken
// apart for the comparison. Values and pure functions; any thread.
//
// A cache key may have more than the target URI (`#` and what follows: fields, slices, parts). Host, prefixes
// and URL are those of the URI, so a scope covers all keys of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/hash.h"
#include "storage/invalidation/scope.h"

namespace freshet::storage {

struct ScopeName {
  ScopeKind kind = ScopeKind::kAll;
  Digest128 digest;  // kAll: zero; kTag with zero: every tag
  friend bool operator==(const ScopeName&, const ScopeName&) = default;
};

struct ScopeRecord {
  ScopeName name;
  Strength strength = Strength::kHard;
  Sequence sequence = 0;
  Digest128 host;    // kUrl and kPrefix: the name of their host, port included
  std::string text;  // of the scope, for people; may be empty
};

// The prefixes of a path that are looked at, from the first '/' on.
constexpr std::size_t kMaxPrefixDepth = 32;

struct KeyParts {
  std::string_view uri;      // up to '#'
  std::string_view host;     // with its brackets
  std::string_view port;     // empty: the scheme's
  std::size_t path = 0;      // where it begins in `uri`
  std::size_t path_end = 0;  // '?', or the end
  bool https = false;
};
[[nodiscard]] KeyParts key_parts(std::string_view key_text);
// The name of the host whatever the port, and with the port (the scheme's where none is told).
[[nodiscard]] Digest128 host_digest(const KeyParts& parts);
[[nodiscard]] Digest128 authority_digest(const KeyParts& parts);

// One for each scope; hosts in lower case; a prefix cut to its last '/' and to kMaxPrefixDepth, a URL at '#'.
[[nodiscard]] std::vector<ScopeRecord> records_of(const Invalidation& invalidation, Sequence sequence);
[[nodiscard]] ScopeRecord tag_record(std::string_view tag, Sequence sequence);

}  // namespace freshet::storage
