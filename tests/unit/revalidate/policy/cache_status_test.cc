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

TEST(CacheStatus, Rfc9211S2EachParameterHasItsTypeWhateverIsInTheKey) {
  using Type = storage::SfBareItem::Type;
  CacheStatus status;
  status.forwarded = Forwarded::kVaryMiss;
  status.forwarded_status = 200;
  status.ttl = storage::Seconds{-1};
  status.stored = status.collapsed = true;
  status.key = "http://h/\\ \"\xc3\xbc\x01,;=";
  status.detail = Reason::kVaryMiss;
  const auto list = storage::parse_sf_list("other; hit, " + text(status));
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2U);
  const auto& item = (*list)[1].item;
  EXPECT_EQ(item.value.type, Type::kToken);
  EXPECT_EQ(item.value.text, "freshet");
  const std::vector<std::pair<std::string, Type>> wanted = {
      {"fwd", Type::kToken},      {"fwd-status", Type::kInteger}, {"ttl", Type::kInteger},
      {"stored", Type::kBoolean}, {"collapsed", Type::kBoolean},  {"key", Type::kString},
      {"detail", Type::kToken}};
  ASSERT_EQ(item.parameters.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(item.parameters[i].first, wanted[i].first);
    EXPECT_EQ(item.parameters[i].second.type, wanted[i].second) << wanted[i].first;
  }
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
