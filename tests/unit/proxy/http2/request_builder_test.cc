#include "proxy/http2/request_builder.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace freshet::proxy {
namespace {

using Outcome = RequestBuilder::Outcome;
using Lines = std::vector<std::pair<std::string, std::string>>;

RequestParserOptions small_limits() {
  RequestParserOptions limits;
  limits.max_request_line = 100;
  limits.max_field = 60;
  limits.max_fields = 4;
  limits.max_head = 300;
  return limits;
}

struct Built {
  Outcome outcome{};
  int status = 0;
  std::string reason;
  storage::RequestHead head;
  std::optional<std::uint64_t> content_length;
  bool expects_continue = false;
  bool takes_trailers = false;
};

Built build(const Lines& lines, bool trusted = false) {
  static const RequestParserOptions limits = small_limits();
  RequestBuilder builder;
  Built built;
  builder.begin(limits, trusted, built.head);
  for (const auto& [name, value] : lines) builder.add(name, value, built.head);
  built.outcome = builder.finish(built.head);
  built.status = builder.status();
  built.reason = builder.reason();
  built.content_length = builder.content_length();
  built.expects_continue = builder.expects_continue();
  built.takes_trailers = builder.takes_trailers();
  return built;
}

Lines get(Lines more = {}) {
  Lines lines{{":method", "GET"}, {":scheme", "http"}, {":path", "/a?b"}, {":authority", "h:1"}};
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

TEST(RequestBuilder, TheSchemeIsTheConnectionsUnlessATrustedProxySaysItsClients) {
  const Lines https{{":method", "GET"}, {":scheme", "HTTPS"}, {":path", "/"}, {":authority", "h"}};
  EXPECT_EQ(build(https).outcome, Outcome::kRefused);
  EXPECT_EQ(build(https).status, 421);
  const Built built = build(https, true);
  ASSERT_EQ(built.outcome, Outcome::kDone) << built.reason;
  EXPECT_EQ(built.head.scheme, "https");
  EXPECT_EQ(build(get(), true).head.scheme, "http");
  EXPECT_EQ(build({{":method", "GET"}, {":scheme", "ftp"}, {":path", "/"}, {":authority", "h"}}, true).status,
            421);
}

TEST(RequestBuilder, ARequestIsWhatItWouldBeByHttp1) {
  const Built built = build(get({{"accept", "x"}, {"te", "trailers"}, {"expect", "100-Continue"}}));
  ASSERT_EQ(built.outcome, Outcome::kDone) << built.reason;
  EXPECT_EQ(built.head.method, storage::Method::kGet);
  EXPECT_EQ(built.head.method_text, "GET");
  EXPECT_EQ(built.head.scheme, "http");
  EXPECT_EQ(built.head.authority, "h:1");
  EXPECT_EQ(built.head.target, "/a?b");
  EXPECT_EQ(built.head.version, storage::HttpVersion::kHttp2);
  EXPECT_EQ(built.head.fields.first(storage::FieldName::kHost), "h:1");
  EXPECT_EQ(built.head.fields.first(storage::FieldName::kAccept), "x");
  EXPECT_TRUE(built.expects_continue);
  EXPECT_TRUE(built.takes_trailers);
  EXPECT_FALSE(built.content_length);
}

TEST(RequestBuilder, CookieCrumbsAreJoined) {
  const Built built = build(get({{"cookie", "a=1"}, {"accept", "x"}, {"cookie", "b=2"}, {"cookie", "c=3"}}));
  ASSERT_EQ(built.outcome, Outcome::kDone);
  EXPECT_EQ(built.head.fields.count(storage::FieldName::kCookie), 1U);
  EXPECT_EQ(built.head.fields.first(storage::FieldName::kCookie), "a=1; b=2; c=3");
}

TEST(RequestBuilder, HostStandsInForAuthority) {
  const Built built = build({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "h"}});
  ASSERT_EQ(built.outcome, Outcome::kDone);
  EXPECT_EQ(built.head.authority, "h");
  EXPECT_EQ(build(get({{"host", "H:1"}})).outcome, Outcome::kDone);
}

TEST(RequestBuilder, ConnectHasAnAuthorityAlone) {
  const Built built = build({{":method", "CONNECT"}, {":authority", "h:1"}});
  ASSERT_EQ(built.outcome, Outcome::kDone);
  EXPECT_EQ(built.head.target, "h:1");
}

TEST(RequestBuilder, MalformedIsWhatHasNoSingleReading) {
  const std::vector<std::pair<Lines, std::string>> cases = {
      {{}, "no :method"},
      {{{":method", "GET"}}, "no :scheme or no :path"},
      {{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}, "neither :authority nor Host"},
      {{{":method", "GET"}, {":scheme", "http"}, {":path", ""}, {":authority", "h"}}, "malformed :path"},
      {{{":method", "GET"}, {":scheme", "http"}, {":path", "*"}, {":authority", "h"}}, "malformed :path"},
      {{{":method", "GET"}, {":scheme", "http"}, {":path", "a"}, {":authority", "h"}}, "malformed :path"},
      {{{":method", "GET"}, {":scheme", "http"}, {":path", "/ a"}, {":authority", "h"}}, "malformed :path"},
      {{{":method", "GET"}, {":scheme", "http"}, {":path", "/#a"}, {":authority", "h"}}, "malformed :path"},
      {{{":method", "G T"}}, "malformed :method"},
      {{{":method", ""}}, "malformed :method"},
      {{{":method", "GET"}, {":method", "GET"}}, "pseudo-header field given twice"},
      {get({{":path", "/"}}), "pseudo-header field given twice"},
      {{{"a", "b"}, {":method", "GET"}}, "pseudo-header field behind others"},
      {get({{"a", "b"}, {":scheme", "http"}}), "pseudo-header field behind others"},
      {{{":protocol", "websocket"}}, "unknown pseudo-header field"},
      {{{":status", "200"}}, "unknown pseudo-header field"},
      {{{":authority", "user@h"}}, "malformed :authority"},
      {{{":authority", ""}}, "malformed :authority"},
      {{{":method", "CONNECT"}, {":authority", "h"}}, "CONNECT target is not host:port"},
      {{{":method", "CONNECT"}, {":path", "/"}, {":authority", "h:1"}}, "CONNECT with :scheme or :path"},
      {{{":method", "CONNECT"}}, "CONNECT without :authority"},
      {get({{"host", "other"}}), "Host is not :authority"},
      {get({{"host", "h:1"}, {"host", "h:1"}}), "more than one Host"},
      {get({{"Upper", "a"}}), "malformed field name"},
      {get({{"a b", "a"}}), "malformed field name"},
      {get({{"", "a"}}), "malformed field name"},
      {get({{"a", " b"}}), "malformed field value"},
      {get({{"a", "b\t"}}), "malformed field value"},
      {get({{"a", "b\r\nc: d"}}), "malformed field value"},
      {get({{"a", std::string("b\0c", 3)}}), "malformed field value"},
      {get({{"connection", "close"}}), "connection-specific field"},
      {get({{"keep-alive", "1"}}), "connection-specific field"},
      {get({{"proxy-connection", "close"}}), "connection-specific field"},
      {get({{"transfer-encoding", "chunked"}}), "connection-specific field"},
      {get({{"upgrade", "h2c"}}), "connection-specific field"},
      {get({{"te", "gzip"}}), "TE other than trailers"},
      {get({{"content-length", "1"}, {"content-length", "1"}}), "more than one Content-Length"},
      {get({{"content-length", "1, 1"}}), "malformed Content-Length"},
      {get({{"content-length", "-1"}}), "malformed Content-Length"},
      {get({{"content-length", ""}}), "malformed Content-Length"},
  };
  for (const auto& [lines, why] : cases) {
    const Built built = build(lines);
    EXPECT_EQ(built.outcome, Outcome::kMalformed) << why;
    EXPECT_EQ(built.reason, why);
  }
}

TEST(RequestBuilder, LimitsAndMisdirectionAreAnswered) {
  const std::string long_text(200, 'x');
  const std::vector<std::pair<Lines, int>> cases = {
      {{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {":authority", "h"}}, 421},
      {{{":method", "GET"}, {":scheme", "http"}, {":path", "/" + long_text}, {":authority", "h"}}, 414},
      {{{":method", long_text}}, 501},
      {get({{"a", long_text}}), 431},
      {get({{"cookie", long_text.substr(0, 40)}, {"cookie", long_text.substr(0, 40)}}), 431},
      {get({{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}, {"e", "1"}}), 431},
      {get({{"a", long_text}, {"b", long_text}, {"c", long_text}}), 431},
  };
  for (const auto& [lines, status] : cases) {
    const Built built = build(lines);
    if (status == 501) {
      // The other lines are missing, and that is worse.
      EXPECT_EQ(built.outcome, Outcome::kMalformed);
      continue;
    }
    EXPECT_EQ(built.outcome, Outcome::kRefused) << status << ' ' << built.reason;
    EXPECT_EQ(built.status, status);
  }
}

TEST(RequestBuilder, IsUsedAgain) {
  static const RequestParserOptions limits = small_limits();
  RequestBuilder builder;
  storage::RequestHead head;
  builder.begin(limits, false, head);
  builder.add("te", "gzip", head);
  EXPECT_EQ(builder.finish(head), Outcome::kMalformed);
  builder.begin(limits, false, head);
  for (const auto& [name, value] : get()) builder.add(name, value, head);
  EXPECT_EQ(builder.finish(head), Outcome::kDone);
  EXPECT_FALSE(builder.takes_trailers());
}

}  // namespace
}  // namespace freshet::proxy
