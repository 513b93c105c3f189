// Storability: may this response be stored, and what of it (RFC 9111, section 3). Looks at the response as
// the origin sent it, hop-by-hop fields included. Whatever has a validator is worth storing, no-cache and
// max-age=0 too; what has neither freshness nor validator is not. Pure.
#pragma once

#include <string>
#include <vector>

#include "revalidate/policy/policy_options.h"
#include "revalidate/policy/reason.h"
#include "storage/stored_response.h"

namespace freshet::revalidate {

struct StoreDecision {
  bool store = false;
  Reason reason = Reason::kNone;  // kStored, kStoredForValidation, or why not
  // Lower-case names of fields that go to this client but not into the store: named by private="…" or
  // no-cache="…", and Set-Cookie with SetCookiePolicy::kStrip.
  std::vector<std::string> withheld;
};

// `response`: final (not 1xx), not 304. A HEAD's response is not stored (kMethodNotStored).
[[nodiscard]] StoreDecision decide_storable(const storage::RequestHead& request,
                                            const storage::ResponseHead& response,
                                            storage::WallTime response_time, const PolicyOptions& options);

// The head to store: end-to-end fields without what the decision withholds, the Age value apart, selecting
// fields, times and credentials filled in. Date is added where the origin gave none (RFC 9110, 6.6.1).
// `decision.store` must be true. body_size, sequences and body_id are the caller's.
[[nodiscard]] storage::StoredHead make_stored_head(
    const storage::CacheKey& key, const storage::RequestHead& request, const storage::ResponseHead& response,
    const StoreDecision& decision, storage::WallTime request_time, storage::WallTime response_time);

}  // namespace freshet::revalidate
