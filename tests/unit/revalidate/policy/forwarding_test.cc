// RFC 9110, sections 7.6 and 7.8; RFC 9111, 3.1; RFC 7239; guarantee G9.
#include "revalidate/policy/forwarding.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

ForwardingContext from(std::string_view address, bool trusted = false) {
  ForwardingContext context;
  context.client_address = address;
  context.client_is_trusted = trusted;
  return context;
}

HeaderFields forwarded(const Lines& lines, const ForwardingContext& context = from("192.0.2.1")) {
  return origin_request_fields(request(lines), context);
}

TEST(Forwarding, Rfc9110S76WritesHostViaAndWhoAsked) {
  EXPECT_EQ(forwarded({{"Host", "EXAMPLE.com:80"}, {"Accept", "a"}}).wire(),
            "Host: example.com\r\nAccept: a\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: example.com\r\nForwarded: for=192.0.2.1;host=example.com;proto=http\r\n"
            "Via: 1.1 freshet\r\n");
}

TEST(Forwarding, Rfc9110S722HostIsTheTargetsOrTheGivenOne) {
  ForwardingContext context = from("192.0.2.1");
  context.host = "origin.internal:8080";
  EXPECT_EQ(forwarded({{"Host", "evil"}}, context).first("Host"), "origin.internal:8080");
  EXPECT_EQ(forwarded({{"Host", "evil"}}, context).count(FieldName::kHost), 1U);
  EXPECT_EQ(normalised_authority("https", "EXAMPLE.com:443"), "example.com");
  EXPECT_EQ(normalised_authority("http", "example.com:443"), "example.com:443");
  EXPECT_EQ(normalised_authority("http", "example.com:"), "example.com");
  EXPECT_EQ(normalised_authority("http", "example.com.:8080"), "example.com:8080");
}

TEST(Forwarding, Rfc9110S761HopByHopFieldsStay) {
  const HeaderFields f = forwarded({{"Connection", "close, X-Named"},
                                    {"X-Named", "1"},
                                    {"Keep-Alive", "1"},
                                    {"Proxy-Connection", "1"},
                                    {"TE", "trailers"},
                                    {"Trailer", "x"},
                                    {"Transfer-Encoding", "chunked"},
                                    {"Content-Length", "5"},
                                    {"Upgrade", "h2c"},
                                    {"HTTP2-Settings", "x"},
                                    {"Proxy-Authorization", "x"},
                                    {"Expect", "100-continue"},
                                    {"X-Kept", "1"}});
  for (const char* name :
       {"Connection", "X-Named", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
        "Content-Length", "Upgrade", "HTTP2-Settings", "Proxy-Authorization", "Expect"}) {
    EXPECT_FALSE(f.has(name)) << name;
  }
  EXPECT_TRUE(f.has("X-Kept"));
}

TEST(Forwarding, G9WhatOverridesTheTargetIsRemoved) {
  const HeaderFields f = forwarded({{"X-Original-URL", "/admin"},
                                    {"X_Rewrite_Url", "/admin"},
                                    {"x-http-method-override", "PUT"},
                                    {"X-Method-Override", "PUT"},
                                    {"X-HTTP-Method", "PUT"},
                                    {"X-Host", "evil"},
                                    {"Proxy", "evil"}});
  for (const char* name : {"X-Original-URL", "X_Rewrite_Url", "X-HTTP-Method-Override", "X-Method-Override",
                           "X-HTTP-Method", "X-Host", "Proxy"}) {
    EXPECT_FALSE(f.has(name)) << name;
  }
}

TEST(Forwarding, G9WhatOnlyAFrontEndMaySayIsRemoved) {
  for (const char* name :
       {"X-Original-Path", "x_original_uri", "X-HTTP-Host-Override", "X-Forwarded", "X-Scheme",
        "Front-End-Https", "Client-Cert", "Client-Cert-Chain", "Client-IP", "True-Client-IP", "X-Client-IP",
        "X-Sendfile-Type", "X-Middleware-Subrequest", "X-Envoy-Original-Path"}) {
    EXPECT_FALSE(forwarded({{name, "evil"}}).has(name)) << name;
    EXPECT_FALSE(forwarded({{name, "evil"}}, from("192.0.2.1", true)).has(name)) << name;
  }
  for (const char* name : {"X-Originality", "X-Original-", "X-Hosting", "X-Forwarder"}) {
    EXPECT_TRUE(forwarded({{name, "good"}}).has(name)) << name;
  }
}

TEST(Forwarding, G9UntrustedForwardingFieldsAreReplaced) {
  const HeaderFields f = forwarded({{"X-Forwarded-For", "10.0.0.1"},
                                    {"X-Forwarded-Host", "evil"},
                                    {"X-Forwarded-Port", "1"},
                                    {"X_Forwarded_Proto", "https"},
                                    {"X-Real-IP", "10.0.0.1"},
                                    {"Forwarded", "for=10.0.0.1"}});
  EXPECT_EQ(f.combined("X-Forwarded-For"), "192.0.2.1");
  EXPECT_EQ(f.combined("X-Forwarded-Host"), "example.com");
  EXPECT_EQ(f.combined("X-Forwarded-Proto"), "http");
  EXPECT_EQ(f.combined("Forwarded"), "for=192.0.2.1;host=example.com;proto=http");
  for (const char* name : {"X-Forwarded-Port", "X_Forwarded_Proto", "X-Real-IP"})
    EXPECT_FALSE(f.has(name)) << name;
}

TEST(Forwarding, Rfc7239S4TrustedChainsGoOn) {
  const HeaderFields f =
      forwarded({{"X-Forwarded-For", "10.0.0.1"}, {"Forwarded", "for=10.0.0.1"}, {"X-Forwarded-Host", "h"}},
                from("192.0.2.1", true));
  EXPECT_EQ(f.combined("X-Forwarded-For"), "10.0.0.1, 192.0.2.1");
  EXPECT_EQ(f.combined("Forwarded"), "for=10.0.0.1, for=192.0.2.1;host=example.com;proto=http");
  // The exchange puts it into the key.
  EXPECT_EQ(f.combined("X-Forwarded-Host"), "h");
}

TEST(Forwarding, Rfc7239S6AddressesOfVersion6AreQuoted) {
  const HeaderFields f = forwarded({}, from("2001:db8::1"));
  EXPECT_EQ(f.first("X-Forwarded-For"), "2001:db8::1");
  EXPECT_EQ(f.first("Forwarded"), "for=\"[2001:db8::1]\";host=example.com;proto=http");
  RequestHead req = request();
  req.authority = "example.com:8080";
  EXPECT_EQ(origin_request_fields(req, from("")).first("Forwarded"),
            "for=unknown;host=\"example.com:8080\";proto=http");
}

TEST(Forwarding, Rfc9110S763ViaIsAppended) {
  EXPECT_EQ(forwarded({{"Via", "1.0 first"}}).combined("Via"), "1.0 first, 1.1 freshet");
}

TEST(Forwarding, S431ConditionsAndRangeByFlag) {
  const Lines asked = {{"If-None-Match", "\"a\""},   {"If-Modified-Since", "x"}, {"If-Match", "\"a\""},
                       {"If-Unmodified-Since", "x"}, {"Range", "bytes=0-1"},     {"If-Range", "\"a\""}};
  for (const auto& [name, value] : asked) EXPECT_FALSE(forwarded(asked).has(name)) << name;
  ForwardingContext context = from("192.0.2.1");
  context.keep_conditions = true;
  context.keep_range = true;
  for (const auto& [name, value] : asked) EXPECT_TRUE(forwarded(asked, context).has(name)) << name;
}

TEST(Forwarding, Rfc9110S1311NoContentTagReachesTheOrigin) {
  const std::string ours = "\"fr1-00112233445566778899aabbccddeeff\"";
  ForwardingContext context = from("192.0.2.1");
  context.keep_conditions = true;
  context.keep_range = true;
  const HeaderFields f = forwarded(
      {{"If-None-Match", ours + ", \"a\""}, {"If-Match", ours}, {"If-Range", ours}, {"Range", "bytes=0-1"}},
      context);
  EXPECT_EQ(f.combined("If-None-Match"), "\"a\"");
  for (const char* name : {"If-Match", "If-Range", "Range"}) EXPECT_FALSE(f.has(name)) << name;
}

TEST(Forwarding, EdgeSurrogateCapabilityIsOursAloneAndOnlyIfAnnounced) {
  const Lines asked = {{"Surrogate-Capability", "x=\"ESI/1.0\""}, {"surrogate_capability", "y"}};
  EXPECT_FALSE(forwarded(asked).has("Surrogate-Capability"));
  EXPECT_FALSE(forwarded(asked).has("surrogate_capability"));
  ForwardingContext context = from("192.0.2.1");
  context.announce_surrogate = true;
  EXPECT_EQ(forwarded(asked, context).combined("Surrogate-Capability"), "freshet=\"Surrogate/1.0\"");
}

TEST(Forwarding, Rfc9110S65TrailersGoOnApartFromWhatMustStandInFront) {
  EXPECT_EQ(forwarded_trailers(fields({{"Server-Timing", "a"},
                                       {"Content-Length", "3"},
                                       {"Transfer-Encoding", "chunked"},
                                       {"Connection", "x"},
                                       {"Host", "h"},
                                       {"Cache-Control", "max-age=9"},
                                       {"Set-Cookie", "a=b"},
                                       {"Authorization", "x"},
                                       {"If-Match", "*"},
                                       {"Trailer", "x"},
                                       {"Content-Type", "a/b"},
                                       {"ETag", "\"a\""},
                                       {"Content-Digest", "x"}}))
                .wire(),
            "Server-Timing: a\r\nETag: \"a\"\r\nContent-Digest: x\r\n");
}

TEST(Forwarding, Rfc9110S762MaxForwardsCountsDown) {
  const RequestHead options = request({{"Max-Forwards", "3"}}, Method::kOptions, "OPTIONS");
  EXPECT_EQ(origin_request_fields(options, from("a")).first("Max-Forwards"), "2");
  EXPECT_EQ(forwarded({{"Max-Forwards", "3"}}).first("Max-Forwards"), "3");
  EXPECT_TRUE(is_final_recipient(request({{"Max-Forwards", "0"}}, Method::kTrace, "TRACE")));
  EXPECT_FALSE(is_final_recipient(options));
  EXPECT_FALSE(is_final_recipient(request({{"Max-Forwards", "0"}})));
}

TEST(Forwarding, Rfc9110S78UpgradeIsKeptOnlyOnPurpose) {
  ForwardingContext context = from("192.0.2.1");
  context.keep_upgrade = true;
  const HeaderFields f = forwarded({{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}, context);
  EXPECT_EQ(f.first("Upgrade"), "websocket");
  EXPECT_EQ(f.first("Connection"), "upgrade");
}

TEST(Forwarding, G12WhatConnectionNamesIsGoneBeforePolicyLooks) {
  RequestHead req = request({{"Connection", "Cookie, keep-alive, Host, Content-Length"},
                             {"Cookie", "a=b"},
                             {"Host", "example.com"},
                             {"Content-Length", "5"}});
  remove_connection_fields(req);
  EXPECT_FALSE(req.fields.has("Cookie"));
  EXPECT_TRUE(req.fields.has("Host"));
  EXPECT_TRUE(req.fields.has("Content-Length"));
}

TEST(EndToEnd, S31HopByHopAndFramingAreDropped) {
  EXPECT_EQ(end_to_end_fields(fields({{"Connection", "a, b"},
                                      {"a", "1"},
                                      {"B", "2"},
                                      {"c", "3"},
                                      {"Keep-Alive", "x"},
                                      {"Proxy-Authenticate", "x"},
                                      {"Proxy-Authentication-Info", "x"},
                                      {"Proxy-Authorization", "x"},
                                      {"Proxy-Connection", "x"},
                                      {"TE", "x"},
                                      {"Upgrade", "x"},
                                      {"Transfer-Encoding", "chunked"},
                                      {"Content-Length", "3"},
                                      {"Age", "5"}}))
                .wire(),
            "c: 3\r\nAge: 5\r\n");
}

}  // namespace
}  // namespace freshet::revalidate
