// ResponseFacts: everything that reuse asks of a stored response, parsed and computed once, when it is made
// or read from disk, so that a hit parses nothing. It hangs on the StoredResponse as its DerivedFacts.
// Immutable, shared between threads with the stored response; refers to the text of the head that it was made
// from, which must outlive it.
//
// DescribeResponse is the function object that stores call (storage::Describe).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "revalidate/policy/policy_options.h"
#include "storage/http/entity_tag.h"
#include "storage/stored_response.h"

namespace freshet::revalidate {

// Where the freshness lifetime comes from; RFC 9111, 4.2.1, in the order of preference.
enum class LifetimeSource : std::uint8_t { kSharedMaxAge, kMaxAge, kExpires, kHeuristic, kNone };

class ResponseFacts final : public storage::DerivedFacts {
 public:
  ResponseFacts(const storage::StoredHead& head, const PolicyOptions& options);
  [[nodiscard]] std::size_t memory_size() const override { return storage::allocated(sizeof(*this)); }

  [[nodiscard]] std::optional<storage::WallTime> date() const { return present(date_); }
  [[nodiscard]] std::optional<storage::WallTime> last_modified() const { return present(last_modified_); }
  // As the field gives it; nothing if there is none or it is no entity tag.
  [[nodiscard]] std::optional<storage::EntityTag> entity_tag() const;

  storage::Seconds freshness_lifetime{0};
  // corrected_initial_age of RFC 9111, 4.2.3; the current age is this plus now - response_time.
  storage::Milliseconds initial_age{0};
  storage::WallTime response_time{};

  // How long after it has become stale (RFC 5861); nothing: the origin does not say.
  [[nodiscard]] storage::Seconds stale_while_revalidate_for() const {
    return storage::Seconds{stale_while_revalidate_};
  }
  [[nodiscard]] std::optional<storage::Seconds> stale_if_error() const;

 private:
  static constexpr storage::WallTime kNoTime = storage::WallTime::min();
  static constexpr std::uint32_t kNoSeconds = std::numeric_limits<std::uint32_t>::max();
  static std::optional<storage::WallTime> present(storage::WallTime time) {
    return time == kNoTime ? std::nullopt : std::optional(time);
  }

  storage::WallTime date_ = kNoTime;
  storage::WallTime last_modified_ = kNoTime;
  const char* entity_tag_ = nullptr;  // the opaque part, in the head's fields
  std::uint32_t entity_tag_size_ = 0;
  std::uint32_t stale_while_revalidate_ = 0;
  std::uint32_t stale_if_error_ = kNoSeconds;

 public:
  std::uint16_t status = 0;
  // There is one of these for each response in memory: each flag has a bit.
  LifetimeSource lifetime_source : 3;
  bool has_validator : 1;  // an entity tag or Last-Modified
  // s-maxage, max-age or Expires, and more than nothing.
  bool origin_stated_freshness : 1;
  // G12: may go to another requester although a request carries Cookie or Authorization.
  bool shareable_with_credentials : 1;
  // RFC 9111, 3.5: public, must-revalidate or s-maxage.
  bool shareable_with_authorization : 1;
  // Known to have other content at the origin (StoredHead::outdated): never fresh, validated before any use.
  bool outdated : 1;
  bool no_cache : 1;         // the whole response
  bool must_revalidate : 1;  // or proxy-revalidate
  // Must be validated before every use: no-cache, outdated, or no freshness at all.
  bool validate_each_use : 1;
  // Never used stale: must-revalidate, proxy-revalidate, s-maxage, no-cache (RFC 9111, 4.2.4 and 5.2.2).
  bool never_stale : 1;
  // The origin asks for stale-while-revalidate and nothing forbids it. s-maxage alone does not: an origin
  // that writes both in one field means both (RFC 9111, 5.2.3).
  bool stale_while_revalidate : 1;
  bool request_had_credentials : 1;

 private:
  bool entity_tag_weak_ : 1;
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
