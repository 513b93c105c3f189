// RFC 9211.
#include "revalidate/policy/cache_status.h"

#include <gtest/gtest.h>
#include <set>

#include "storage/http/structured_field.h"

namespace freshet::revalidate {
namespace {

std::string text(const CacheStatus& status) {
  std::string out;
  append_cache_status(out, status);
  EXPECT_TRUE(storage::parse_sf_list(out)) << out;
  return out;
}

TEST(CacheStatus, Rfc9211S21AHit) {
  CacheStatus status;
  status.hit = true;
  status.ttl = storage::Seconds{-30};
  status.detail = Reason::kStaleIfError;
  EXPECT_EQ(text(status), "freshet; hit; ttl=-30; detail=stale-if-error");
}

TEST(CacheStatus, Rfc9211S22AForwardedRequest) {
  CacheStatus status;
  status.forwarded = Forwarded::kUriMiss;
  status.forwarded_status = 200;
  status.ttl = storage::Seconds{60};
  status.stored = true;
  status.collapsed = true;
  status.key = "http://h/\"q\"";
  EXPECT_EQ(text(status),
            "freshet; fwd=uri-miss; fwd-status=200; ttl=60; stored; collapsed; key=\"http://h/\\\"q\\\"\"");
}

TEST(CacheStatus, Rfc9211S2OurMemberStandsBehindUpstreams) {
  storage::HeaderFields fields;
  fields.add("Cache-Status", "origin; hit");
  CacheStatus status;
  status.forwarded = Forwarded::kStale;
  status.forwarded_status = 304;
  add_cache_status(fields, status);
  EXPECT_EQ(fields.combined("Cache-Status"), "origin; hit, freshet; fwd=stale; fwd-status=304");
}

TEST(Reason, Rfc9211S22EveryRowHasATokenOfItsOwnAndASentence) {
  std::set<std::string_view> tokens;
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_TRUE(tokens.insert(reason_token(reason)).second) << reason_token(reason);
    EXPECT_TRUE(storage::parse_sf_item(reason_token(reason))) << reason_token(reason);
    EXPECT_TRUE(reason_sentence(reason).ends_with('.')) << reason_token(reason);
    CacheStatus status;
    status.forwarded = forwarded_for(reason);
    status.detail = reason;
    text(status);
  }
}

}  // namespace
}  // namespace freshet::revalidate
