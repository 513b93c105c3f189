#include "revalidate/policy/response_facts.h"

#include "revalidate/policy/freshness.h"
#include "storage/base/check.h"
#include "storage/http/http_date.h"

namespace freshet::revalidate {

using storage::FieldName;
using storage::Seconds;

ResponseFacts::ResponseFacts(const storage::StoredHead& head, const PolicyOptions& options)
    : status(head.response.status),
      directives(parse_response_directives(head.response.fields, options)),
      response_time(head.response_time),
      outdated(head.outdated),
      request_had_credentials(head.request_had_credentials) {
  const auto& fields = head.response.fields;
  if (const auto text = fields.first(FieldName::kDate))
    date = storage::parse_cache_date(*text, response_time);
  if (const auto text = fields.first(FieldName::kLastModified)) {
    last_modified = storage::parse_cache_date(*text, response_time);
  }
  if (const auto text = fields.first(FieldName::kETag)) {
    if (const auto tag = storage::parse_entity_tag(*text)) {
      has_entity_tag_ = true;
      entity_tag_weak_ = tag->weak;
      entity_tag_opaque_ = tag->opaque;
    }
  }

  const Lifetime lifetime = revalidate::freshness_lifetime(head.response, directives, response_time, options);
  lifetime_source = lifetime.source;
  freshness_lifetime = lifetime.value;
  initial_age = revalidate::initial_age(date, head.age_received, head.request_time, response_time);

  const ResponseDirectives& d = directives;
  has_validator = has_entity_tag_ || last_modified.has_value();
  const bool stated =
      lifetime_source != LifetimeSource::kHeuristic && lifetime_source != LifetimeSource::kNone;
  origin_stated_freshness = stated && freshness_lifetime > Seconds{0};
  shareable_with_credentials = origin_stated_freshness || d.is_public;
  shareable_with_authorization = d.is_public || d.must_revalidate || d.s_maxage.has_value();
  const bool forbids_stale = d.no_cache || d.must_revalidate || d.proxy_revalidate;
  never_stale = forbids_stale || d.s_maxage.has_value();
  stale_while_revalidate =
      !forbids_stale && !outdated && d.stale_while_revalidate && *d.stale_while_revalidate > Seconds{0};
  validate_each_use = d.no_cache || outdated || (freshness_lifetime == Seconds{0} && !stale_while_revalidate);
}

std::size_t ResponseFacts::memory_size() const {
  static const std::size_t inside = std::string().capacity();
  const std::size_t text = entity_tag_opaque_.capacity();
  return storage::allocated(sizeof(*this)) + (text > inside ? storage::allocated(text + 1) : 0);
}

std::optional<storage::EntityTag> ResponseFacts::entity_tag() const {
  if (!has_entity_tag_) return std::nullopt;
  return storage::EntityTag{entity_tag_weak_, entity_tag_opaque_};
}

std::unique_ptr<const ResponseFacts> make_facts(const storage::StoredHead& head,
                                                const PolicyOptions& options) {
  return std::make_unique<const ResponseFacts>(head, options);
}

const ResponseFacts& facts_of(const storage::StoredResponse& response) {
  FRESHET_CHECK(response.facts() != nullptr);
  return static_cast<const ResponseFacts&>(*response.facts());
}

}  // namespace freshet::revalidate
