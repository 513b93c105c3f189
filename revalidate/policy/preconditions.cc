#include "revalidate/policy/preconditions.h"

#include <string>
#include <utility>

#include "storage/http/http_date.h"

namespace freshet::revalidate {

namespace {

using storage::EntityTag;
using storage::FieldName;
using storage::HeaderFields;
using storage::RequestHead;
using storage::Seconds;
using storage::WallTime;

// A date is a strong validator where this much lies between it and the answer's Date (RFC 9110, 8.8.2.2):
// enough that the clocks of two servers do not matter.
constexpr Seconds kStrongDateMargin{60};

// RFC 9110, 13.1.2: weak comparison; "*" matches whatever there is.
bool none_match_fails(const RequestHead& request, const Validators& validators) {
  for (const HeaderFields::Line line : request.fields) {
    if (line.id != FieldName::kIfNoneMatch) continue;
    if (line.value == "*") return true;
    if (!validators.entity_tag) continue;
    storage::EntityTagReader reader(line.value);
    EntityTag tag;
    while (reader.next(tag)) {
      if (storage::weak_match(tag, *validators.entity_tag)) return true;
    }
  }
  return false;
}

// RFC 9110, 13.1.3 and RFC 9111, 4.3.2: against Last-Modified, else Date, else when it was received.
bool not_modified_since(const RequestHead& request, const Validators& validators) {
  if (request.fields.count(FieldName::kIfModifiedSince) != 1) return false;
  const auto text = request.fields.first(FieldName::kIfModifiedSince);
  const auto since = storage::parse_http_date(*text, validators.response_time);
  if (!since) return false;
  if (validators.last_modified) return *validators.last_modified <= *since;
  if (validators.date) return *validators.date <= *since;
  return std::chrono::floor<Seconds>(validators.response_time) <= *since;
}

// RFC 9110, 13.1.5: strong comparison, or exactly the date, if that is strong.
bool if_range_holds(const RequestHead& request, const Validators& validators) {
  const auto text = request.fields.first(FieldName::kIfRange);
  if (!text || request.fields.count(FieldName::kIfRange) != 1) return false;
  if (const auto tag = storage::parse_entity_tag(*text)) {
    return validators.entity_tag && storage::strong_match(*tag, *validators.entity_tag);
  }
  const auto date = storage::parse_http_date(*text, validators.response_time);
  return date && validators.last_modified == date && validators.date &&
         *validators.date - *date >= kStrongDateMargin;
}

PreconditionResult evaluate_range(const RequestFacts& facts, const RequestHead& request,
                                  const Validators& validators, std::uint64_t size) {
  if (facts.has_if_range && !if_range_holds(request, validators)) return {};
  if (request.fields.count(FieldName::kRange) != 1) return {};
  auto resolved = storage::resolve_ranges(*request.fields.first(FieldName::kRange), size);
  if (resolved.outcome == storage::RangeOutcome::kUnsatisfiable) {
    return {Precondition::kRangeNotSatisfiable, {}};
  }
  return {Precondition::kProceed, std::move(resolved.ranges)};
}

}  // namespace

Validators validators_of(const ResponseFacts& facts) {
  return {facts.status, facts.entity_tag(), facts.last_modified(), facts.date(), facts.response_time};
}

Validators validators_of(const storage::ResponseHead& response, WallTime response_time) {
  Validators validators;
  validators.status = response.status;
  validators.response_time = response_time;
  if (const auto text = response.fields.first(FieldName::kETag)) {
    validators.entity_tag = storage::parse_entity_tag(*text);
  }
  if (const auto text = response.fields.first(FieldName::kLastModified)) {
    validators.last_modified = storage::parse_cache_date(*text, response_time);
  }
  if (const auto text = response.fields.first(FieldName::kDate)) {
    validators.date = storage::parse_cache_date(*text, response_time);
  }
  return validators;
}

PreconditionResult evaluate_preconditions(const RequestFacts& facts, const RequestHead& request,
                                          const Validators& validators, std::optional<std::uint64_t> size) {
  const bool any = facts.has_if_none_match || facts.has_if_modified_since || facts.has_range;
  if (!any || validators.status < 200 || validators.status > 299) return {};
  if (facts.has_if_none_match) {
    if (none_match_fails(request, validators)) {
      // RFC 9110, 13.1.2: 304 for GET and HEAD, 412 for any other method.
      const bool reads = facts.method == storage::Method::kGet || facts.method == storage::Method::kHead;
      return {reads ? Precondition::kNotModified : Precondition::kFailed, {}};
    }
  } else if (facts.has_if_modified_since && not_modified_since(request, validators)) {
    return {Precondition::kNotModified, {}};
  }
  if (!facts.has_range || !size || facts.method != storage::Method::kGet || validators.status != 200)
    return {};
  return evaluate_range(facts, request, validators, *size);
}

bool is_cors_field(std::string_view name) {
  constexpr std::string_view kPrefix = "Access-Control-";
  return name.size() > kPrefix.size() &&
         storage::equals_ignoring_case(name.substr(0, kPrefix.size()), kPrefix);
}

bool belongs_in_304(const HeaderFields::Line& line, bool has_entity_tag) {
  switch (line.id) {
    case FieldName::kCacheControl:
    case FieldName::kCdnCacheControl:
    case FieldName::kContentLocation:
    case FieldName::kDate:
    case FieldName::kETag:
    case FieldName::kExpires:
    case FieldName::kVary:
    case FieldName::kCacheStatus:
    case FieldName::kVia:
      return true;
    case FieldName::kLastModified:
      return !has_entity_tag;
    default:
      return is_cors_field(line.name);
  }
}

void append_fields_for_304(const HeaderFields& stored, HeaderFields& out) {
  const bool has_entity_tag = stored.has(FieldName::kETag);
  for (const HeaderFields::Line line : stored) {
    if (belongs_in_304(line, has_entity_tag)) out.add_interned(line.id, line.name, line.value);
  }
}

void append_fields_for_206(const HeaderFields& stored, const storage::ByteRange& range, std::uint64_t size,
                           HeaderFields& out) {
  for (const HeaderFields::Line line : stored) {
    if (line.id != FieldName::kContentRange) out.add_interned(line.id, line.name, line.value);
  }
  std::string text;
  storage::append_content_range(text, range, size);
  out.add(FieldName::kContentRange, text);
}

void append_fields_for_multipart_206(const HeaderFields& stored, std::string_view content_type,
                                     HeaderFields& out) {
  for (const HeaderFields::Line line : stored) {
    if (line.id == FieldName::kContentRange || line.id == FieldName::kContentType) continue;
    out.add_interned(line.id, line.name, line.value);
  }
  out.add(FieldName::kContentType, content_type);
}

void append_fields_for_416(std::uint64_t size, HeaderFields& out) {
  std::string text;
  storage::append_unsatisfied_content_range(text, size);
  out.add(FieldName::kContentRange, text);
}

}  // namespace freshet::revalidate
