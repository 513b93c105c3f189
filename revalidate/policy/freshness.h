// Freshness: how long a response may be used, and how old it is (RFC 9111, section 4.2). Pure arithmetic;
// `now` is an argument, a clock that went back never makes a response younger than it was on arrival.
#pragma once

#include "revalidate/policy/cache_control.h"
#include "revalidate/policy/response_facts.h"

namespace freshet::revalidate {

struct Lifetime {
  LifetimeSource source = LifetimeSource::kNone;
  storage::Seconds value{0};  // never negative
};

// RFC 9111, 4.2.1 and 4.2.2: s-maxage, max-age, Expires less Date, else the heuristic. An Expires that is no
// date, or several that differ, is in the past. `response_time` stands in for an absent Date.
[[nodiscard]] Lifetime freshness_lifetime(const storage::ResponseHead& response,
                                          const ResponseDirectives& directives,
                                          storage::WallTime response_time, const PolicyOptions& options);

// What the age on arrival is made of (RFC 9111, 4.2.3).
struct InitialAge {
  storage::Milliseconds apparent{0};         // response_time less Date; negative where the clocks differ
  storage::Milliseconds response_delay{0};   // response_time less request_time
  storage::Milliseconds corrected_value{0};  // age_value plus the delay

  // corrected_initial_age: the larger of the two, never negative.
  [[nodiscard]] storage::Milliseconds value() const;
};
[[nodiscard]] InitialAge initial_age_parts(std::optional<storage::WallTime> date,
                                           storage::Seconds age_received, storage::WallTime request_time,
                                           storage::WallTime response_time);
// Their value().
[[nodiscard]] storage::Milliseconds initial_age(std::optional<storage::WallTime> date,
                                                storage::Seconds age_received, storage::WallTime request_time,
                                                storage::WallTime response_time);

// How long it has been here (resident_time); 0 where the clock went back.
[[nodiscard]] storage::Milliseconds resident_time(const ResponseFacts& facts, storage::WallTime now);
// Whole seconds, rounded down: what the Age field says.
[[nodiscard]] storage::Seconds current_age(const ResponseFacts& facts, storage::WallTime now);
// The same to the millisecond, which is what freshness is decided by.
[[nodiscard]] storage::Milliseconds exact_age(const ResponseFacts& facts, storage::WallTime now);

// Freshness lifetime less current age; negative when stale. is_fresh() minds `outdated` too.
[[nodiscard]] storage::Milliseconds remaining_freshness(const ResponseFacts& facts, storage::WallTime now);
[[nodiscard]] bool is_fresh(const ResponseFacts& facts, storage::WallTime now);

// The Age field's value as received: the first of a list or of several lines, 0 if invalid, kForever if over
// 2^31 (RFC 9111, 5.1).
[[nodiscard]] storage::Seconds parse_age(const storage::HeaderFields& fields);

}  // namespace freshet::revalidate
