// RFC 9209.
#include "revalidate/policy/proxy_status.h"

#include <gtest/gtest.h>

#include "storage/http/structured_field.h"

namespace freshet::revalidate {
namespace {

std::string text(Reason reason, int received_status = 0) {
  std::string out;
  append_proxy_status(out, reason, received_status);
  return out;
}

TEST(ProxyStatus, Rfc9209S23TheErrorTypeIsARegisteredOne) {
  EXPECT_EQ(text(Reason::kOriginUnreachable), "freshet; error=destination_unavailable");
  EXPECT_EQ(text(Reason::kOriginTimeout), "freshet; error=http_response_timeout");
  EXPECT_EQ(text(Reason::kOriginCut), "freshet; error=http_response_incomplete");
  EXPECT_EQ(text(Reason::kOriginMalformed), "freshet; error=http_protocol_error");
  EXPECT_EQ(text(Reason::kOriginBusy), "freshet; error=connection_limit_reached");
  EXPECT_EQ(text(Reason::kBadRequest), "freshet; error=http_request_error");
  for (const Reason here : {Reason::kOnlyIfCached, Reason::kOwnEntityTag, Reason::kOverloaded}) {
    EXPECT_EQ(text(here), "freshet; error=proxy_internal_response");
  }
}

TEST(ProxyStatus, Rfc9209S214TheStatusReceived) {
  EXPECT_EQ(text(Reason::kOriginMalformed, 204), "freshet; error=http_protocol_error; received-status=204");
}

TEST(ProxyStatus, Rfc9209S21WhatIsNoErrorNamesTheEdgeAlone) {
  EXPECT_EQ(text(Reason::kFresh), "freshet");
}

TEST(ProxyStatus, Rfc9209S2EveryReasonMakesAListMember) {
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    const std::string member = text(static_cast<Reason>(i), 200);
    const auto list = storage::parse_sf_list(member);
    ASSERT_TRUE(list) << member;
    EXPECT_EQ(list->size(), 1U) << member;
  }
}

}  // namespace
}  // namespace freshet::revalidate
