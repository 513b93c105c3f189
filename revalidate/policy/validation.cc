#include "revalidate/policy/validation.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "revalidate/policy/forwarding.h"
#include "revalidate/policy/freshness.h"
#include "revalidate/policy/preconditions.h"
#include "revalidate/policy/selection.h"
#include "revalidate/policy/storability.h"
#include "revalidate/policy/tags.h"
#include "storage/http/entity_tag.h"
#include "storage/http/field_syntax.h"
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

// As the origin gave it: it knows no other.
std::optional<EntityTag> origin_tag_of(const StoredHead& head) {
  return head.own_entity_tag ? std::nullopt : entity_tag_of(head.response.fields);
}

std::optional<std::string_view> last_modified_of(const HeaderFields& fields) {
  return fields.first(FieldName::kLastModified);
}

bool allows_one_origin(const HeaderFields& fields) {
  const auto allowed = fields.first("Access-Control-Allow-Origin");
  return allowed && *allowed != "*";
}

// Whether a normalised Accept-Encoding asks for `coding`; for any but identity where `coding` is empty.
bool asks_for_coding(const std::optional<std::string>& accepted, std::string_view coding) {
  bool asks = false;
  if (!accepted) return asks;
  storage::ListReader reader(*accepted);
  std::string_view member;
  while (reader.next(member)) {
    const std::string_view name = member.substr(0, member.find(';'));
    if (member.ends_with(";q=0")) {
      if (!coding.empty() && name == coding) return false;
    } else {
      asks |= name == "*" || (coding.empty() ? name != "identity" : name == coding);
    }
  }
  return asks;
}

// By its coding: whether `stored` may be the answer to a request that has not selected it.
bool coding_suits(const StoredHead& stored, const storage::RequestHead& request) {
  const auto selected_by = std::find_if(stored.selecting.begin(), stored.selecting.end(),
                                        [](const auto& each) { return each.name == "accept-encoding"; });
  if (selected_by == stored.selecting.end()) return true;
  const std::optional<std::string> accepted = normalised_value(request, "accept-encoding");
  bool coded = false;
  bool suits = true;
  storage::for_each_element(stored.response.fields, FieldName::kContentEncoding, [&](std::string_view name) {
    if (storage::equals_ignoring_case(name, "identity")) return;
    std::string coding(name);
    std::transform(coding.begin(), coding.end(), coding.begin(), storage::ascii_lower);
    coded = true;
    suits = suits && asks_for_coding(accepted, coding == "x-gzip" ? std::string("gzip") : coding);
  });
  if (coded) return suits;
  return asks_for_coding(selected_by->value, {}) || !asks_for_coding(accepted, {});
}

// The stored responses that conditions_for() offers.
std::vector<StoredResponsePtr> offered(const storage::VariantSet& variants, const StoredResponse* selected,
                                       const storage::RequestHead& request) {
  std::vector<StoredResponsePtr> chosen;
  for (const StoredResponsePtr& each : selected != nullptr ? variants : variants_for(variants, request)) {
    if (chosen.size() == kMaxOfferedTags) break;
    const bool wanted =
        selected != nullptr ? each.get() == selected : origin_tag_of(each->head()).has_value();
    if (wanted) chosen.push_back(each);
  }
  return chosen;
}

// The only entity tag among those that are offered; nothing where there is none or another.
std::optional<EntityTag> only_tag(const std::vector<StoredResponsePtr>& responses) {
  std::optional<EntityTag> only;
  for (const StoredResponsePtr& each : responses) {
    const std::optional<EntityTag> tag = origin_tag_of(each->head());
    if (!tag) continue;
    if (only && (only->weak != tag->weak || only->opaque != tag->opaque)) return std::nullopt;
    only = tag;
  }
  return only;
}

// A field of a 304 that does not go into the stored head. `selected`: by the request that it answers.
bool is_kept_as_stored(const HeaderFields::Line& line, const StoredHead& old, bool selected) {
  switch (line.id) {
    case FieldName::kAge:
    case FieldName::kContentLength:
    case FieldName::kContentRange:
    case FieldName::kContentEncoding:
      return true;
    case FieldName::kETag:
      return !old.own_entity_tag && old.response.fields.has(FieldName::kETag);
    case FieldName::kVary:
      return !selected;
    default:
      if (is_cors_field(line.name)) return !selected;
      return storage::equals_ignoring_case(line.name, "Content-MD5") ||
             storage::equals_ignoring_case(line.name, "Content-Digest");
  }
}

bool is_named(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& each) { return storage::equals_ignoring_case(each, name); });
}

bool is_for_one_browser(FieldName id) {
  return id == FieldName::kSetCookie || id == FieldName::kClearSiteData;
}

bool may_store_cookies(const ResponseDirectives& d, const PolicyOptions& options) {
  return options.set_cookie == SetCookiePolicy::kRfc ||
         (options.set_cookie == SetCookiePolicy::kSafe && d.addresses_shared_caches());
}

// The fields of a 304 that replace stored ones.
HeaderFields updating_fields(const StoredHead& old, const ResponseHead& head304, bool selected,
                             const PolicyOptions& options) {
  const ResponseDirectives d = parse_response_directives(head304.fields, options);
  HeaderFields fields = end_to_end_fields(head304.fields);
  const bool cookies = may_store_cookies(d, options);
  fields.remove_if([&](const HeaderFields::Line& line) {
    return is_kept_as_stored(line, old, selected) || is_named(d.no_cache_fields, line.name) ||
           is_named(d.private_fields, line.name) || (is_for_one_browser(line.id) && !cookies);
  });
  return fields;
}

// By nothing from now on where Vary is "*".
storage::SelectingFields selecting_or_never(const ResponseHead& response,
                                            const storage::RequestHead& request) {
  return selecting_fields(response, request).value_or(storage::SelectingFields{{"*", std::nullopt}});
}

}  // namespace

storage::VariantSet variants_for(const storage::VariantSet& variants, const storage::RequestHead& request) {
  std::vector<StoredResponsePtr> chosen;
  for (const StoredResponsePtr& each : variants) {
    if (coding_suits(each->head(), request)) chosen.push_back(each);
  }
  return storage::VariantSet(std::move(chosen));
}

Conditions conditions_for(const storage::VariantSet& variants, const StoredResponse* selected,
                          const storage::RequestHead& request) {
  Conditions conditions;
  const std::vector<StoredResponsePtr> responses = offered(variants, selected, request);
  for (const StoredResponsePtr& each : responses) {
    const std::optional<EntityTag> tag = origin_tag_of(each->head());
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
    if (date && storage::parse_cache_date(*date, selected->head().response_time)) {
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
                             const storage::RequestHead& request, const ResponseHead& head304) {
  std::vector<StoredResponsePtr> responses = offered(variants, selected, request);
  if (selected == nullptr && !head304.fields.has("Access-Control-Allow-Origin")) {
    std::erase_if(responses, [](const StoredResponsePtr& each) {
      return allows_one_origin(each->head().response.fields);
    });
  }
  std::optional<EntityTag> tag = entity_tag_of(head304.fields);
  const std::optional<EntityTag> only = only_tag(responses);
  if (tag && only && only->weak && weak_match(*only, *tag)) tag = only;
  const auto date = last_modified_of(head304.fields);

  if (tag) {
    for (const StoredResponsePtr& each : responses) {
      const std::optional<EntityTag> stored = origin_tag_of(each->head());
      // A weak one in the 304 corresponds to either form, and where one response alone was offered either
      // form is the answer to what was asked; else a strong one corresponds to the same strong one alone.
      const bool weakly = tag->weak || selected != nullptr;
      if (stored && (weakly ? weak_match(*stored, *tag) : strong_match(*stored, *tag))) return each;
    }
  }
  for (const StoredResponsePtr& each : responses) {
    // Where both sides have an entity tag, it has decided already.
    if (tag && origin_tag_of(each->head())) continue;
    if (date && last_modified_of(each->head().response.fields) == date) return each;
  }
  if (!tag && !date && responses.size() == 1) return responses.front();
  return nullptr;
}

std::vector<StoredResponsePtr> also_confirmed(const storage::VariantSet& variants,
                                              const StoredResponse& chosen, const ResponseHead& head304) {
  std::vector<StoredResponsePtr> confirmed;
  const std::optional<EntityTag> tag = entity_tag_of(head304.fields);
  if (!tag) return confirmed;
  for (const StoredResponsePtr& each : variants) {
    const std::optional<EntityTag> stored = origin_tag_of(each->head());
    if (each.get() != &chosen && stored && strong_match(*stored, *tag)) confirmed.push_back(each);
  }
  return confirmed;
}

StoredHead freshened_head(const StoredHead& old, const ResponseHead& head304,
                          const storage::RequestHead& request, storage::WallTime request_time,
                          storage::WallTime response_time, storage::Sequence sequence,
                          const PolicyOptions& options) {
  StoredHead fresh = old;
  const bool selected = matches(old, request);
  const HeaderFields updates = updating_fields(old, head304, selected, options);
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
  if (updates.has(FieldName::kETag)) fresh.own_entity_tag = false;
  fresh.outdated = false;
  if (updates.has(FieldName::kVary)) fresh.selecting = selecting_or_never(fresh.response, request);
  fresh.tags = tags_of(fresh.key, fresh.response.fields, options);
  return fresh;
}

StoredHead added_variant(const StoredHead& fresh, const ResponseHead& head304,
                         const storage::RequestHead& request) {
  StoredHead added = fresh;
  if (head304.fields.has(FieldName::kVary)) {
    added.response.fields.remove(FieldName::kVary);
    for (const HeaderFields::Line line : head304.fields) {
      if (line.id == FieldName::kVary) added.response.fields.add(FieldName::kVary, line.value);
    }
  }
  HeaderFields& fields = added.response.fields;
  fields.remove_if([&](const HeaderFields::Line& line) {
    return is_cors_field(line.name) && head304.fields.has(line.name);
  });
  for (const HeaderFields::Line line : head304.fields) {
    if (is_cors_field(line.name)) fields.add(line.name, line.value);
  }
  added.selecting = selecting_or_never(added.response, request);
  return added;
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
  const std::optional<EntityTag> old_tag = origin_tag_of(stored.head());
  if (tag && (!old_tag || !weak_match(*tag, *old_tag))) return false;
  const auto date = last_modified_of(head.fields);
  return !date || date == last_modified_of(old);
}

bool may_have_same_content(const StoredResponse& stored, const ResponseHead& head,
                           std::optional<std::uint64_t> body_size) {
  const StoredHead& old = stored.head();
  if (head.status != 200 || old.response.status != 200 || old.sliced) return false;
  if (body_size && *body_size != old.body_size) return false;
  for (const FieldName name : {FieldName::kContentType, FieldName::kContentEncoding}) {
    if (head.fields.combined(name) != old.response.fields.combined(name)) return false;
  }
  return true;
}

}  // namespace freshet::revalidate
