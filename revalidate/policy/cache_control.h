// Cache-Control and its relatives, parsed once into plain values (RFC 9111, section 5.2; Pragma 5.4;
// targeted fields RFC 9213; RFC 5861; RFC 8246). Repeated lines, lists, quoted values and any case are read
// alike; what is repeated, invalid or out of range gets the stricter reading:
//   max-age that is negative, fractional, empty or no number, or has a blank before or after its '=', counts
//   as 0 (stale); 2^31 or more is 2^31;
//   of several values of one directive that differ, the least counts (for max-stale too);
//   a no-cache or private whose field list cannot be read applies to the whole response.
// Pure; allocates only for field lists.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "revalidate/policy/policy_options.h"
#include "storage/base/clock.h"
#include "storage/http/header_fields.h"

namespace freshet::revalidate {

// RFC 9111, 1.2.2: what a larger number of seconds is read as.
inline constexpr storage::Seconds kForever{2147483648LL};

// A delta-seconds argument as above, quoted or not; nothing if it is no such number.
[[nodiscard]] std::optional<storage::Seconds> parse_delta_seconds(std::string_view text);

struct ResponseDirectives {
  // Which field these come from; empty when the message has none.
  enum class Source { kNone, kCacheControl, kTargeted, kSurrogate } source = Source::kNone;
  std::size_t targeted_field = 0;  // with kTargeted: which of PolicyOptions::targeted_fields

  bool no_store = false;
  bool no_cache = false;  // the whole response
  bool is_private = false;
  bool is_public = false;
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  bool must_understand = false;
  bool no_transform = false;
  bool immutable = false;
  std::optional<storage::Seconds> max_age;
  std::optional<storage::Seconds> s_maxage;
  std::optional<storage::Seconds> stale_while_revalidate;
  std::optional<storage::Seconds> stale_if_error;
  // no-cache="…" and private="…": lower-case names of fields that are not stored.
  std::vector<std::string> no_cache_fields;
  std::vector<std::string> private_fields;

  // Speaks to shared caches: public, s-maxage, or a targeted field.
  [[nodiscard]] bool addresses_shared_caches() const {
    return is_public || s_maxage.has_value() || source == Source::kTargeted || source == Source::kSurrogate;
  }
};

// By the options: the first valid targeted field, else Surrogate-Control, else Cache-Control (all lines).
[[nodiscard]] ResponseDirectives parse_response_directives(const storage::HeaderFields& fields,
                                                           const PolicyOptions& options);
// Of one field value, as Cache-Control reads it (for tests and fuzzing, and for a site's rules).
[[nodiscard]] ResponseDirectives parse_cache_control(std::string_view value);

// Surrogate-Control is for surrogates: it is sent on only to a client that has said it is one
// (Surrogate-Capability).
[[nodiscard]] bool passes_surrogate_control(const storage::HeaderFields& request_fields);

struct RequestDirectives {
  bool no_store = false;
  bool no_cache = false;
  bool pragma_no_cache = false;  // Pragma: no-cache, and no Cache-Control at all (RFC 9111, 5.4)
  bool only_if_cached = false;
  std::optional<storage::Seconds> max_age;
  std::optional<storage::Seconds> min_fresh;
  std::optional<storage::Seconds> max_stale;  // without argument: kForever
  std::optional<storage::Seconds> stale_if_error;
};

// Parses nothing and allocates nothing where neither Cache-Control nor Pragma is there.
[[nodiscard]] RequestDirectives parse_request_directives(const storage::HeaderFields& fields);

}  // namespace freshet::revalidate
