// FreshnessAccount: how fresh a stored response is, with every value that went into it, for an operator who
// asks why. The same functions that decide reuse give the values (freshness.h, ResponseFacts); here they are
// only kept apart. RFC 9111, 4.2. Pure; not for the hit path.
#pragma once

#include <optional>
#include <string>

#include "revalidate/policy/freshness.h"
#include "revalidate/policy/policy_options.h"
#include "revalidate/policy/response_facts.h"
#include "storage/stored_response.h"

namespace freshet::revalidate {

struct FreshnessAccount {
  // The lifetime: 4.2.1 and 4.2.2.
  LifetimeSource source = LifetimeSource::kNone;
  std::string field;          // that gave it: "Cache-Control", "CDN-Cache-Control"; empty: none did
  std::string_view argument;  // what of the field: "s-maxage", "max-age"; empty: all of it
  storage::Seconds lifetime{0};
  std::optional<storage::WallTime> date;
  std::optional<storage::WallTime> last_modified;

  // The age: 4.2.3.
  storage::Seconds age_value{0};
  storage::WallTime request_time{};
  storage::WallTime response_time{};
  storage::WallTime now{};
  InitialAge initial;
  storage::Milliseconds resident{0};
  storage::Milliseconds age{0};

  storage::Milliseconds left{0};  // lifetime less age; negative: stale for so long
};

// `facts` are those of `head`, by `options`.
[[nodiscard]] FreshnessAccount account_of_freshness(const storage::StoredHead& head,
                                                    const ResponseFacts& facts, const PolicyOptions& options,
                                                    storage::WallTime now);

}  // namespace freshet::revalidate
