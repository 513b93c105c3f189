#include "proxy/admin/freshness_text.h"

#include <algorithm>
#include <array>

#include "proxy/admin/value_text.h"
#include "proxy/observe/log_text.h"

namespace freshet::proxy {

using revalidate::FreshnessAccount;
using revalidate::LifetimeSource;
using storage::Milliseconds;
using storage::Seconds;

namespace {

std::string named(std::string_view name, Milliseconds span) {
  return std::string(name).append(" ").append(span_text(span));
}

std::string lifetime_from(const FreshnessAccount& account, double fraction) {
  const std::string date =
      account.date ? "Date " + time_text(*account.date) : "response_time " + time_text(account.response_time);
  switch (account.source) {
    case LifetimeSource::kSharedMaxAge:
    case LifetimeSource::kMaxAge:
      return std::string(account.argument).append(" in ").append(account.field);
    case LifetimeSource::kExpires:
      return "Expires less " + date;
    case LifetimeSource::kHeuristic:
      return printed("%g", fraction * 100) + " % of " + date + " less Last-Modified " +
             (account.last_modified ? time_text(*account.last_modified) : "") +
             ", at most the heuristic's bound";
    case LifetimeSource::kNone:
      break;
  }
  return "no field states one, and nothing allows a heuristic";
}

NamedLine apparent_age(const FreshnessAccount& account) {
  if (!account.date) return {"apparent_age", "0 s", "the response has no Date"};
  return {"apparent_age", span_text(std::max(account.initial.apparent, Milliseconds{0})),
          "response_time " + time_text(account.response_time) + " less Date " + time_text(*account.date)};
}

NamedLine left(const FreshnessAccount& account) {
  const std::string from =
      named("freshness_lifetime", account.lifetime) + " less " + named("current_age", account.age);
  if (account.left > Milliseconds{0}) return {"fresh for", span_text(account.left), from};
  return {"stale for", span_text(-account.left), from};
}

}  // namespace

std::string_view lifetime_source_name(LifetimeSource source) {
  constexpr std::array<std::string_view, 5> kNames = {"s-maxage", "max-age", "expires", "heuristic", "none"};
  return kNames[static_cast<std::size_t>(source)];
}

std::string span_text(Milliseconds span) {
  std::string text = printed("%.3f", static_cast<double>(span.count()) / 1000);
  text.resize(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

std::string time_text(storage::WallTime time) {
  std::array<char, 64> text{};
  const char* const end = LogClock().append_time(text.data(), time);
  return {text.data(), static_cast<std::size_t>(end - text.data())};
}

std::vector<NamedLine> freshness_lines(const FreshnessAccount& account, double heuristic_fraction) {
  const revalidate::InitialAge& initial = account.initial;
  const std::string arrived = "response_time " + time_text(account.response_time);
  return {
      {"freshness_lifetime", span_text(account.lifetime), lifetime_from(account, heuristic_fraction)},
      apparent_age(account),
      {"response_delay", span_text(initial.response_delay),
       arrived + " less request_time " + time_text(account.request_time)},
      {"corrected_age_value", span_text(initial.corrected_value),
       named("age_value", account.age_value) + " + " + named("response_delay", initial.response_delay)},
      {"corrected_initial_age", span_text(initial.value()),
       "the larger of apparent_age and corrected_age_value"},
      {"resident_time", span_text(account.resident), "now " + time_text(account.now) + " less " + arrived},
      {"current_age", span_text(account.age),
       named("corrected_initial_age", initial.value()) + " + " + named("resident_time", account.resident)},
      left(account),
  };
}

}  // namespace freshet::proxy
