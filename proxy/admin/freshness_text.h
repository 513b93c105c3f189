// How fresh a stored response is, as lines that can be added up by hand: the names are those of RFC 9111,
// 4.2.1 to 4.2.3, the values those that decide. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "revalidate/policy/freshness_account.h"

namespace freshet::proxy {

[[nodiscard]] std::string_view lifetime_source_name(revalidate::LifetimeSource source);

// "60 s", "7.204 s", "-0.5 s".
[[nodiscard]] std::string span_text(storage::Milliseconds span);
// "2026-11-22T17:18:07.007Z"
[[nodiscard]] std::string time_text(storage::WallTime time);

struct NamedLine {
  std::string name;   // "current_age"
  std::string value;  // "107 s"
  std::string from;   // "corrected_initial_age 100 s + resident_time 7 s"
};
[[nodiscard]] std::vector<NamedLine> freshness_lines(const revalidate::FreshnessAccount& account,
                                                     double heuristic_fraction);

}  // namespace freshet::proxy
