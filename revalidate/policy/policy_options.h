// PolicyOptions: what an operator may decide where RFC 9111 leaves it open (MAY, SHOULD, "heuristic").
// Filled by the configuration, passed to every policy function, never changed while requests run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"

namespace freshet::revalidate {

// How the edge names itself in Via, Cache-Status and as a target of Surrogate-Control.
inline constexpr std::string_view kEdgeName = "freshet";

// Responses with Set-Cookie, or with Clear-Site-Data, which speaks to one browser as well. RFC 9111, 7.3 lets
// a cache store them like any other.
enum class SetCookiePolicy {
  kSafe,   // only where the origin speaks to shared caches: public, s-maxage or a targeted field
  kRfc,    // to the letter: they decide nothing
  kStrip,  // stored without the two fields
};

struct PolicyOptions {
  SetCookiePolicy set_cookie = SetCookiePolicy::kSafe;

  // Heuristic freshness (RFC 9111, 4.2.2): this part of the time since Last-Modified, at most
  // heuristic_max. 0 turns it off. A day is long enough to matter and short enough that a page nobody gave a
  // lifetime is not wrong for a week.
  double heuristic_fraction = 0.1;
  storage::Seconds heuristic_max{86400};

  // How long after expiry a stored response still stands in for an origin that fails, where neither side
  // says otherwise (RFC 5861, section 4; RFC 9111, 4.2.4). 0 turns it off.
  storage::Seconds stale_if_error{86400};

  // Targeted Cache-Control fields in the order of preference (RFC 9213, 2.2): the first that is there and
  // valid replaces Cache-Control and Expires.
  std::vector<std::string> targeted_fields{"CDN-Cache-Control"};
  // Where no targeted field is valid, Surrogate-Control (a W3C note: max-age, no-store) replaces
  // Cache-Control and Expires.
  bool surrogate_control = true;
  // Tell the origin that we do (Surrogate-Capability).
  bool announce_surrogate = true;

  // Client no-cache, no-store, max-age, max-stale, min-fresh and Pragma have no effect; only-if-cached has.
  bool ignore_client_directives = false;
  // However many clients force a validation of a fresh stored response, the origin is asked once in this
  // time, counted from the last that was forced. 0: each one counts.
  storage::Milliseconds reload_interval{1000};

  // Fields whose members are tags that a response can be purged by, beside Cache-Groups; see tags.h.
  std::vector<std::string> tag_fields{"Surrogate-Key", "Cache-Tag"};
  // Whether clients get them. RFC 9110, 7.6.1 lets no intermediary drop what is meant for the recipient, and
  // behind this cache may stand another one; an operator may not want visitors to see them.
  bool forward_tags = true;

  // A response that has no entity tag and is stored gets a strong one from the hash of its content.
  bool content_tags = true;
};

}  // namespace freshet::revalidate
