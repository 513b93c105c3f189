// Invalidation by use: what an unsafe method's success says about stored responses (RFC 9111, section 4.4).
// Pure; the caller removes the keys before it answers the client.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "storage/cache_key.h"
#include "storage/http/message_head.h"

namespace freshet::revalidate {

// An unsafe (or unknown) method answered with 2xx or 3xx.
[[nodiscard]] bool invalidates(storage::Method method, int status);

// The keys to forget: the target URI, and those of Location and Content-Location that have its origin. Empty
// unless invalidates(). `authority` as the cache key takes it. Each key once.
[[nodiscard]] std::vector<storage::CacheKey> invalidated_keys(const storage::RequestHead& request,
                                                              const storage::ResponseHead& response);

// The cache key text of a URI reference resolved against the request's target URI (RFC 3986, 5.2; dot
// segments removed, fragment dropped); nothing if it is malformed or not http(s).
[[nodiscard]] std::optional<storage::CacheKey> resolve_key(const storage::RequestHead& request,
                                                           std::string_view reference);

}  // namespace freshet::revalidate
