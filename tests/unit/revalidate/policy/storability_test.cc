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

Reason part_reason(const Lines& lines, int status = 206, const RequestHead& req = request()) {
  return decide_part_storable(req, response(status, lines), at(0), PolicyOptions{}).reason;
}

TEST(Storability, S33APartIsStoredWhereItSaysWhichBytesItHas) {
  const std::pair<std::string, std::string> fresh = {"Cache-Control", "max-age=60"};
  EXPECT_EQ(part_reason({fresh, {"Content-Range", "bytes 0-1/9"}}), Reason::kStored);
  EXPECT_EQ(part_reason({fresh, {"Content-Range", "bytes 0-1/9"}, {"Content-Length", "2"}}), Reason::kStored);
  EXPECT_EQ(part_reason({fresh, {"Content-Range", "bytes 0-1/*"}}), Reason::kStored);
  EXPECT_EQ(part_reason({fresh, {"Content-Range", "bytes 0-1/9"}, {"Content-Length", "3"}}),
            Reason::kPartialNotStored);
  for (const char* range : {"", "bytes 1-0/9", "bytes 0-9/9", "bytes */9", "lines 0-1/9"}) {
    EXPECT_EQ(part_reason({fresh, {"Content-Range", range}}), Reason::kPartialNotStored) << range;
  }
  EXPECT_EQ(part_reason({fresh}), Reason::kPartialNotStored);
  EXPECT_EQ(part_reason({fresh, {"Content-Range", "bytes 0-1/9"}, {"Content-Range", "bytes 0-1/9"}}),
            Reason::kPartialNotStored);
  EXPECT_EQ(
      part_reason(
          {fresh, {"Content-Range", "bytes 0-1/9"}, {"Content-Type", "Multipart/byteranges; boundary=a"}}),
      Reason::kPartialNotStored);
  EXPECT_EQ(part_reason({fresh, {"Content-Range", "bytes 0-1/9"}}, 200), Reason::kPartialNotStored);
}

TEST(Storability, S33TheRulesOfStoringHoldForAPart) {
  const std::pair<std::string, std::string> range = {"Content-Range", "bytes 0-1/9"};
  EXPECT_EQ(part_reason({range, {"ETag", "\"a\""}}), Reason::kStoredForValidation);
  EXPECT_EQ(part_reason({range}), Reason::kNothingToReuse);
  EXPECT_EQ(part_reason({range, {"Cache-Control", "no-cache"}}), Reason::kNothingToReuse);
  EXPECT_EQ(part_reason({range, {"Cache-Control", "no-store"}}), Reason::kNoStore);
  EXPECT_EQ(part_reason({range, {"Cache-Control", "private"}}), Reason::kPrivate);
  EXPECT_EQ(part_reason({range, {"Cache-Control", "max-age=9, must-understand, no-store"}}), Reason::kStored);
  EXPECT_EQ(part_reason({range, {"ETag", "\"a\""}}, 206, request({}, Method::kPost, "POST")),
            Reason::kMethodNotStored);
}

TEST(Storability, Rfc9110S933APostsAnswerThatIsTheTargetsRepresentation) {
  const RequestHead post = request({}, Method::kPost, "POST");
  const std::pair<std::string, std::string> fresh = {"Cache-Control", "max-age=60"};
  for (const char* location : {"/a/b?c=d", "http://EXAMPLE.com:80/a/b?c=d", "b?c=d", ""}) {
    EXPECT_EQ(reason({fresh, {"Content-Location", location}}, 200, post), Reason::kStored) << location;
  }
  EXPECT_EQ(reason({{"Expires", date_at(60)}, {"Content-Location", "/a/b?c=d"}}, 200, post), Reason::kStored);
  for (const char* location : {"/a/b", "/a/b?c=e", "https://example.com/a/b?c=d", "http://other/a/b?c=d"}) {
    EXPECT_EQ(reason({fresh, {"Content-Location", location}}, 200, post), Reason::kMethodNotStored)
        << location;
  }
  EXPECT_EQ(reason({{"ETag", "\"a\""}, {"Content-Location", "/a/b?c=d"}}, 200, post),
            Reason::kMethodNotStored);
  EXPECT_EQ(
      reason({{"Cache-Control", "public"}, {"ETag", "\"a\""}, {"Content-Location", "/a/b?c=d"}}, 200, post),
      Reason::kMethodNotStored);
  EXPECT_EQ(reason({fresh, {"Content-Location", "/a/b?c=d"}}, 404, post), Reason::kMethodNotStored);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=0"}, {"Content-Location", "/a/b?c=d"}}, 200, post),
            Reason::kNothingToReuse);
  EXPECT_EQ(reason({fresh, {"Content-Location", "/a/b?c=d"}}, 200, request({}, Method::kPut, "PUT")),
            Reason::kMethodNotStored);
}

TEST(Storability, S3AnswersToConditionsAndRangesAreNotStored) {
  for (const int status : {412, 416}) {
    EXPECT_EQ(reason({{"Cache-Control", "public, max-age=60"}}, status), Reason::kStatusNotStored) << status;
  }
}

TEST(Storability, S3WhateverHasAValidatorIsStored) {
  for (const char* value : {"no-cache", "max-age=0", "no-cache, max-age=60"}) {
    EXPECT_EQ(reason({{"Cache-Control", value}, {"ETag", "\"a\""}}), Reason::kStoredForValidation) << value;
    EXPECT_EQ(reason({{"Cache-Control", value}, {"Last-Modified", date_at(-9)}}),
              Reason::kStoredForValidation)
        << value;
  }
  EXPECT_EQ(reason({}), Reason::kNothingToReuse);
  EXPECT_EQ(reason({{"ETag", "not a tag"}}), Reason::kNothingToReuse);
  EXPECT_EQ(reason({{"Last-Modified", date_at(-1000)}}), Reason::kStored);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=0, stale-while-revalidate=9"}}), Reason::kStored);
}

TEST(Storability, S3WhatWillHaveATagOfOursIsStoredWhereTheOriginThoughtOfCaches) {
  PolicyOptions without;
  without.content_tags = false;
  for (const Lines& lines : {Lines{{"Cache-Control", "no-cache"}}, Lines{{"Cache-Control", "max-age=0"}},
                             Lines{{"Cache-Control", "s-maxage=0"}}, Lines{{"Expires", "0"}},
                             Lines{{"Cache-Control", "max-age=60, no-cache"}},
                             Lines{{"CDN-Cache-Control", "max-age=0"}}, Lines{{"Expires", date_at(-9)}}}) {
    EXPECT_EQ(reason(lines), Reason::kStoredForValidation) << lines[0].second;
    EXPECT_EQ(decide(request(), response(200, lines), without).reason, Reason::kNothingToReuse);
    EXPECT_EQ(reason(lines, 404), Reason::kNothingToReuse) << lines[0].second;
  }
  // Nothing about caching, or not enough.
  EXPECT_EQ(reason({{"Content-Type", "text/html"}}), Reason::kNothingToReuse);
  EXPECT_EQ(reason({{"Cache-Control", "public"}}), Reason::kNothingToReuse);
  EXPECT_EQ(reason({{"Cache-Control", "must-revalidate"}}), Reason::kNothingToReuse);
  // Expires does not count beside a targeted field.
  EXPECT_EQ(reason({{"CDN-Cache-Control", "public"}, {"Expires", "0"}}), Reason::kNothingToReuse);
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
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60, must-understand, no-store"}}, 299),
            Reason::kStatusNotUnderstood);
  EXPECT_EQ(reason({{"Cache-Control", "must-understand"}, {"ETag", "\"a\""}}, 404),
            Reason::kStoredForValidation);
  EXPECT_EQ(reason({{"Cache-Control", "max-age=60, must-understand, private"}}, 200), Reason::kPrivate);
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
  for (const char* value :
       {"max-age=60", "max-age=60, proxy-revalidate", "no-cache", "max-age=60, immutable"}) {
    EXPECT_EQ(reason({{"Cache-Control", value}, {"ETag", "\"a\""}}, 200, req),
              Reason::kAuthorizationNotStored)
        << value;
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
  EXPECT_TRUE(decide(request(), response(200, {{"Cache-Control", "max-age=60"}}), options).withheld.empty());
}

TEST(Storability, S73WhatSpeaksToSharedCachesIsStoredWithItsCookie) {
  const std::pair<std::string, std::string> cookie = {"Set-Cookie", "a=b"};
  EXPECT_EQ(reason({cookie, {"Cache-Control", "s-maxage=60"}}), Reason::kStored);
  EXPECT_EQ(reason({cookie, {"CDN-Cache-Control", "max-age=60"}}), Reason::kStored);
  EXPECT_EQ(reason({cookie, {"Surrogate-Control", "max-age=60"}}), Reason::kStored);
  EXPECT_EQ(reason({cookie, {"Expires", date_at(60)}}), Reason::kSetCookie);
  EXPECT_EQ(reason({cookie, {"ETag", "\"a\""}, {"Cache-Control", "no-cache"}}), Reason::kSetCookie);
}

TEST(Storability, S73ClearSiteDataIsOneBrowsersAsACookieIs) {
  const ResponseHead resp =
      response(200, {{"Cache-Control", "max-age=60"}, {"Clear-Site-Data", "\"cache\""}});
  PolicyOptions options;
  EXPECT_EQ(decide(request(), resp, options).reason, Reason::kSetCookie);
  options.set_cookie = SetCookiePolicy::kRfc;
  EXPECT_EQ(decide(request(), resp, options).reason, Reason::kStored);
  EXPECT_TRUE(decide(request(), resp, options).withheld.empty());
  options.set_cookie = SetCookiePolicy::kStrip;
  EXPECT_EQ(decide(request(), resp, options).withheld, std::vector<std::string>{"clear-site-data"});
}

TEST(Storability, EdgeFreshSurrogateControlCountsBeforeNoStore) {
  const Lines lines = {{"Cache-Control", "no-store"}, {"Surrogate-Control", "max-age=60"}};
  EXPECT_EQ(reason(lines), Reason::kStored);
  PolicyOptions options;
  options.surrogate_control = false;
  EXPECT_EQ(decide(request(), response(200, lines), options).reason, Reason::kNoStore);
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
  const StoredHead head = make_stored_head(storage::make_cache_key("http", "h", "/"), req, resp,
                                           decide(req, resp), at(0), at(1), {});
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
