#include "revalidate/policy/storability.h"

#include <algorithm>
#include <array>

#include "revalidate/policy/cache_control.h"
#include "revalidate/policy/forwarding.h"
#include "revalidate/policy/freshness.h"
#include "revalidate/policy/invalidation.h"
#include "revalidate/policy/selection.h"
#include "revalidate/policy/tags.h"
#include "storage/base/check.h"
#include "storage/http/byte_range.h"
#include "storage/http/entity_tag.h"
#include "storage/http/field_syntax.h"
#include "storage/http/http_date.h"
#include "storage/http/status_code.h"

namespace freshet::revalidate {

namespace {

using storage::FieldName;
using storage::HeaderFields;
using storage::ResponseHead;
using storage::Seconds;

// Final status codes whose caching requirements we know and follow (RFC 9111, 3: "understood").
bool is_understood(int status) {
  return status >= 200 && status != 304 && storage::reason_phrase(status) != "Unknown";
}

// RFC 9110, 15.1.
bool is_cacheable_by_default(int status) {
  constexpr std::array kStatuses = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};
  return std::find(kStatuses.begin(), kStatuses.end(), status) != kStatuses.end();
}

// Fields that say how the stored bytes are to be read, when they may be used and what forgets them: a
// response is not stored without one of these that it came with.
bool is_essential(FieldName name) {
  switch (name) {
    case FieldName::kCacheControl:
    case FieldName::kCacheGroups:
    case FieldName::kCacheTag:
    case FieldName::kCdnCacheControl:
    case FieldName::kSurrogateControl:
    case FieldName::kSurrogateKey:
    case FieldName::kContentEncoding:
    case FieldName::kContentRange:
    case FieldName::kContentType:
    case FieldName::kDate:
    case FieldName::kETag:
    case FieldName::kExpires:
    case FieldName::kLastModified:
    case FieldName::kVary:
      return true;
    default:
      return false;
  }
}

bool any_essential(const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return is_essential(storage::intern_field_name(name)); });
}

bool connection_names_essential(const HeaderFields& fields) {
  bool found = false;
  storage::for_each_element(fields, FieldName::kConnection, [&](std::string_view name) {
    found |= is_essential(storage::intern_field_name(name));
  });
  return found;
}

bool has_validator(const ResponseHead& response, storage::WallTime now) {
  const auto tag = response.fields.first(FieldName::kETag);
  if (tag && storage::parse_entity_tag(*tag)) return true;
  const auto modified = response.fields.first(FieldName::kLastModified);
  return modified && storage::parse_cache_date(*modified, now);
}

// s-maxage, max-age or Expires, of whatever value (RFC 9111, 4.2.1).
bool has_explicit_freshness(const ResponseHead& response, const ResponseDirectives& d) {
  using Source = ResponseDirectives::Source;
  if (d.max_age || d.s_maxage) return true;
  return d.source != Source::kTargeted && d.source != Source::kSurrogate &&
         response.fields.has(FieldName::kExpires);
}

// RFC 9111, 3, last point: what entitles a cache to store.
bool is_entitled(const ResponseHead& response, const ResponseDirectives& d) {
  return d.is_public || is_cacheable_by_default(response.status) || has_explicit_freshness(response, d);
}

// RFC 9110, 9.3.3: a POST's answer that calls itself the representation of the target URI, with explicit
// freshness, is as good as a GET's.
bool is_representation_of_target(const storage::RequestHead& request, const ResponseHead& response,
                                 const ResponseDirectives& d) {
  if (response.status < 200 || response.status >= 300 || !has_explicit_freshness(response, d)) return false;
  const auto location = response.fields.first(FieldName::kContentLocation);
  if (!location || response.fields.count(FieldName::kContentLocation) != 1) return false;
  return resolve_key(request, *location) ==
         storage::make_cache_key(request.scheme, request.authority, request.target);
}

bool is_stored_method(const storage::RequestHead& request, const ResponseHead& response,
                      const ResponseDirectives& d) {
  if (request.method == storage::Method::kGet) return true;
  return request.method == storage::Method::kPost && is_representation_of_target(request, response, d);
}

// What is one browser's business: a cookie, or that it shall forget (Clear-Site-Data).
bool speaks_to_one_browser(const ResponseHead& response) {
  return response.fields.has(FieldName::kSetCookie) || response.fields.has(FieldName::kClearSiteData);
}

// Why the request or a directive forbids to store, whatever the status; kNone where nothing does.
Reason prohibition(const storage::RequestHead& request, const ResponseHead& response,
                   const ResponseDirectives& d, const PolicyOptions& options) {
  if (!is_stored_method(request, response, d)) return Reason::kMethodNotStored;
  if (!options.ignore_client_directives && parse_request_directives(request.fields).no_store) {
    return Reason::kClientNoStore;
  }
  if (d.must_understand && !is_understood(response.status)) return Reason::kStatusNotUnderstood;
  // RFC 9111, 5.2.2.3: with must-understand, no-store is for caches that do not understand.
  if (d.no_store && !d.must_understand) return Reason::kNoStore;
  if (d.is_private || any_essential(d.private_fields)) return Reason::kPrivate;
  if (request.fields.has(FieldName::kAuthorization) && !d.is_public && !d.must_revalidate && !d.s_maxage) {
    return Reason::kAuthorizationNotStored;
  }
  if (!selecting_fields(response, request)) return Reason::kVaryStar;
  if (connection_names_essential(response.fields)) return Reason::kConnectionField;
  if (!is_entitled(response, d)) return Reason::kStatusNotStored;
  if (options.set_cookie == SetCookiePolicy::kSafe && speaks_to_one_browser(response) &&
      !d.addresses_shared_caches()) {
    return Reason::kSetCookie;
  }
  return Reason::kNone;
}

// Of a whole response: 206 has its own rules, and 412 and 416 answer the conditions or the range of one
// request: whoever asks without would get them too.
Reason status_prohibition(int status) {
  if (status == 206) return Reason::kPartialNotStored;
  const bool of_one_request = status == 304 || status == 412 || status == 416;
  return status < 200 || of_one_request ? Reason::kStatusNotStored : Reason::kNone;
}

// A 206 of one part that says which bytes of what it is, and has as many as it says.
bool is_one_part(const ResponseHead& response) {
  const HeaderFields& fields = response.fields;
  const auto text = fields.first(FieldName::kContentRange);
  if (response.status != 206 || !text || fields.count(FieldName::kContentRange) != 1) return false;
  const auto range = storage::parse_content_range(*text);
  if (!range) return false;
  const auto type = fields.first(FieldName::kContentType).value_or("");
  if (storage::equals_ignoring_case(type.substr(0, 10), "multipart/")) return false;
  const auto length = fields.first(FieldName::kContentLength);
  return !length || storage::parse_decimal(*length) == range->range.size();
}

std::vector<std::string> withheld_fields(const ResponseHead& response, const ResponseDirectives& d,
                                         const PolicyOptions& options) {
  std::vector<std::string> withheld = d.private_fields;
  withheld.insert(withheld.end(), d.no_cache_fields.begin(), d.no_cache_fields.end());
  if (options.set_cookie == SetCookiePolicy::kStrip) {
    for (const char* name : {"set-cookie", "clear-site-data"}) {
      if (response.fields.has(name)) withheld.emplace_back(name);
    }
  }
  return withheld;
}

// Nothing forbids it: is it of any use?
StoreDecision decide_useful(const storage::RequestHead& request, const ResponseHead& response,
                            const ResponseDirectives& d, storage::WallTime response_time,
                            const PolicyOptions& options) {
  // no-cache="ETag" cannot be followed by leaving the field out: validate the whole instead.
  const bool no_cache = d.no_cache || any_essential(d.no_cache_fields);
  const bool fresh = freshness_lifetime(response, d, response_time, options).value > Seconds{0};
  const bool stale_use = d.stale_while_revalidate && *d.stale_while_revalidate > Seconds{0};
  const bool usable = !no_cache && (fresh || stale_use);
  // It will have an entity tag of ours. Only where the origin thought of caches at all: pages that say
  // nothing are made for each request, and clients would wait for each other's.
  const bool will_have_tag = options.content_tags && response.status == 200 &&
                             request.method == storage::Method::kGet &&
                             (no_cache || has_explicit_freshness(response, d));
  StoreDecision decision;
  if (!usable && !will_have_tag && !has_validator(response, response_time)) {
    decision.reason = Reason::kNothingToReuse;
    return decision;
  }
  decision.store = true;
  decision.reason = usable ? Reason::kStored : Reason::kStoredForValidation;
  decision.withheld = withheld_fields(response, d, options);
  std::erase_if(decision.withheld,
                [](const std::string& name) { return is_essential(storage::intern_field_name(name)); });
  return decision;
}

StoreDecision refusal(Reason reason) {
  StoreDecision decision;
  decision.reason = reason;
  return decision;
}

}  // namespace

StoreDecision decide_storable(const storage::RequestHead& request, const ResponseHead& response,
                              storage::WallTime response_time, const PolicyOptions& options) {
  const ResponseDirectives d = parse_response_directives(response.fields, options);
  const Reason by_status = status_prohibition(response.status);
  if (by_status != Reason::kNone) return refusal(by_status);
  const Reason forbidden = prohibition(request, response, d, options);
  if (forbidden != Reason::kNone) return refusal(forbidden);
  return decide_useful(request, response, d, response_time, options);
}

StoreDecision decide_part_storable(const storage::RequestHead& request, const ResponseHead& response,
                                   storage::WallTime response_time, const PolicyOptions& options) {
  if (request.method != storage::Method::kGet) return refusal(Reason::kMethodNotStored);
  if (!is_one_part(response)) return refusal(Reason::kPartialNotStored);
  const ResponseDirectives d = parse_response_directives(response.fields, options);
  const Reason forbidden = prohibition(request, response, d, options);
  if (forbidden != Reason::kNone) return refusal(forbidden);
  return decide_useful(request, response, d, response_time, options);
}

storage::StoredHead make_stored_head(const storage::CacheKey& key, const storage::RequestHead& request,
                                     const ResponseHead& response, const StoreDecision& decision,
                                     storage::WallTime request_time, storage::WallTime response_time,
                                     const PolicyOptions& options) {
  FRESHET_CHECK(decision.store);
  storage::StoredHead head;
  head.key = key;
  head.selecting = selecting_fields(response, request).value_or(storage::SelectingFields{});
  head.response.status = response.status;
  head.response.reason = response.reason;
  head.response.fields = end_to_end_fields(response.fields);
  head.response.fields.remove(FieldName::kAge);
  for (const std::string& name : decision.withheld) head.response.fields.remove(name);
  if (!head.response.fields.has(FieldName::kDate)) {
    head.response.fields.add(FieldName::kDate, storage::format_http_date(response_time));
  }
  head.tags = tags_of(key, head.response.fields, options);
  head.request_time = request_time;
  head.response_time = response_time;
  head.age_received = parse_age(response.fields);
  head.request_had_credentials =
      request.fields.has(FieldName::kAuthorization) || request.fields.has(FieldName::kCookie);
  return head;
}

}  // namespace freshet::revalidate
