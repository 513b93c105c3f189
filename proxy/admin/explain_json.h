// An Explanation as JSON, the answer of /v1/explain. Members that would say nothing are left out:
//
//   request   method, url (as it was decided by), asked_url (as it was asked, where rules change it), fields
//   answer    what: hit, stale, stale-while-revalidate, revalidate, miss, pass or error;
//             status (null: the origin's); reason, sentence, section (the row of the table of reasons);
//             part: {reason, sentence, section}, of what goes out of the stored response;
//             cache_status (as far as it is known before the origin has answered); in_slices
//   key       text, digest, uri, ignored_query, sorted_query, no_vary_search,
//             adds: [{what: field, cookie, forwarded-host or forwarded; name; value (null: absent)}]
//   stored    one for each variant: selected, status, bytes, in_slices, in_memory, on_disk, standing
//   (current,
//             stale, dead); selecting: [{name, stored, request}]; validators: {etag, etag_is_ours,
//             last_modified}; cache_control: the fields that speak of caching; tags; purges; freshness:
//             {source, field, lifetime_ms, age_ms, left_ms, age_value, date, request_time, response_time,
//             apparent_age_ms, response_delay_ms, corrected_age_value_ms, corrected_initial_age_ms,
//             resident_time_ms, lines: [{name, value, from}]}
//   origin    where it would be asked: method, target, conditional, conditions: {If-None-Match,
//             If-Modified-Since}, range, own_conditions, background, alone, joins, not_shareable
//   if_origin_fails   status; where a stored response stands in: reason, sentence, section
//   purges    {scope: url, prefix, host, tag or all; text; strength; sequence; takes_effect}, of the key
//   sequence  of the newest invalidation
//   contacts  the last requests to the origin for the key, the newest first: at, ago_ms, took_ms, method,
//             conditional, status (null: none came), reason, sentence, section
//
// Pure; any thread.
#pragma once

#include <string>

#include "proxy/exchange/explanation.h"

namespace freshet::proxy {

[[nodiscard]] std::string explain_json(const Explanation& explanation);

}  // namespace freshet::proxy
