// RFC 9111, section 3.
#include "revalidate/policy/storability.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

StoreDecision decide(const RequestHead& req, const ResponseHead& resp, const PolicyOptions& options = {}) {
  return decide_storable(req, resp, at(0), options);
}

Reason reason(const Lines& lines, int status = 200, const RequestHead& req = request()) {
  const StoreDecision decision = decide(req, response(status, lines));
  EXPECT_EQ(decision.store,
            decision.reason == Reason::kStored || decision.reason == Reason::kStoredForValidation);
  return decision.reason;
}

TEST(Storability, S3OnlyAnswersToGet) {
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}}), Reason::kStored);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}}, 200, request({}, Method::kHead, "HEAD")),
            Reason::kMethodNotStored);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}}, 200, request({}, Method::kPost, "POST")),
            Reason::kMethodNotStored);
}

TEST(Storability, S3ExplicitFreshnessAllowsAnyFinalStatus) {
  for (const int status :
       {200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599}) {
    EXPECT_EQ(reason({{"Expires", date_at(100)}}, status), Reason::kStored) << status;
  }
}

TEST(Storability, S3OtherwiseTheStatusDecides) {
  for (const int status : {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}) {
    EXPECT_EQ(reason({{"ETag", "\"a\""}}, status), Reason::kStoredForValidation) << status;
  }
  for (const int status : {201, 202, 302, 303, 307, 400, 403, 500, 503, 599}) {
    EXPECT_EQ(reason({{"ETag", "\"a\""}}, status), Reason::kStatusNotStored) << status;
    EXPECT_EQ(reason({{"ETag", "\"a\""}, {"Cache-Control", "public"}}, status), Reason::kStoredForValidation)
        << status;
  }
}

TEST(Storability, S33PartialAnd304AreNotStored) {
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}, {"Content-Range", "bytes 0-1/9"}}, 206),
            Reason::kPartialNotStored);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}}, 304), Reason::kStatusNotStored);
}

TEST(Storability, AnswersToConditionsAndRangesAreNotStored) {
  for (const int status : {412, 416}) {
    EXPECT_EQ(reason({{"Cache-Control", "public, max-age=60"}}, status), Reason::kStatusNotStored) << status;
  }
}

TEST(Storability, WhateverHasAValidatorIsStored) {
  for (const char* value : {"no-cache", "max-age=0", "no-cache, max-age=60"}) {
    EXPECT_EQ(reason({{"Cache-Control", value}, {"ETag", "\"a\""}}), Reason::kStoredForValidation) << value;
    EXPECT_EQ(reason({{"Cache-Control", value}, {"Last-Modified", date_at(-9)}}),
              Reason::kStoredForValidation)
        << value;
    EXPECT_EQ(reason({{"Cache-Control", value}}), Reason::kNothingToReuse) << value;
  }
  EXPECT_EQ(reason({}), Reason::kNothingToReuse);
  EXPECT_EQ(reason({{"ETag", "not a tag"}}), Reason::kNothingToReuse);
  EXPECT_EQ(reason({{"Last-Modified", date_at(-1000)}}), Reason::kStored);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=0, stale-while-revalidate=9"}}), Reason::kStored);
}

TEST(Storability, S5225NoStore) {
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}, {"Cache-Control", "No-Store"}}), Reason::kNoStore);
}

TEST(Storability, S5215TheClientsNoStore) {
  const RequestHead req = request({{"Cache-Control", "no-store"}});
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}}, 200, req), Reason::kClientNoStore);
  PolicyOptions options;
  options.ignore_client_directives = true;
  EXPECT_TRUE(decide(req, response(200, {{"Cache-Control", "max-age=60"}}), options).store);
}

TEST(Storability, S5223MustUnderstand) {
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60, must-understand"}}, 599), Reason::kStatusNotUnderstood);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60, must-understand, no-store"}}, 200), Reason::kStored);
}

TEST(Storability, S5227PrivateWholeOrByName) {
  EXPECT_EQ(reason({{"Cache-Control", "private, max-age=60"}}), Reason::kPrivate);
  const StoreDecision named =
      decide(request(), response(200, {{"Cache-Control", "max-age=60, private=\"X-A\", no-cache=\"x-b\""}}));
  EXPECT_TRUE(named.store);
  EXPECT_EQ(named.withheld, (std::vector<std::string>{"x-a", "x-b"}));
}

TEST(Storability, S31AResponseIsNotStoredWithoutWhatItIsReadBy) {
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60, private=\"content-encoding\""}}), Reason::kPrivate);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60, no-cache=\"etag\""}, {"ETag", "\"a\""}}),
            Reason::kStoredForValidation);
  EXPECT_EQ(reason({{"Cache-Control", "no-cache"}, {"ETag", "\"a\""}, {"Connection", "cache-control"}}),
            Reason::kConnectionField);
}

TEST(Storability, S35AuthorizationNeedsADirective) {
  const RequestHead req = request({{"Authorization", "Basic x"}});
  EXPECT_EQ(reason({{"Expires", date_at(60)}}, 200, req), Reason::kAuthorizationNotStored);
  for (const char* value : {"max-age=60, public", "max-age=60, must-revalidate", "s-maxage=60"}) {
    EXPECT_EQ(reason({{"Cache-Control", value}}, 200, req), Reason::kStored) << value;
  }
}

TEST(Storability, S73SetCookieByOption) {
  const ResponseHead plain = response(200, {{"Cache-Control", "max-age=60"}, {"Set-Cookie", "a=b"}});
  const ResponseHead shared = response(200, {{"Cache-Control", "max-age=60, public"}, {"Set-Cookie", "a=b"}});
  PolicyOptions options;
  EXPECT_EQ(decide(request(), plain, options).reason, Reason::kSetCookie);
  EXPECT_TRUE(decide(request(), shared, options).store);
  options.set_cookie = SetCookiePolicy::kRfc;
  EXPECT_TRUE(decide(request(), plain, options).store);
  EXPECT_TRUE(decide(request(), plain, options).withheld.empty());
  options.set_cookie = SetCookiePolicy::kStrip;
  EXPECT_EQ(decide(request(), plain, options).withheld, std::vector<std::string>{"set-cookie"});
}

TEST(Storability, S41VaryStar) {
  for (const char* value : {"*", "*, *", ", *", "*, Foo", "Foo, *"}) {
    EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}, {"Vary", value}}), Reason::kVaryStar) << value;
  }
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60"}, {"Vary", ""}, {"Vary", "*"}}), Reason::kVaryStar);
}

TEST(Storability, S31TheStoredHeadIsEndToEnd) {
  const ResponseHead resp = response(200, {{"Cache-Control", "max-age=60, private=\"x-p\""},
                                           {"Connection", "a, close"},
                                           {"A", "1"},
                                           {"Keep-Alive", "timeout=5"},
                                           {"Content-Length", "5"},
                                           {"Transfer-Encoding", "chunked"},
                                           {"Proxy-Authenticate", "Basic"},
                                           {"Age", "30"},
                                           {"X-P", "secret"},
                                           {"B", "2"},
                                           {"Vary", "Foo"}});
  const RequestHead req = request({{"Foo", "x"}, {"Cookie", "c"}});
  const StoredHead head =
      make_stored_head(storage::make_cache_key("http", "h", "/"), req, resp, decide(req, resp), at(0), at(1));
  EXPECT_EQ(
      head.response.fields.wire(),
      "Cache-Control: max-age=60, private=\"x-p\"\r\nB: 2\r\nVary: Foo\r\nDate: " + date_at(1) + "\r\n");
  EXPECT_EQ(head.age_received, Seconds{30});
  EXPECT_TRUE(head.request_had_credentials);
  ASSERT_EQ(head.selecting.size(), 1U);
  EXPECT_EQ(head.selecting[0].name, "foo");
  EXPECT_EQ(head.selecting[0].value, "x");
}

}  // namespace
}  // namespace freshet::revalidate
