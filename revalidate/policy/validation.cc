#include "revalidate/policy/validation.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "revalidate/policy/forwarding.h"
#include "revalidate/policy/freshness.h"
#include "revalidate/policy/selection.h"
#include "revalidate/policy/storability.h"
#include "storage/http/entity_tag.h"
#include "storage/http/http_date.h"

namespace freshet::revalidate {

namespace {

using storage::EntityTag;
using storage::FieldName;
using storage::HeaderFields;
using storage::ResponseHead;
using storage::StoredHead;
using storage::StoredResponse;
using storage::StoredResponsePtr;

std::optional<EntityTag> entity_tag_of(const HeaderFields& fields) {
  const auto text = fields.first(FieldName::kETag);
  return text ? storage::parse_entity_tag(*text) : std::nullopt;
}

std::optional<std::string_view> last_modified_of(const HeaderFields& fields) {
  return fields.first(FieldName::kLastModified);
}

// The stored responses that conditions_for() offers.
std::vector<StoredResponsePtr> offered(const storage::VariantSet& variants, const StoredResponse* selected) {
  std::vector<StoredResponsePtr> chosen;
  for (const StoredResponsePtr& each : variants) {
    if (chosen.size() == kMaxOfferedTags) break;
    const bool wanted = selected != nullptr ? each.get() == selected
                                            : entity_tag_of(each->head().response.fields).has_value();
    if (wanted) chosen.push_back(each);
  }
  return chosen;
}

// A field of a 304 that does not go into the stored head.
bool is_kept_as_stored(const HeaderFields::Line& line, const StoredHead& old) {
  switch (line.id) {
    case FieldName::kAge:
    case FieldName::kContentLength:
    case FieldName::kContentRange:
    case FieldName::kContentEncoding:
      return true;
    case FieldName::kETag:
      return old.response.fields.has(FieldName::kETag);
    default:
      return storage::equals_ignoring_case(line.name, "Content-MD5") ||
             storage::equals_ignoring_case(line.name, "Content-Digest");
  }
}

bool is_named(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& each) { return storage::equals_ignoring_case(each, name); });
}

bool may_store_cookies(const ResponseDirectives& d, const PolicyOptions& options) {
  return options.set_cookie == SetCookiePolicy::kRfc ||
         (options.set_cookie == SetCookiePolicy::kSafe && d.addresses_shared_caches());
}

// The fields of a 304 that replace stored ones.
HeaderFields updating_fields(const StoredHead& old, const ResponseHead& head304,
                             const PolicyOptions& options) {
  const ResponseDirectives d = parse_response_directives(head304.fields, options);
  HeaderFields fields = end_to_end_fields(head304.fields);
  const bool cookies = may_store_cookies(d, options);
  fields.remove_if([&](const HeaderFields::Line& line) {
    return is_kept_as_stored(line, old) || is_named(d.no_cache_fields, line.name) ||
           is_named(d.private_fields, line.name) || (line.id == FieldName::kSetCookie && !cookies);
  });
  return fields;
}

}  // namespace

Conditions conditions_for(const storage::VariantSet& variants, const StoredResponse* selected) {
  Conditions conditions;
  const std::vector<StoredResponsePtr> responses = offered(variants, selected);
  for (const StoredResponsePtr& each : responses) {
    const std::optional<EntityTag> tag = entity_tag_of(each->head().response.fields);
    if (!tag) continue;
    std::string text;
    tag->append_to(text);
    if (conditions.if_none_match.find(text) != std::string::npos) continue;
    if (!conditions.if_none_match.empty()) conditions.if_none_match.append(", ");
    conditions.if_none_match.append(text);
  }
  if (selected != nullptr && responses.size() == 1) {
    const HeaderFields& fields = selected->head().response.fields;
    const auto date = last_modified_of(fields);
    // The text as it came: some origins compare it byte by byte.
    if (date && storage::parse_http_date(*date, selected->head().response_time)) {
      conditions.if_modified_since = *date;
    }
  }
  return conditions;
}

void apply_conditions(const Conditions& conditions, HeaderFields& fields) {
  fields.remove_if([](const HeaderFields::Line& line) {
    return line.id == FieldName::kIfNoneMatch || line.id == FieldName::kIfModifiedSince ||
           line.id == FieldName::kIfRange || line.id == FieldName::kRange;
  });
  if (!conditions.if_none_match.empty()) fields.add(FieldName::kIfNoneMatch, conditions.if_none_match);
  if (!conditions.if_modified_since.empty()) {
    fields.add(FieldName::kIfModifiedSince, conditions.if_modified_since);
  }
}

StoredResponsePtr choose_304(const storage::VariantSet& variants, const StoredResponse* selected,
                             const ResponseHead& head304) {
  const std::vector<StoredResponsePtr> responses = offered(variants, selected);
  const std::optional<EntityTag> tag = entity_tag_of(head304.fields);
  const auto date = last_modified_of(head304.fields);

  if (tag) {
    for (const StoredResponsePtr& each : responses) {
      const std::optional<EntityTag> stored = entity_tag_of(each->head().response.fields);
      // A weak one in the 304 corresponds to either form; a strong one to the same strong one alone.
      if (stored && (tag->weak ? weak_match(*stored, *tag) : strong_match(*stored, *tag))) return each;
    }
  }
  for (const StoredResponsePtr& each : responses) {
    const HeaderFields& stored = each->head().response.fields;
    // Where both sides have an entity tag, it has decided already.
    if (tag && entity_tag_of(stored)) continue;
    if (date && last_modified_of(stored) == date) return each;
  }
  if (!tag && !date && responses.size() == 1) return responses.front();
  return nullptr;
}

StoredHead freshened_head(const StoredHead& old, const ResponseHead& head304,
                          const storage::RequestHead& request, storage::WallTime request_time,
                          storage::WallTime response_time, storage::Sequence sequence,
                          const PolicyOptions& options) {
  StoredHead fresh = old;
  const HeaderFields updates = updating_fields(old, head304, options);
  HeaderFields& fields = fresh.response.fields;
  fields.remove_if([&](const HeaderFields::Line& line) {
    return line.id == FieldName::kOther ? updates.has(line.name) : updates.has(line.id);
  });
  for (const HeaderFields::Line line : updates) fields.add_interned(line.id, line.name, line.value);
  if (!head304.fields.has(FieldName::kDate)) {
    fields.set(FieldName::kDate, storage::format_http_date(response_time));
  }

  fresh.request_time = request_time;
  fresh.response_time = response_time;
  fresh.age_received = parse_age(head304.fields);
  fresh.validated_at = sequence;
  fresh.request_had_credentials |=
      request.fields.has(FieldName::kAuthorization) || request.fields.has(FieldName::kCookie);
  if (updates.has(FieldName::kVary) || !matches(old, request)) {
    // Selected by nothing from now on where Vary has become "*".
    fresh.selecting =
        selecting_fields(fresh.response, request).value_or(storage::SelectingFields{{"*", std::nullopt}});
  }
  return fresh;
}

bool may_store_freshened(const storage::RequestHead& request, const StoredHead& fresh,
                         const PolicyOptions& options) {
  storage::RequestHead as_get = request;
  as_get.method = storage::Method::kGet;
  return decide_storable(as_get, fresh.response, fresh.response_time, options).store;
}

bool head_confirms(const StoredResponse& stored, const ResponseHead& head) {
  if (head.status != stored.head().response.status) return false;
  const HeaderFields& old = stored.head().response.fields;
  const auto length = head.fields.first(FieldName::kContentLength);
  if (length && *length != std::to_string(stored.head().body_size)) return false;
  const std::optional<EntityTag> tag = entity_tag_of(head.fields);
  const std::optional<EntityTag> old_tag = entity_tag_of(old);
  if (tag && (!old_tag || !weak_match(*tag, *old_tag))) return false;
  const auto date = last_modified_of(head.fields);
  return !date || date == last_modified_of(old);
}

}  // namespace freshet::revalidate
