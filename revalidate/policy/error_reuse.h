// Error reuse: may a stale stored response stand in for an origin that fails (RFC 9111, sections 4.2.4 and
// 4.3.3; RFC 5861, section 4). Pure.
#pragma once

#include "revalidate/policy/reuse.h"

namespace freshet::revalidate {

// What a client is told where the origin gave no answer and nothing stored may stand in. RFC 9111, 5.2.2.2:
// 504 where a stored response must not be used stale and the origin cannot be asked. `selected` may be null.
[[nodiscard]] int failure_status(Reason reason, const ResponseFacts* selected);

// 500, 502, 503, 504: an error that a stored response may be served instead of.
[[nodiscard]] bool is_replaceable_error(int status);

struct ErrorReuse {
  bool serve_stale = false;
  Reason reason = Reason::kNone;  // kStaleIfError (a directive says so) or kStaleOnError (the grace)
  storage::Seconds age{0};
  storage::Seconds ttl{0};  // negative: how long it is stale
};

// The origin is unreachable, broke off, or gave a replaceable error, and `stored` was selected. Never against
// must-revalidate, proxy-revalidate, s-maxage or no-cache, nor for a requester that G12 forbids. A client's
// own no-cache or max-age does not prevent it: it prefers a validated response (RFC 9111, 5.2.1.4), and there
// is none. The response's stale-if-error counts before the grace, also where it is shorter; the request's can
// only shorten it. What is outdated (RFC 9111, 4.3.5) counts as stale, however young, and so does what a soft
// purge has hit; a hard purge leaves nothing to be served.
[[nodiscard]] ErrorReuse decide_error_reuse(const RequestFacts& request, const ResponseFacts& stored,
                                            storage::WallTime now, const PolicyOptions& options,
                                            storage::Standing standing = storage::Standing::kCurrent);

}  // namespace freshet::revalidate
