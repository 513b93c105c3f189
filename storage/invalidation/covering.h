// Which invalidations cover a key or a stored response, for an operator who asks; the scopes' texts are made
// anew from the key, since the tables have digests alone. Not for look-ups: Generations::standing() decides.
// Pure but for the tables that it reads; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "storage/invalidation/generations.h"
#include "storage/invalidation/scope.h"

namespace freshet::storage {

struct CoveringScope {
  Scope scope;  // kTag with an empty text: every tag
  Strength strength = Strength::kHard;
  Sequence sequence = 0;
};

// Of the URL, its prefixes, its host and all. "All" is also where numbers go that a walk through the store
// has found to matter to nothing that is stored.
[[nodiscard]] std::vector<CoveringScope> scopes_covering(const Generations& generations, const CacheKey& key);
// Those of the key, and of the tags of the response.
[[nodiscard]] std::vector<CoveringScope> scopes_covering(const Generations& generations,
                                                         const StoredHead& head);

// Whether that scope is why the response is gone (hard) or stale (soft).
[[nodiscard]] bool takes_effect(const CoveringScope& covering, const StoredHead& head);

}  // namespace freshet::storage
