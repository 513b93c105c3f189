#include "revalidate/policy/response_facts.h"

#include "revalidate/policy/cache_control.h"
#include "revalidate/policy/freshness.h"
#include "storage/base/check.h"
#include "storage/http/http_date.h"

namespace freshet::revalidate {

using storage::FieldName;
using storage::Seconds;

namespace {

// Directives stop at kForever, which fits.
std::uint32_t seconds_of(std::optional<Seconds> stated, std::uint32_t none) {
  return stated ? static_cast<std::uint32_t>(stated->count()) : none;
}

}  // namespace

ResponseFacts::ResponseFacts(const storage::StoredHead& head, const PolicyOptions& options)
    : response_time(head.response_time),
      status(static_cast<std::uint16_t>(head.response.status)),
      outdated(head.outdated),
      request_had_credentials(head.request_had_credentials),
      entity_tag_weak_(false) {
  const auto& fields = head.response.fields;
  const ResponseDirectives d = parse_response_directives(fields, options);
  const auto date_in = [&](FieldName name) {
    const auto text = fields.first(name);
    return text ? storage::parse_cache_date(*text, response_time) : std::nullopt;
  };
  date_ = date_in(FieldName::kDate).value_or(kNoTime);
  last_modified_ = date_in(FieldName::kLastModified).value_or(kNoTime);
  if (const auto text = fields.first(FieldName::kETag)) {
    if (const auto tag = storage::parse_entity_tag(*text)) {
      entity_tag_ = tag->opaque.data();
      entity_tag_size_ = static_cast<std::uint32_t>(tag->opaque.size());
      entity_tag_weak_ = tag->weak;
    }
  }

  const Lifetime lifetime = revalidate::freshness_lifetime(head.response, d, response_time, options);
  lifetime_source = lifetime.source;
  freshness_lifetime = lifetime.value;
  initial_age = revalidate::initial_age(date(), head.age_received, head.request_time, response_time);

  has_validator = entity_tag_ != nullptr || last_modified().has_value();
  const bool stated =
      lifetime_source != LifetimeSource::kHeuristic && lifetime_source != LifetimeSource::kNone;
  origin_stated_freshness = stated && freshness_lifetime > Seconds{0};
  shareable_with_credentials = origin_stated_freshness || d.is_public;
  shareable_with_authorization = d.is_public || d.must_revalidate || d.s_maxage.has_value();
  no_cache = d.no_cache;
  must_revalidate = d.must_revalidate || d.proxy_revalidate;
  const bool forbids_stale = no_cache || must_revalidate;
  never_stale = forbids_stale || d.s_maxage.has_value();
  stale_while_revalidate_ = seconds_of(d.stale_while_revalidate, 0);
  stale_if_error_ = seconds_of(d.stale_if_error, kNoSeconds);
  stale_while_revalidate = !forbids_stale && !outdated && stale_while_revalidate_ > 0;
  validate_each_use = no_cache || outdated || (freshness_lifetime == Seconds{0} && !stale_while_revalidate);
}

std::optional<storage::EntityTag> ResponseFacts::entity_tag() const {
  if (entity_tag_ == nullptr) return std::nullopt;
  return storage::EntityTag{entity_tag_weak_, {entity_tag_, entity_tag_size_}};
}

std::optional<Seconds> ResponseFacts::stale_if_error() const {
  if (stale_if_error_ == kNoSeconds) return std::nullopt;
  return Seconds{stale_if_error_};
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
