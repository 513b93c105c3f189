// Invalidation by use: what an unsafe method's success says about stored responses (RFC 9111, section 4.4),
// and the cache groups of RFC 9875. Pure; the caller removes the keys and invalidates the tags before it
// answers the client. Clear-Site-Data is no part of it: it speaks to one browser about its own data, and
// whoever may log out could empty the store for everybody.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
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

// Bounds of a Cache-Groups or Cache-Group-Invalidation field: RFC 9875, 2 and 3 ask for at least 32 groups
// of 32 characters. What is beyond is left out.
inline constexpr std::size_t kMaxCacheGroups = 64;
inline constexpr std::size_t kMaxCacheGroupSize = 256;

// The groups that a response says it belongs to, each once; none where the field is no list of strings.
// Parameters are ignored.
struct CacheGroups {
  std::vector<std::string> names;
  bool left_out = false;  // some are beyond the bounds
};
[[nodiscard]] CacheGroups cache_groups(const storage::HeaderFields& fields);

// The same as tags of a stored response (StoredHead::tags): "group:http://host name", since a group belongs
// to one origin, that of the key.
[[nodiscard]] std::vector<std::string> group_tags(const storage::CacheKey& key,
                                                  const storage::HeaderFields& fields);

// The tags that a response's Cache-Group-Invalidation invalidates, in the same form; empty unless
// invalidates(). Groups of what is invalidated otherwise are left alone (RFC 9875, 2.2.1: MAY).
[[nodiscard]] std::vector<std::string> invalidated_groups(const storage::RequestHead& request,
                                                          const storage::ResponseHead& response);

}  // namespace freshet::revalidate
