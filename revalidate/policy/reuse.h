// Reuse: may a stored response answer this request now (RFC 9111, section 4), and if not, what then. The
// caller has selected by Vary and has dealt with hard purges. Pure and without allocation: this is the hit
// path.
//
// G12: where the request or the one that filled the store carries Cookie or Authorization, sharing without
// validation needs freshness that the origin stated or `public`; Authorization also RFC 9111, 3.5.
#pragma once

#include "revalidate/policy/reason.h"
#include "revalidate/policy/request_facts.h"
#include "revalidate/policy/response_facts.h"
#include "storage/invalidation/scope.h"

namespace freshet::revalidate {

struct ReuseDecision {
  enum class Kind {
    kServe,
    kServeStaleAndRevalidate,  // send it, and start a background validation
    kValidate,                 // ask the origin with conditions; the stored response is still good for 304
    kFetch,                    // ask without conditions
    kGatewayTimeout,           // 504: only-if-cached
  };
  Kind kind = Kind::kFetch;
  Reason reason = Reason::kNone;
  storage::Seconds age{0};  // current age; with a stored response
  storage::Seconds ttl{0};  // freshness left, rounded down; negative when stale, 0 by a soft purge alone
  // Validation is wanted by the client alone (no-cache, Pragma, max-age, min-fresh): the stored response is
  // fresh.
  bool forced_by_client = false;
  // A soft purge alone has made it stale.
  bool invalidated = false;
};

// `selected` is null on a miss; `key_is_known` then tells a vary-miss from a uri-miss. `standing` is the
// selected response's, not kDead. kStale, by a soft purge: it is stale from that moment, whatever of its
// lifetime is left, and as long as some is left its staleness counts as 0: stale-while-revalidate (and on
// failure stale-if-error) allow to serve it, must-revalidate and its like forbid it. A client's max-stale is
// for what time has made stale, not for what its owner has called back.
[[nodiscard]] ReuseDecision decide_reuse(const RequestFacts& request, const storage::StoredResponse* selected,
                                         bool key_is_known, storage::WallTime now,
                                         const PolicyOptions& options,
                                         storage::Standing standing = storage::Standing::kCurrent);

// G12 alone: may this stored response be used for this request without asking the origin. False means
// validate (or fetch where nothing is known to be shareable).
[[nodiscard]] bool may_reuse_for(const RequestFacts& request, const ResponseFacts& stored);

// May a waiter be given the answer to another request's flight as it is. `answer` are the facts of the
// storable response that came (an unstorable one is never shared); `arrived_before_sent`: the waiter was
// there before the origin request left.
[[nodiscard]] bool may_share_flight_answer(const RequestFacts& waiter, const ResponseFacts& answer,
                                           bool arrived_before_sent, storage::WallTime now);

// May a request start or join a collapsed request at all: may_use_store(), no Authorization, no client
// no-store.
[[nodiscard]] bool may_collapse(const RequestFacts& request);

}  // namespace freshet::revalidate
