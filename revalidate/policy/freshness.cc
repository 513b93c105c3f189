#include "revalidate/policy/freshness.h"

#include <algorithm>
#include <cmath>

#include "storage/http/field_syntax.h"
#include "storage/http/http_date.h"

namespace freshet::revalidate {

namespace {

using storage::FieldName;
using storage::Milliseconds;
using storage::Seconds;
using storage::WallTime;

// RFC 9110, 15.1: may have a heuristic lifetime without the origin saying anything.
bool is_heuristically_cacheable(int status) {
  switch (status) {
    case 200:
    case 203:
    case 204:
    case 206:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
    case 501:
      return true;
    default:
      return false;
  }
}

std::optional<WallTime> date_field(const storage::ResponseHead& response, FieldName name, WallTime now) {
  const auto text = response.fields.first(name);
  return text ? storage::parse_cache_date(*text, now) : std::nullopt;
}

// Expires less Date. RFC 9111, 5.3: what is no date, "0" above all, is in the past.
Seconds expires_lifetime(const storage::ResponseHead& response, WallTime response_time) {
  std::optional<WallTime> expires;
  bool first = true;
  for (const storage::HeaderFields::Line line : response.fields) {
    if (line.id != FieldName::kExpires) continue;
    const std::optional<WallTime> value = storage::parse_cache_date(line.value, response_time);
    if (!value || (!first && value != expires)) return Seconds{0};
    expires = value;
    first = false;
  }
  const WallTime date = date_field(response, FieldName::kDate, response_time).value_or(response_time);
  const Seconds lifetime = std::chrono::floor<Seconds>(*expires - date);
  return std::clamp(lifetime, Seconds{0}, kForever);
}

Lifetime heuristic_lifetime(const storage::ResponseHead& response, const ResponseDirectives& directives,
                            WallTime response_time, const PolicyOptions& options) {
  if (!is_heuristically_cacheable(response.status) && !directives.is_public) return {};
  const auto modified = date_field(response, FieldName::kLastModified, response_time);
  if (!modified) return {};
  const WallTime date = date_field(response, FieldName::kDate, response_time).value_or(response_time);
  const double since = std::chrono::duration<double>(date - *modified).count();
  const double lifetime = std::floor(since * options.heuristic_fraction);
  if (!(lifetime >= 1)) return {};
  const double capped = std::min(lifetime, static_cast<double>(options.heuristic_max.count()));
  return {LifetimeSource::kHeuristic, Seconds{static_cast<Seconds::rep>(capped)}};
}

}  // namespace

Lifetime freshness_lifetime(const storage::ResponseHead& response, const ResponseDirectives& directives,
                            WallTime response_time, const PolicyOptions& options) {
  using Source = ResponseDirectives::Source;
  if (directives.s_maxage) return {LifetimeSource::kSharedMaxAge, *directives.s_maxage};
  if (directives.max_age) return {LifetimeSource::kMaxAge, *directives.max_age};
  const bool expires_counts =
      directives.source != Source::kTargeted && directives.source != Source::kSurrogate;
  if (expires_counts && response.fields.has(FieldName::kExpires)) {
    return {LifetimeSource::kExpires, expires_lifetime(response, response_time)};
  }
  return heuristic_lifetime(response, directives, response_time, options);
}

Milliseconds InitialAge::value() const {
  return std::max({Milliseconds{0}, apparent, corrected_value});
}

InitialAge initial_age_parts(std::optional<WallTime> date, Seconds age_received, WallTime request_time,
                             WallTime response_time) {
  InitialAge age;
  // Date has whole seconds; the part that it lost is not age.
  if (date) age.apparent = Milliseconds(std::chrono::floor<Seconds>(response_time) - *date);
  age.response_delay = std::max(response_time - request_time, Milliseconds{0});
  age.corrected_value = Milliseconds(age_received) + age.response_delay;
  return age;
}

Milliseconds initial_age(std::optional<WallTime> date, Seconds age_received, WallTime request_time,
                         WallTime response_time) {
  return initial_age_parts(date, age_received, request_time, response_time).value();
}

Milliseconds resident_time(const ResponseFacts& facts, WallTime now) {
  return std::max(now - facts.response_time, Milliseconds{0});
}

Milliseconds exact_age(const ResponseFacts& facts, WallTime now) {
  return facts.initial_age + resident_time(facts, now);
}

Seconds current_age(const ResponseFacts& facts, WallTime now) {
  return std::chrono::floor<Seconds>(exact_age(facts, now));
}

Milliseconds remaining_freshness(const ResponseFacts& facts, WallTime now) {
  return Milliseconds(facts.freshness_lifetime) - exact_age(facts, now);
}

bool is_fresh(const ResponseFacts& facts, WallTime now) {
  return !facts.outdated && remaining_freshness(facts, now) > Milliseconds{0};
}

Seconds parse_age(const storage::HeaderFields& fields) {
  const auto line = fields.first(FieldName::kAge);
  if (!line) return Seconds{0};
  const std::string_view first = storage::trim_whitespace(line->substr(0, line->find(',')));
  const std::optional<std::uint64_t> value = storage::parse_decimal(first);
  const auto limit = static_cast<std::uint64_t>(kForever.count());
  return Seconds{static_cast<Seconds::rep>(std::min(value.value_or(0), limit))};
}

}  // namespace freshet::revalidate
