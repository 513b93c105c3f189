#include "revalidate/policy/freshness_account.h"

#include "revalidate/policy/cache_control.h"

namespace freshet::revalidate {

namespace {

// The field whose directives counted.
std::string directives_field(const ResponseDirectives& directives, const PolicyOptions& options) {
  switch (directives.source) {
    case ResponseDirectives::Source::kTargeted:
      return options.targeted_fields[directives.targeted_field];
    case ResponseDirectives::Source::kSurrogate:
      return "Surrogate-Control";
    case ResponseDirectives::Source::kCacheControl:
      return "Cache-Control";
    case ResponseDirectives::Source::kNone:
      break;
  }
  return "";
}

void name_source(FreshnessAccount& account, const storage::StoredHead& head, const PolicyOptions& options) {
  const ResponseDirectives directives = parse_response_directives(head.response.fields, options);
  switch (account.source) {
    case LifetimeSource::kSharedMaxAge:
      account.argument = "s-maxage";
      account.field = directives_field(directives, options);
      return;
    case LifetimeSource::kMaxAge:
      account.argument = "max-age";
      account.field = directives_field(directives, options);
      return;
    case LifetimeSource::kExpires:
      account.field = "Expires";
      return;
    case LifetimeSource::kHeuristic:
      account.field = "Last-Modified";
      return;
    case LifetimeSource::kNone:
      return;
  }
}

}  // namespace

FreshnessAccount account_of_freshness(const storage::StoredHead& head, const ResponseFacts& facts,
                                      const PolicyOptions& options, storage::WallTime now) {
  FreshnessAccount account;
  account.source = facts.lifetime_source;
  account.lifetime = facts.freshness_lifetime;
  name_source(account, head, options);
  account.date = facts.date();
  account.last_modified = facts.last_modified();
  account.age_value = head.age_received;
  account.request_time = head.request_time;
  account.response_time = head.response_time;
  account.now = now;
  account.initial = initial_age_parts(facts.date(), head.age_received, head.request_time, head.response_time);
  account.resident = resident_time(facts, now);
  account.age = exact_age(facts, now);
  account.left = remaining_freshness(facts, now);
  return account;
}

}  // namespace freshet::revalidate
