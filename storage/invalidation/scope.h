// What an invalidation speaks of, and what becomes of a stored response by it. Values; any thread.
//
// A scope is one URL (all its variants), all URLs under a prefix, a host, whatever carries a tag, or all. A
// hard invalidation kills: what was filled before it is never served again. A soft one makes stale: what was
// validated before it is validated again before it is served as fresh, and may be served stale where RFC 9111
// allows that. What a stored response is by all of them is its Standing (storage/stored_response.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/stored_response.h"

namespace freshet::storage {

enum class ScopeKind : std::uint8_t { kAll = 0, kHost = 1, kPrefix = 2, kTag = 3, kUrl = 4 };

struct Scope {
  ScopeKind kind = ScopeKind::kAll;
  // kAll: empty. kHost: "host" or "host:port", in lower case. kPrefix: "http://host[:port]/path/", up to a
  // '/', without a query. kTag: the tag, with the prefix that says whose it is where there is one
  // (StoredHead::tags). kUrl: the target URI as it stands in a cache key.
  std::string text;

  friend bool operator==(const Scope&, const Scope&) = default;
};

enum class Strength : std::uint8_t { kHard, kSoft };

// All scopes in one step, under one Sequence; never some of them.
struct Invalidation {
  std::vector<Scope> scopes;
  Strength strength = Strength::kHard;
};

// In effect in memory, whatever `durable` says, by the time that it is given.
struct Acknowledgement {
  Sequence sequence = 0;
  bool durable = false;  // on disk and synced (G4)
  std::string error;     // why it is not
};

}  // namespace freshet::storage
