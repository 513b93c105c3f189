#include "revalidate/policy/request_facts.h"

#include <initializer_list>

namespace freshet::revalidate {

using storage::FieldName;
using storage::HeaderFields;

namespace {

constexpr HeaderFields::NameSet set_of(std::initializer_list<FieldName> names) {
  HeaderFields::NameSet set = 0;
  for (const FieldName name : names) set |= HeaderFields::bit_of(name);
  return set;
}

// What is looked for below: most requests have none of it.
constexpr HeaderFields::NameSet kTelling =
    set_of({FieldName::kAuthorization, FieldName::kCookie, FieldName::kIfNoneMatch,
            FieldName::kIfModifiedSince, FieldName::kIfMatch, FieldName::kIfUnmodifiedSince,
            FieldName::kIfRange, FieldName::kRange, FieldName::kCacheControl, FieldName::kPragma});

}  // namespace

RequestFacts make_request_facts(const storage::RequestHead& request, bool has_content,
                                const PolicyOptions& options) {
  RequestFacts facts;
  facts.method = request.method;
  facts.has_content = has_content;
  if (!request.fields.may_have(kTelling)) return facts;
  bool has_directives = false;
  for (const storage::HeaderFields::Line line : request.fields) {
    switch (line.id) {
      case FieldName::kAuthorization:
        facts.has_authorization = true;
        break;
      case FieldName::kCookie:
        facts.has_cookie = true;
        break;
      case FieldName::kIfNoneMatch:
        facts.has_if_none_match = true;
        break;
      case FieldName::kIfModifiedSince:
        facts.has_if_modified_since = true;
        break;
      case FieldName::kIfMatch:
        facts.has_if_match = true;
        break;
      case FieldName::kIfUnmodifiedSince:
        facts.has_if_unmodified_since = true;
        break;
      case FieldName::kIfRange:
        facts.has_if_range = true;
        break;
      case FieldName::kRange:
        facts.has_range = true;
        break;
      case FieldName::kCacheControl:
      case FieldName::kPragma:
        has_directives = true;
        break;
      default:
        break;
    }
  }
  if (!has_directives) return facts;
  facts.directives = parse_request_directives(request.fields);
  if (options.ignore_client_directives) {
    const bool only_if_cached = facts.directives.only_if_cached;
    facts.directives = {};
    facts.directives.only_if_cached = only_if_cached;
  }
  return facts;
}

}  // namespace freshet::revalidate
