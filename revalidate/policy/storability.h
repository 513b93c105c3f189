// Storability: may this response be stored, and what of it (RFC 9111, section 3). Looks at the response as
// the origin sent it, hop-by-hop fields included. Whatever has a validator is worth storing, no-cache and
// max-age=0 too; so is a 200 to GET that states a lifetime of 0 or no-cache and has no validator, where it is
// to get an entity tag of ours. What says neither is not: pages that are made for each request would have
// clients wait for each other. Pure.
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
  // no-cache="…", and with SetCookiePolicy::kStrip Set-Cookie and Clear-Site-Data.
  std::vector<std::string> withheld;
};

// `response`: final (not 1xx), not 304. A HEAD's response is not stored (kMethodNotStored); a POST's is as a
// GET's of the same target URI, with the target's key, where RFC 9110, 9.3.3 says so: explicit freshness,
// and a Content-Location that is the target URI. Never a 206.
[[nodiscard]] StoreDecision decide_storable(const storage::RequestHead& request,
                                            const storage::ResponseHead& response,
                                            storage::WallTime response_time, const PolicyOptions& options);

// The same for a 206: one part, its Content-Range valid and its Content-Length, if any, in accord; else
// kPartialNotStored (RFC 9111, 3.3; what may be joined with it is section 3.4's question).
[[nodiscard]] StoreDecision decide_part_storable(const storage::RequestHead& request,
                                                 const storage::ResponseHead& response,
                                                 storage::WallTime response_time,
                                                 const PolicyOptions& options);

// The head to store: end-to-end fields without what the decision withholds, the Age value apart, selecting
// fields, tags, times and credentials filled in. Date is added where the origin gave none (RFC
// 9110, 6.6.1). `decision.store` must be true. body_size, sequences and body_id are the caller's.
[[nodiscard]] storage::StoredHead make_stored_head(
    const storage::CacheKey& key, const storage::RequestHead& request, const storage::ResponseHead& response,
    const StoreDecision& decision, storage::WallTime request_time, storage::WallTime response_time,
    const PolicyOptions& options);

}  // namespace freshet::revalidate
