// ResponseFacts: everything that reuse asks of a stored response, parsed and computed once, when it is made
// or read from disk, so that a hit parses nothing. It hangs on the StoredResponse as its DerivedFacts.
// Immutable, shared between threads with the stored response, owns its text.
//
// DescribeResponse is the function object that stores call (storage::Describe).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "revalidate/policy/cache_control.h"
#include "revalidate/policy/policy_options.h"
#include "storage/http/entity_tag.h"
#include "storage/stored_response.h"

namespace freshet::revalidate {

// Where the freshness lifetime comes from; RFC 9111, 4.2.1, in the order of preference.
enum class LifetimeSource : std::uint8_t { kSharedMaxAge, kMaxAge, kExpires, kHeuristic, kNone };

class ResponseFacts final : public storage::DerivedFacts {
 public:
  ResponseFacts(const storage::StoredHead& head, const PolicyOptions& options);
  [[nodiscard]] std::size_t memory_size() const override;

  int status = 0;
  ResponseDirectives directives;

  std::optional<storage::WallTime> date;
  std::optional<storage::WallTime> last_modified;
  // As the field gives it; nothing if there is none or it is no entity tag.
  [[nodiscard]] std::optional<storage::EntityTag> entity_tag() const;

  LifetimeSource lifetime_source = LifetimeSource::kNone;
  storage::Seconds freshness_lifetime{0};
  // corrected_initial_age of RFC 9111, 4.2.3; the current age is this plus now - response_time.
  storage::Milliseconds initial_age{0};
  storage::WallTime response_time{};

  bool has_validator = false;  // an entity tag or Last-Modified
  // s-maxage, max-age or Expires, and more than nothing.
  bool origin_stated_freshness = false;
  // G12: may go to another requester although a request carries Cookie or Authorization.
  bool shareable_with_credentials = false;
  // RFC 9111, 3.5: public, must-revalidate or s-maxage.
  bool shareable_with_authorization = false;
  // Known to have other content at the origin (StoredHead::outdated): never fresh, validated before any use.
  bool outdated = false;
  // Must be validated before every use: no-cache, outdated, or no freshness at all.
  bool validate_each_use = false;
  // Never used stale: must-revalidate, proxy-revalidate, s-maxage, no-cache (RFC 9111, 4.2.4 and 5.2.2).
  bool never_stale = false;
  // The origin asks for stale-while-revalidate and nothing forbids it. s-maxage alone does not: an origin
  // that writes both in one field means both (RFC 9111, 5.2.3).
  bool stale_while_revalidate = false;
  bool request_had_credentials = false;

 private:
  bool has_entity_tag_ = false;
  bool entity_tag_weak_ = false;
  std::string entity_tag_opaque_;
};

[[nodiscard]] std::unique_ptr<const ResponseFacts> make_facts(const storage::StoredHead& head,
                                                              const PolicyOptions& options);

// Fits storage::Describe; keeps a copy of the options.
class DescribeResponse {
 public:
  explicit DescribeResponse(PolicyOptions options)
      : options_(std::make_shared<const PolicyOptions>(std::move(options))) {}
  std::unique_ptr<const storage::DerivedFacts> operator()(const storage::StoredHead& head) const {
    return make_facts(head, *options_);
  }

 private:
  std::shared_ptr<const PolicyOptions> options_;
};

// The facts of a stored response that was made with DescribeResponse; any other is a broken invariant.
[[nodiscard]] const ResponseFacts& facts_of(const storage::StoredResponse& response);

}  // namespace freshet::revalidate
