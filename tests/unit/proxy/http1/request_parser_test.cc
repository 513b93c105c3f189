#include "proxy/http1/request_parser.h"

#include <gtest/gtest.h>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::proxy {
namespace {

using storage::FieldName;
using storage::Method;
using storage::RequestHead;
using Body = RequestFraming::Body;
using Outcome = RequestParser::Outcome;

struct Parsed {
  Outcome outcome = Outcome::kNeedMore;
  int status = 0;
  std::string reason;
  std::size_t consumed = 0;
  RequestHead head;
  RequestFraming framing;
};

// Feeds `step` bytes more with each call, from a new place in memory each time.
Parsed parse_in_steps(std::string_view text, std::size_t step, const RequestParserOptions& options = {}) {
  RequestParser parser(options);
  Parsed parsed;
  for (std::size_t size = 0; parsed.outcome == Outcome::kNeedMore && size < text.size();) {
    size = std::min(size + step, text.size());
    const std::vector<char> copy(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    parsed.outcome = parser.parse({copy.data(), copy.size()}, parsed.head, parsed.framing, parsed.consumed);
  }
  if (parsed.outcome == Outcome::kBad) {
    parsed.status = parser.bad_status();
    parsed.reason = parser.bad_reason();
  }
  return parsed;
}

// Whatever the pieces, the outcome is one.
Parsed parse(std::string_view text, const RequestParserOptions& options = {}) {
  Parsed whole = parse_in_steps(text, text.size(), options);
  for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
    const Parsed pieces = parse_in_steps(text, step, options);
    EXPECT_EQ(pieces.outcome, whole.outcome) << text;
    EXPECT_EQ(pieces.status, whole.status) << text;
    EXPECT_EQ(pieces.reason, whole.reason) << text;
    EXPECT_EQ(pieces.consumed, whole.consumed) << text;
    EXPECT_EQ(pieces.head.fields.wire(), whole.head.fields.wire()) << text;
  }
  return whole;
}

std::string with_fields(std::string_view lines) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n";
}

struct Refused {
  std::string text;
  int status;
};

std::ostream& operator<<(std::ostream& out, const Refused& refused) {
  return out << refused.text;
}

class RefusedRequest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRequest, HasOneStatusHoweverItArrives) {
  const Parsed parsed = parse(GetParam().text);
  EXPECT_EQ(parsed.outcome, Outcome::kBad);
  EXPECT_EQ(parsed.status, GetParam().status) << parsed.reason;
  EXPECT_FALSE(parsed.reason.empty());
  EXPECT_EQ(parsed.consumed, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    RequestLine, RefusedRequest,
    testing::Values(
        Refused{"GET / HTTP/1.1\nHost: a\r\n\r\n", 400}, Refused{"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400}, Refused{"GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
        Refused{"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
        Refused{"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400}, Refused{"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET /\r\n\r\n", 400}, Refused{"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28), 400},
        Refused{"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400}, Refused{"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET http://a:x/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 421},
        Refused{"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        Refused{"GET / HTTP/1.1.1\r\nHost: a\r\n\r\n", 400}, Refused{"GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
        Refused{"GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400}, Refused{"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
        Refused{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        Refused{std::string(65, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501}));

INSTANTIATE_TEST_SUITE_P(
    FieldLines, RefusedRequest,
    testing::Values(
        Refused{with_fields("X: 1\n"), 400}, Refused{with_fields("X: 1\rY: 2\r\n"), 400},
        Refused{with_fields("X: 1\r\r\n"), 400}, Refused{with_fields("X: a\r\n b\r\n"), 400},
        Refused{with_fields("X: a\r\n\tb\r\n"), 400}, Refused{"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
        Refused{with_fields("X : 1\r\n"), 400}, Refused{with_fields("X\t: 1\r\n"), 400},
        Refused{with_fields(": 1\r\n"), 400}, Refused{with_fields("X\r\n"), 400},
        Refused{with_fields("X\n"), 400}, Refused{with_fields("X(: 1\r\n"), 400},
        Refused{with_fields("X\xe4: 1\r\n"), 400}, Refused{with_fields(std::string("X: a\0b\r\n", 8)), 400},
        Refused{with_fields("X: a\x01\r\n"), 400}, Refused{with_fields("X: a\x7f\r\n"), 400},
        Refused{with_fields("X: a\x0b\r\n"), 400},
        Refused{with_fields("X: long enough for a word\x1f or two\r\n"), 400},
        Refused{with_fields(std::string("\0: 1\r\n", 6)), 400},
        Refused{"GET / HTTP/1.1\r\nHost: a\r\n\rX\n", 400}, Refused{"GET / HTTP/1.1\r\nHost: a\r\n\n", 400}));

INSTANTIATE_TEST_SUITE_P(
    Framing, RefusedRequest,
    testing::Values(Refused{with_fields("Content-Length: 1\r\nContent-Length: 2\r\n"), 400},
                    Refused{with_fields("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
                    Refused{with_fields("Content-Length: 1, 1\r\n"), 400},
                    Refused{with_fields("Content-Length: 1, 2\r\n"), 400},
                    Refused{with_fields("Content-Length:\r\n"), 400},
                    Refused{with_fields("Content-Length: -1\r\n"), 400},
                    Refused{with_fields("Content-Length: +1\r\n"), 400},
                    Refused{with_fields("Content-Length: 0x1\r\n"), 400},
                    Refused{with_fields("Content-Length: 1 1\r\n"), 400},
                    Refused{with_fields("Content-Length: 2x\r\n"), 400},
                    Refused{with_fields("Content-Length: 18446744073709551617\r\n"), 400},
                    Refused{with_fields("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: gzip\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding:\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: gzip, chunked\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: chunked, gzip\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: chunked, chunked\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: \"chunked\"\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: chunked;a=b\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: xchunked\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: identity\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 400},
                    Refused{with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
                    Refused{"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400}));

INSTANTIATE_TEST_SUITE_P(
    Host, RefusedRequest,
    testing::Values(Refused{"GET / HTTP/1.1\r\n\r\n", 400}, Refused{"GET / HTTP/1.1\r\nX: a\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400},
                    Refused{"GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", 400},
                    Refused{"GET http://a/ HTTP/1.1\r\n\r\n", 400},
                    Refused{"GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
                    Refused{"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400}));

TEST(RequestParser, ReadsAnOrdinaryRequest) {
  const std::string text =
      "GET /a/b?c=d%20e&f HTTP/1.1\r\nHost: Example.org:8080\r\nUser-Agent: t/1\r\nAccept:*/*\r\n"
      "X-Empty:\r\nX-Blank:  \t \r\nX-Trim: \t a b \t\r\nx-utf: \xc3\xa4\r\n\r\n";
  const Parsed parsed = parse(text + "GET /next");
  ASSERT_EQ(parsed.outcome, Outcome::kDone) << parsed.reason;
  EXPECT_EQ(parsed.consumed, text.size());
  EXPECT_EQ(parsed.head.method, Method::kGet);
  EXPECT_EQ(parsed.head.method_text, "GET");
  EXPECT_EQ(parsed.head.scheme, "http");
  EXPECT_EQ(parsed.head.authority, "Example.org:8080");
  EXPECT_EQ(parsed.head.target, "/a/b?c=d%20e&f");
  EXPECT_EQ(parsed.head.version, storage::HttpVersion::kHttp11);
  EXPECT_EQ(parsed.head.fields.wire(),
            "Host: Example.org:8080\r\nUser-Agent: t/1\r\nAccept: */*\r\nX-Empty: \r\nX-Blank: \r\n"
            "X-Trim: a b\r\nx-utf: \xc3\xa4\r\n");
  EXPECT_EQ(parsed.head.fields.line(0).id, FieldName::kHost);
  EXPECT_EQ(parsed.framing.body, Body::kNone);
  EXPECT_FALSE(parsed.framing.has_body());
  EXPECT_TRUE(parsed.framing.keep_alive);
  EXPECT_FALSE(parsed.framing.expect_continue);
  EXPECT_FALSE(parsed.framing.upgrade);
}

TEST(RequestParser, TakesPipelinedRequestsOneByOne) {
  const std::string text =
      "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\r\nPOST /2 HTTP/1.1\r\nHost: "
      "b\r\nContent-Length: 3\r\n\r\n";
  RequestParser parser{RequestParserOptions{}};
  RequestHead head;
  RequestFraming framing;
  std::size_t consumed = 0;
  std::string_view rest = text;
  ASSERT_EQ(parser.parse(rest, head, framing, consumed), Outcome::kDone);
  EXPECT_EQ(head.target, "/1");
  EXPECT_FALSE(framing.keep_alive);
  rest.remove_prefix(consumed);
  ASSERT_EQ(parser.parse(rest, head, framing, consumed), Outcome::kDone);
  EXPECT_EQ(consumed, rest.size());
  EXPECT_EQ(head.target, "/2");
  EXPECT_EQ(head.authority, "b");
  EXPECT_EQ(head.fields.size(), 2U);
  EXPECT_TRUE(framing.keep_alive);
  EXPECT_EQ(framing.length, 3U);
}

TEST(RequestParser, StaysBadUntilItIsReset) {
  RequestParser parser{RequestParserOptions{}};
  RequestHead head;
  RequestFraming framing;
  std::size_t consumed = 0;
  EXPECT_EQ(parser.parse("\n", head, framing, consumed), Outcome::kBad);
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head, framing, consumed), Outcome::kBad);
  parser.reset();
  EXPECT_EQ(parser.parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", head, framing, consumed), Outcome::kDone);
}

TEST(RequestParser, KeepsAMethodThatItDoesNotKnow) {
  const Parsed parsed = parse("purge-it /x HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(parsed.outcome, Outcome::kDone);
  EXPECT_EQ(parsed.head.method, Method::kOther);
  EXPECT_EQ(parsed.head.method_text, "purge-it");
}

struct TargetCase {
  std::string request_line;
  std::string authority;
  std::string target;
};

TEST(RequestParser, ReadsEveryFormOfTarget) {
  const std::vector<TargetCase> cases = {
      {"GET / HTTP/1.1", "host:1", "/"},
      {"GET //x/../y?a=%zz|{}\"<> HTTP/1.1", "host:1", "//x/../y?a=%zz|{}\"<>"},
      {"GET http://Other.org/x?y HTTP/1.1", "Other.org", "/x?y"},
      {"GET HTTP://other:81 HTTP/1.1", "other:81", "/"},
      {"GET http://other?y HTTP/1.1", "other", "/?y"},
      {"GET http://other/?u=http://a@b/ HTTP/1.1", "other", "/?u=http://a@b/"},
      {"GET http://[::1]:8080/ HTTP/1.1", "[::1]:8080", "/"},
      {"OPTIONS http://other HTTP/1.1", "other", "*"},
      {"OPTIONS http://other/ HTTP/1.1", "other", "/"},
      {"OPTIONS * HTTP/1.1", "host:1", "*"},
      {"CONNECT other:443 HTTP/1.1", "other:443", "other:443"},
  };
  for (const TargetCase& each : cases) {
    const Parsed parsed = parse(each.request_line + "\r\nHost: host:1\r\n\r\n");
    ASSERT_EQ(parsed.outcome, Outcome::kDone) << each.request_line << ": " << parsed.reason;
    EXPECT_EQ(parsed.head.authority, each.authority) << each.request_line;
    EXPECT_EQ(parsed.head.target, each.target) << each.request_line;
    EXPECT_EQ(parsed.head.fields.first(FieldName::kHost), each.authority);
  }
}

TEST(RequestParser, AllowsHttp10WithoutHost) {
  const Parsed parsed = parse("GET / HTTP/1.0\r\n\r\n");
  ASSERT_EQ(parsed.outcome, Outcome::kDone);
  EXPECT_EQ(parsed.head.authority, "");
  EXPECT_EQ(parsed.head.version, storage::HttpVersion::kHttp10);
  EXPECT_FALSE(parsed.framing.keep_alive);
}

// RFC 9110, 2.5.
TEST(RequestParser, ReadsAMinorVersionAboveOursAsOurs) {
  const Parsed parsed = parse("GET / HTTP/1.2\r\nHost: a\r\n\r\n");
  ASSERT_EQ(parsed.outcome, Outcome::kDone);
  EXPECT_EQ(parsed.head.version, storage::HttpVersion::kHttp11);
  EXPECT_TRUE(parsed.framing.keep_alive);
  EXPECT_EQ(parse("GET / HTTP/1.9\r\n\r\n").outcome, Outcome::kBad);  // Host is needed as in 1.1
}

TEST(RequestParser, DecidesAboutTheConnection) {
  const auto keeps = [](std::string_view version, std::string_view lines) {
    const std::string text =
        "GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(lines) + "\r\n";
    const Parsed parsed = parse(text);
    EXPECT_EQ(parsed.outcome, Outcome::kDone) << text;
    return parsed.framing.keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_TRUE(keeps("1.1", "Connection: keep-alive, X-A\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: Close\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: keep-alive\r\nConnection: x ,,\tclose\r\n"));
  EXPECT_TRUE(keeps("1.1", "Connection: closed\r\n"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keeps("1.0", "Connection: keep-alive, close\r\n"));
}

TEST(RequestParser, ReadsTheFramingOfTheBody) {
  const auto framing = [](std::string_view version, std::string_view lines) {
    const Parsed parsed =
        parse("POST / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(lines) + "\r\n");
    EXPECT_EQ(parsed.outcome, Outcome::kDone) << lines << parsed.reason;
    return parsed.framing;
  };
  EXPECT_EQ(framing("1.1", "").body, Body::kNone);
  EXPECT_EQ(framing("1.1", "Content-Length: 0\r\n").body, Body::kLength);
  EXPECT_FALSE(framing("1.1", "Content-Length: 0\r\n").has_body());
  EXPECT_EQ(framing("1.0", "content-length:\t999999999999999999 \r\n").length, 999999999999999999U);
  EXPECT_EQ(framing("1.1", "Transfer-Encoding: Chunked\r\n").body, Body::kChunked);
  EXPECT_TRUE(framing("1.1", "Expect: 100-Continue\r\nContent-Length: 5\r\n").expect_continue);
  EXPECT_TRUE(framing("1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n").expect_continue);
  EXPECT_FALSE(framing("1.1", "Expect: 100-continue\r\n").expect_continue);
  EXPECT_FALSE(framing("1.0", "Expect: 100-continue\r\nContent-Length: 5\r\n").expect_continue);
  EXPECT_FALSE(framing("1.1", "Expect: other\r\nContent-Length: 5\r\n").expect_continue);
  EXPECT_TRUE(framing("1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n").upgrade);
  EXPECT_FALSE(framing("1.1", "Upgrade: websocket\r\n").upgrade);
  EXPECT_FALSE(framing("1.1", "Connection: upgrade\r\n").upgrade);
  EXPECT_FALSE(framing("1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n").upgrade);
}

TEST(RequestParser, HoldsToItsLimits) {
  RequestParserOptions options;
  options.max_request_line = 40;
  options.max_field = 30;
  options.max_fields = 3;
  options.max_head = 110;
  const auto status = [&](const std::string& text) {
    const Parsed parsed = parse(text, options);
    return parsed.outcome == Outcome::kDone ? 200 : parsed.status;
  };
  const auto line = [](std::size_t size) { return "GET /" + std::string(size - 16, 'x') + " HTTP/1.1\r\n"; };
  const auto field = [](std::size_t size) { return "X: " + std::string(size - 5, 'y') + "\r\n"; };
  const std::string host = "Host: a\r\n";
  EXPECT_EQ(status(line(40) + host + "\r\n"), 200);
  EXPECT_EQ(status(line(41) + host + "\r\n"), 414);
  EXPECT_EQ(status(std::string(41, 'G')), 414);
  EXPECT_EQ(status(line(20) + host + field(30) + "\r\n"), 200);
  EXPECT_EQ(status(line(20) + host + field(31) + "\r\n"), 431);
  EXPECT_EQ(status(line(20) + std::string(31, 'N')), 431);
  EXPECT_EQ(status(line(20) + host + "A:1\r\nB:2\r\n\r\n"), 200);
  EXPECT_EQ(status(line(20) + host + "A:1\r\nB:2\r\nC:3\r\n\r\n"), 431);
  EXPECT_EQ(status(line(39) + host + field(30) + field(30) + "\r\n"), 200);
  EXPECT_EQ(status(line(40) + host + field(30) + field(30) + "\r\n"), 431);
}

TEST(RequestParser, ANameLongerThanTheFieldsCanHoldIsRefused) {
  RequestParserOptions options;
  options.max_field = 1 << 20;
  options.max_head = 1 << 20;
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(70000, 'n') + ": 1\r\n\r\n";
  const Parsed parsed = parse_in_steps(text, 1000, options);
  EXPECT_EQ(parsed.outcome, Outcome::kBad);
  EXPECT_EQ(parsed.status, 431);
}

TEST(RequestParser, EveryPrefixOfARequestWantsMore) {
  const std::string text = "\r\nGET /x HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(parse(text.substr(0, size)).outcome, Outcome::kNeedMore) << size;
  }
}

}  // namespace
}  // namespace freshet::proxy
