// What a hostile client may write on a connection, and what has to become of it: requests that have one
// reading are taken, anything else is refused with a status, and nothing behind it is read.
#include <cstddef>
#include <gtest/gtest.h>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/http1/request_content.h"
#include "proxy/http1/request_parser.h"

namespace freshet::proxy {
namespace {

// Reads a connection to its end as a session does, `step` bytes arriving at a time: for each request
// "METHOD authority target [content] ", then the status of what was refused, or "..." where more is wanted.
class Connection {
 public:
  std::string read(std::string_view text, std::size_t step) {
    for (std::size_t arrived = 0; arrived < text.size() && !over_;) {
      arrived = std::min(arrived + step, text.size());
      input_ = text.substr(taken_, arrived - taken_);
      while (!over_ && (in_content_ ? take_content() : take_head())) {
      }
      taken_ = arrived - input_.size();
    }
    if (!over_ && (in_content_ || !input_.empty())) seen_ += "...";
    return seen_;
  }

 private:
  bool take_head() {
    if (input_.empty()) return false;
    std::size_t consumed = 0;
    switch (parser_.parse(input_, head_, framing_, consumed)) {
      case RequestParser::Outcome::kNeedMore:
        return false;
      case RequestParser::Outcome::kBad:
        return refused(parser_.bad_status());
      case RequestParser::Outcome::kDone:
        break;
    }
    input_.remove_prefix(consumed);
    seen_ += head_.method_text + " " + head_.authority + " " + head_.target + " ";
    content_.begin(framing_);
    in_content_ = !content_.complete();
    if (!in_content_) ended();
    return true;
  }

  bool take_content() {
    std::string buffer(64, '\0');
    std::size_t consumed = 0;
    std::size_t size = 0;
    const auto outcome = content_.take(input_, buffer.data(), buffer.size(), consumed, size);
    input_.remove_prefix(consumed);
    body_.append(buffer, 0, size);
    if (outcome == RequestContent::Outcome::kBad) return refused(400);
    if (!content_.complete()) return outcome == RequestContent::Outcome::kData;
    in_content_ = false;
    seen_ += "[" + body_ + "] ";
    body_.clear();
    ended();
    return true;
  }

  bool refused(int status) {
    seen_ += std::to_string(status);
    over_ = true;
    return false;
  }

  void ended() {
    if (framing_.keep_alive) return;
    seen_ += "close";
    over_ = true;
  }

  RequestParser parser_{RequestParserOptions{}};
  RequestContent content_;
  storage::RequestHead head_;
  RequestFraming framing_;
  std::string_view input_;
  std::size_t taken_ = 0;
  std::string body_;
  bool in_content_ = false;
  bool over_ = false;
  std::string seen_;
};

struct Case {
  std::string text;
  std::string expected;
};

std::ostream& operator<<(std::ostream& out, const Case& each) {
  return out << testing::PrintToString(each.text);
}

class HostileRequest : public testing::TestWithParam<Case> {};

TEST_P(HostileRequest, HasOneReadingOrNone) {
  for (const std::size_t step : {GetParam().text.size(), std::size_t{1}, std::size_t{3}}) {
    EXPECT_EQ(Connection().read(GetParam().text, step), GetParam().expected) << GetParam() << " by " << step;
  }
}

// With what would be smuggled behind it.
const std::string kNext = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kNextSeen = "GET a /next ";

std::string get(std::string_view line, std::string_view fields = "Host: a\r\n") {
  return std::string(line) + "\r\n" + std::string(fields) + "\r\n" + kNext;
}
std::string with(std::string_view fields) {
  return get("GET / HTTP/1.1", "Host: a\r\n" + std::string(fields));
}
std::string host(std::string_view value) {
  return get("GET / HTTP/1.1", "Host: " + std::string(value) + "\r\n");
}
std::string post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body) + kNext;
}
std::string chunked(std::string_view body) {
  return post("Transfer-Encoding: chunked\r\n", body);
}
std::string trailer(std::string_view lines) {
  return chunked("1\r\nx\r\n0\r\n" + std::string(lines));
}
std::string bytes(std::string_view text, char stray) {
  std::string copy(text);
  copy[copy.find('?')] = stray;
  return copy;
}

std::string many_fields(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) lines += "X" + std::to_string(i) + ": y\r\n";
  return lines;
}
std::string many_extensions(int count) {
  std::string chunks;
  for (int i = 0; i < count; ++i) chunks += "1;" + std::string(1000, 'a') + "\r\nx\r\n";
  return chunks;
}

INSTANTIATE_TEST_SUITE_P(RequestLine, HostileRequest,
                         testing::ValuesIn(std::vector<Case>{
                             {get("GET / HTTP/1.1\n"), "400"},
                             {get("GET / HTTP/1.1\r"), "400"},
                             {get("GET /\r\n HTTP/1.1"), "400"},
                             {get("GET / HTTP/1.1\r\r"), "400"},
                             {get("GET"), "400"},
                             {get("GET "), "400"},
                             {get("GET /"), "400"},
                             {get("GET / "), "400"},
                             {get("GET / HTTP"), "400"},
                             {get("GET / HTTP/"), "400"},
                             {get("GET / HTTP/1"), "400"},
                             {get("GET / HTTP/1."), "400"},
                             {get("GET / HTTP/.1"), "400"},
                             {get("GET / HTTP/1,1"), "400"},
                             {get("GET / HTTP/1.1 "), "400"},
                             {get("GET / HTTP/1.1\t"), "400"},
                             {get("GET / HTTP/1.1x"), "400"},
                             {get("GET / HTTP/01.1"), "400"},
                             {get("GET / HTTP/1.01"), "400"},
                             {get("GET / HTTP/11.1"), "400"},
                             {get("GET / HTTP/-1.1"), "400"},
                             {get("GET / HTTP/1.1;a"), "400"},
                             {get("GET / Http/1.1"), "400"},
                             {get("GET / HTP/1.1"), "400"},
                             {get("GET / HTTPS/1.1"), "400"},
                             {get("GET / ICY/1.1"), "400"},
                             {get("GET / /HTTP/1.1"), "400"},
                             {get("GET\t/ HTTP/1.1"), "400"},
                             {get("GET\v/ HTTP/1.1"), "400"},
                             {get("GET\f/ HTTP/1.1"), "400"},
                             {get("GET /\tHTTP/1.1"), "400"},
                             {get("GET  / HTTP/1.1"), "400"},
                             {get("GET /  HTTP/1.1"), "400"},
                             {get(" GET / HTTP/1.1"), "400"},
                             {get("\tGET / HTTP/1.1"), "400"},
                             {get("GE T / HTTP/1.1"), "400"},
                             {get("GET: / HTTP/1.1"), "400"},
                             {get("\"GET\" / HTTP/1.1"), "400"},
                             {get("G\xc3\x89T / HTTP/1.1"), "400"},
                             {get("GET\x7f / HTTP/1.1"), "400"},
                             {get("GET /a b HTTP/1.1"), "400"},
                             {get("GET /a\xa0 b HTTP/1.1"), "400"},
                             {get("GET /a#b HTTP/1.1"), "400"},
                             {get("GET # HTTP/1.1"), "400"},
                             {get("GET ?a HTTP/1.1"), "400"},
                             {get("GET a HTTP/1.1"), "400"},
                             {get("GET ../a HTTP/1.1"), "400"},
                             {get("GET \\a HTTP/1.1"), "400"},
                             {get("GET * HTTP/1.1"), "400"},
                             {get("POST * HTTP/1.1"), "400"},
                             {get("HEAD * HTTP/1.1"), "400"},
                             {get("OPTIONS *a HTTP/1.1"), "400"},
                             {get("OPTIONS /* HTTP/1.1 x"), "400"},
                             {bytes(get("GET /? HTTP/1.1"), '\0'), "400"},
                             {bytes(get("GE? / HTTP/1.1"), '\0'), "400"},
                             {bytes(get("GET / HTTP/1.?"), '\0'), "400"},
                             {bytes(get("GET /? HTTP/1.1"), '\x1b'), "400"},
                             {get("GET /\x7f HTTP/1.1"), "400"},
                             {get("GET /\x1f HTTP/1.1"), "400"},
                             {get("GET /\b HTTP/1.1"), "400"},
                             {"\x16\x03\x01\x02\x01\x01" + kNext, "400"},
                             {"\xef\xbb\xbf" + kNext, "400"},
                             {"SSH-2.0-x\r\n" + kNext, "400"},
                             {"EHLO a\r\n" + kNext, "400"},
                             {"{}\r\n" + kNext, "400"},
                             {"\n" + kNext, "400"},
                             {"\r" + kNext, "400"},
                             {"\r\r\n" + kNext, "400"},
                             {"\r\n\n" + kNext, "400"},
                             {"\r\n\r\n\r\n\r\n\r\n" + kNext, "400"},
                             {"\r\n " + kNext, "400"},
                             {" \r\n" + kNext, "400"},
                             {"0\r\n\r\n" + kNext, "400"},
                             {"PRI / HTTP/2.0x\r\n\r\n" + kNext, "400"},
                             {get("GET / HTTP/0.9"), "505"},
                             {get("GET / HTTP/2.0"), "505"},
                             {get("GET / HTTP/2.1"), "505"},
                             {get("GET / HTTP/3.0"), "505"},
                             {get("GET / HTTP/9.9"), "505"},
                             {get("GET / HTTP/0.0"), "505"},
                             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + kNext, "505"},
                             {get("PRI * HTTP/2.0"), "505"},
                             {get(std::string(65, 'M') + " / HTTP/1.1"), "501"},
                             {get("GET /" + std::string(9000, 'x') + " HTTP/1.1"), "414"},
                             {get("GET / HTTP/1.1" + std::string(9000, 'x')), "414"},
                             {"\r\n\r\n\r\n\r\n" + kNext, kNextSeen},
                             {get("GET / HTTP/1.2"), "GET a / " + kNextSeen},
                             {get("GET / HTTP/1.9"), "GET a / " + kNextSeen},
                             {get("get / HTTP/1.1"), "get a / " + kNextSeen},
                             {get("GET /%00%0d%0a%20 HTTP/1.1"), "GET a /%00%0d%0a%20 " + kNextSeen},
                             {get("GET /\x80\xff HTTP/1.1"), "GET a /\x80\xff " + kNextSeen},
                             {get("GET //b/../..;c?d??e HTTP/1.1"), "GET a //b/../..;c?d??e " + kNextSeen}}));

INSTANTIATE_TEST_SUITE_P(Target, HostileRequest,
                         testing::ValuesIn(std::vector<Case>{
                             {get("GET http:a HTTP/1.1"), "400"},
                             {get("GET http:/a HTTP/1.1"), "400"},
                             {get("GET http:// HTTP/1.1"), "400"},
                             {get("GET http:///a HTTP/1.1"), "400"},
                             {get("GET http://?a HTTP/1.1"), "400"},
                             {get("GET http://:80/ HTTP/1.1"), "400"},
                             {get("GET http://u@a/ HTTP/1.1"), "400"},
                             {get("GET http://u:p@a/ HTTP/1.1"), "400"},
                             {get("GET http://@a/ HTTP/1.1"), "400"},
                             {get("GET http://a@/ HTTP/1.1"), "400"},
                             {get("GET http://a%40b/ HTTP/1.1"), "400"},
                             {get("GET http://a%2fb/ HTTP/1.1"), "400"},
                             {get("GET http://a%00/ HTTP/1.1"), "400"},
                             {get("GET http://a\\@b/ HTTP/1.1"), "400"},
                             {get("GET http://a\\b HTTP/1.1"), "400"},
                             {get("GET http://a,b/ HTTP/1.1"), "400"},
                             {get("GET http://a:/:80/ HTTP/1.1x"), "400"},
                             {get("GET http://a:b/ HTTP/1.1"), "400"},
                             {get("GET http://a:80:80/ HTTP/1.1"), "400"},
                             {get("GET http://a:65536/ HTTP/1.1"), "400"},
                             {get("GET http://a:-1/ HTTP/1.1"), "400"},
                             {get("GET http://a:+80/ HTTP/1.1"), "400"},
                             {get("GET http://a:0x50/ HTTP/1.1"), "400"},
                             {get("GET http://a:8%30/ HTTP/1.1"), "400"},
                             {get("GET http://[::1/ HTTP/1.1"), "400"},
                             {get("GET http://::1/ HTTP/1.1"), "400"},
                             {get("GET http://[::1]a/ HTTP/1.1"), "400"},
                             {get("GET http://[::1%25eth0]/ HTTP/1.1"), "400"},
                             {get("GET http://[fe80::1%eth0]/ HTTP/1.1"), "400"},
                             {get("GET http://[a]/ HTTP/1.1"), "400"},
                             {get("GET http://a#b/ HTTP/1.1"), "400"},
                             {get("GET ftp://a/ HTTP/1.1"), "400"},
                             {get("GET file:///etc/passwd HTTP/1.1"), "400"},
                             {get("GET ws://a/ HTTP/1.1"), "400"},
                             {get("GET javascript:// HTTP/1.1"), "400"},
                             {get("GET a://b HTTP/1.1"), "400"},
                             {get("GET ://a/ HTTP/1.1"), "400"},
                             {get("GET //:80 HTTP/1.1 "), "400"},
                             {get("GET www.a.org/ HTTP/1.1"), "400"},
                             {get("GET a:80 HTTP/1.1"), "400"},
                             {get("CONNECT / HTTP/1.1"), "400"},
                             {get("CONNECT a HTTP/1.1"), "400"},
                             {get("CONNECT a: HTTP/1.1"), "400"},
                             {get("CONNECT :443 HTTP/1.1"), "400"},
                             {get("CONNECT a:443/ HTTP/1.1"), "400"},
                             {get("CONNECT u@a:443 HTTP/1.1"), "400"},
                             {get("CONNECT http://a:443 HTTP/1.1"), "400"},
                             {get("CONNECT a:443,b:443 HTTP/1.1"), "400"},
                             {get("CONNECT a:99999 HTTP/1.1"), "400"},
                             {get("CONNECT * HTTP/1.1"), "400"},
                             {get("CONNECT [::1] HTTP/1.1"), "400"},
                             {get("CONNECT ::1:443 HTTP/1.1"), "400"},
                             {get("GET https://a/ HTTP/1.1"), "421"},
                             {get("GET HTTPS://a/ HTTP/1.1"), "421"},
                             {get("GET http://b/x HTTP/1.1"), "GET b /x " + kNextSeen},
                             {get("GET http://b/x HTTP/1.1", "Host: a\r\nHost: b\r\n"), "400"},
                             {get("GET http://b/x HTTP/1.1", ""), "400"},
                             {get("GET http://b/x HTTP/1.1", "Host:\r\n"), "400"},
                             {get("GET http://b/x HTTP/1.1", "Host: u@b\r\n"), "400"},
                             {get("GET http://b/@c HTTP/1.1"), "GET b /@c " + kNextSeen},
                             {get("GET http://b?@c HTTP/1.1"), "GET b /?@c " + kNextSeen},
                             {get("GET hTTp://b HTTP/1.1"), "GET b / " + kNextSeen},
                             {get("CONNECT b:443 HTTP/1.1"), "CONNECT b:443 b:443 close"},
                             {get("CONNECT [::1]:443 HTTP/1.1"), "CONNECT [::1]:443 [::1]:443 close"},
                             {get("OPTIONS * HTTP/1.1"), "OPTIONS a * " + kNextSeen}}));

INSTANTIATE_TEST_SUITE_P(Host, HostileRequest,
                         testing::ValuesIn(std::vector<Case>{
                             {host(""), "400"},
                             {host(" "), "400"},
                             {host("a b"), "400"},
                             {host("a\tb"), "400"},
                             {host("a/"), "400"},
                             {host("a/b"), "400"},
                             {host("a?b"), "400"},
                             {host("a#b"), "400"},
                             {host("a\\b"), "400"},
                             {host("a@b"), "400"},
                             {host("u:p@a"), "400"},
                             {host("@a"), "400"},
                             {host("a,b"), "400"},
                             {host("a, a"), "400"},
                             {host("a;b c"), "400"},
                             {host("http://a"), "400"},
                             {host("//a"), "400"},
                             {host("a:b"), "400"},
                             {host("a:80a"), "400"},
                             {host("a: 80"), "400"},
                             {host("a :80"), "400"},
                             {host("a:80:80"), "400"},
                             {host("a::80"), "400"},
                             {host(":80"), "400"},
                             {host(":"), "400"},
                             {host("a:65536"), "400"},
                             {host("a:4294967376"), "400"},
                             {host("a:18446744073709551696"), "400"},
                             {host("a:-80"), "400"},
                             {host("a:8%30"), "400"},
                             {host("a%"), "400"},
                             {host("a%0"), "400"},
                             {host("a%zz"), "400"},
                             {host("a%00b"), "400"},
                             {host("a%0d%0aX:1"), "400"},
                             {host("a%20b"), "400"},
                             {host("a%2f"), "400"},
                             {host("a%40b"), "400"},
                             {host("a%3a80"), "400"},
                             {host("a%5b"), "400"},
                             {host("\xc3\xa4"), "400"},
                             {host("\"a\""), "400"},
                             {host("<a>"), "400"},
                             {host("a|b"), "400"},
                             {host("a^b"), "400"},
                             {host("a`b"), "400"},
                             {host("{a}"), "400"},
                             {host("[::1"), "400"},
                             {host("::1]"), "400"},
                             {host("[::1]]"), "400"},
                             {host("[[::1]]"), "400"},
                             {host("[::1]a"), "400"},
                             {host("[::1]:"
                                   "x"),
                              "400"},
                             {host("[::1]80"), "400"},
                             {host("[]"), "400"},
                             {host("[:]"), "400"},
                             {host("[::1%25lo]"), "400"},
                             {host("[::1%lo]"), "400"},
                             {host("[127.0.0.1]"), "400"},
                             {host("[::ffff:1.2.3.256]"), "400"},
                             {host("[1:2:3:4:5:6:7:8:9]"), "400"},
                             {host("[v1]"), "400"},
                             {host("[v1.]"), "400"},
                             {host("[vx.a]"), "400"},
                             {host("[ ::1]"), "400"},
                             {host("::1"), "400"},
                             {host("1::2:80"), "400"},
                             {bytes(host("a?b"), '\0'), "400"},
                             {bytes(host("a?b"), '\r'), "400"},
                             {bytes(host("a?b"), '\n'), "400"},
                             {get("GET / HTTP/1.1", ""), "400"},
                             {get("GET / HTTP/1.1", "Host: a\r\nHost: a\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Host: a\r\nhOST: b\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Host: a\r\nHost:\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Host : a\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Host\t: a\r\n"), "400"},
                             {get("GET / HTTP/1.1", " Host: a\r\n"), "400"},
                             {get("GET / HTTP/1.1", "X: y\r\n Host: a\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Host: a\r\n b\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Host\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Host a\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Host: a\n"), "400"},
                             {get("GET / HTTP/1.1", "Host: a\rX: y\r\n"), "400"},
                             {get("GET / HTTP/1.1", "Hos\xf4: a\r\n"), "400"},
                             {get("GET / HTTP/1.1", ":Host: a\r\n"), "400"},
                             {get("GET / HTTP/1.1", "H\x6fst\x7f: a\r\n"), "400"},
                             {get("GET / HTTP/1.0", "Host: a\r\nHost: a\r\n"), "400"},
                             {get("GET / HTTP/1.0", "Host: u@a\r\n"), "400"},
                             {get("GET / HTTP/1.0", ""), "GET  / close"},
                             {host("a:"), "GET a: / " + kNextSeen},
                             {host("[::1]:80"), "GET [::1]:80 / " + kNextSeen},
                             {get("GET / HTTP/1.1", "Host:a\r\n"), "GET a / " + kNextSeen},
                             {host("\t a \t"), "GET a / " + kNextSeen}}));

INSTANTIATE_TEST_SUITE_P(Fields, HostileRequest,
                         testing::ValuesIn(std::vector<Case>{
                             {with("X: a\n"), "400"},
                             {with("X: a\r"), "400"},
                             {with("X: a\r\r\n"), "400"},
                             {with("X: a\n\r\n"), "400"},
                             {with("X: a\rb\r\n"), "400"},
                             {with("X: a\nb: c\r\n"), "400"},
                             {with("X: a\r\n b\r\n"), "400"},
                             {with("X: a\r\n\tb\r\n"), "400"},
                             {with("X:\r\n b\r\n"), "400"},
                             {with("X: a\r\n \r\n"), "400"},
                             {with(" X: a\r\n"), "400"},
                             {with("\tX: a\r\n"), "400"},
                             {with("X : a\r\n"), "400"},
                             {with("X\t: a\r\n"), "400"},
                             {with("X\v: a\r\n"), "400"},
                             {with("X Y: a\r\n"), "400"},
                             {with("X\r\n"), "400"},
                             {with("X\r: a\r\n"), "400"},
                             {with("X\n: a\r\n"), "400"},
                             {with("X"
                                   "\n"),
                              "400"},
                             {with(": a\r\n"), "400"},
                             {with(":\r\n"), "400"},
                             {with("::\r\n"), "400"},
                             {with("X(: a\r\n"), "400"},
                             {with("X@Y: a\r\n"), "400"},
                             {with("X/Y: a\r\n"), "400"},
                             {with("X,Y: a\r\n"), "400"},
                             {with("X;Y: a\r\n"), "400"},
                             {with("X=Y: a\r\n"), "400"},
                             {with("X[]: a\r\n"), "400"},
                             {with("{X}: a\r\n"), "400"},
                             {with("\"X\": a\r\n"), "400"},
                             {with("X\\: a\r\n"), "400"},
                             {with("<X>: a\r\n"), "400"},
                             {with("\xc3\xa4: a\r\n"), "400"},
                             {with("X\xa0: a\r\n"), "400"},
                             {with("\x7f: a\r\n"), "400"},
                             {with("X\b: a\r\n"), "400"},
                             {with("X: \x01\r\n"), "400"},
                             {with("X: a\x7f\r\n"), "400"},
                             {with("X: a\v\r\n"), "400"},
                             {with("X: a\f\r\n"), "400"},
                             {with("X: a\b\r\n"), "400"},
                             {with("X: \x1b[31m\r\n"), "400"},
                             {with("GET / HTTP/1.1\r\n"), "400"},
                             {with("\n"), "400"},
                             {with("\r"), "400"},
                             {with("X: a\r\n\rY: b\r\n"), "400"},
                             {with("X: 0123456789abcdef0123456789abcde\r0\r\n"), "400"},
                             {with("X: 0123456789abcdef0123456789abcde\n0\r\n"), "400"},
                             {bytes(with("X: a?b\r\n"), '\0'), "400"},
                             {bytes(with("X?: a\r\n"), '\0'), "400"},
                             {bytes(with("?X: a\r\n"), '\0'), "400"},
                             {bytes(with("X: ?\r\n"), '\0'), "400"},
                             {bytes(with("X: 0123456789abcdef?\r\n"), '\0'), "400"},
                             {bytes(with("X: 0123456789abcde?\r\n"), '\0'), "400"},
                             {with("X: " + std::string(9000, 'x') + "\r\n"), "431"},
                             {with(std::string(9000, 'x') + ": a\r\n"), "431"},
                             {with(std::string(9000, 'x')), "431"},
                             {with(many_fields(99) + "X: y\r\n"), "431"},
                             {with(many_fields(99)), "GET a / " + kNextSeen},
                             {with("X: " + std::string(8000, '\t') + "\r\n"), "GET a / " + kNextSeen},
                             {with("X: a\xff\x80\r\n"), "GET a / " + kNextSeen},
                             {with("!#$%&'*+-.^_`|~: a\r\n"), "GET a / " + kNextSeen},
                             {with("X:::a\r\n"), "GET a / " + kNextSeen},
                             {with("Content-Lengt\xe8: 5\r\n"), "400"},
                             {with("Content\rLength: 5\r\n"), "400"},
                             {with("Transfer\rEncoding: chunked\r\n"), "400"}}));

INSTANTIATE_TEST_SUITE_P(Length, HostileRequest,
                         testing::ValuesIn(std::vector<Case>{
                             {post("Content-Length: "
                                   ""
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "x"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "0x5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5x"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5 "
                                   "5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5,"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   ",5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5,5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5, 5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5;a"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "+5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "-5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "-0"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5.0"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5e0"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "1_000"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "\"5\""
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "05 5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "\xd9\xa5"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "5\v"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "9223372036854775808"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "18446744073709551615"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "18446744073709551616"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "18446744073709551621"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "99999999999999999999999999"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: "
                                   "0000000000000000000005"
                                   "\r\n",
                                   "hello"),
                              "400"},
                             {post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), "400"},
                             {post("Content-Length: 5\r\ncontent-length: 6\r\n", "hello"), "400"},
                             {post("Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: 0\r\n", "hello"), "400"},
                             {post("Content-Length: 0\r\nContent-Length:\r\n", "hello"), "400"},
                             {post("Content-Length : 5\r\n", "hello"), "400"},
                             {post("Content-Length\t: 5\r\n", "hello"), "400"},
                             {post(" Content-Length: 5\r\n", "hello"), "400"},
                             {post("Content-Length: 5\r\n 5\r\n", "hello"), "400"},
                             {post("Content-Length: 5\n", "hello"), "400"},
                             {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "hello"), "400"},
                             {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "hello"), "400"},
                             {post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello"), "400"},
                             {post("Content-Length: 5\r\nTransfer-Encoding:\r\n", "hello"), "400"},
                             {post("Content-Length: 5\r\n", "hello"), "POST a / [hello] " + kNextSeen},
                             {post("Content-Length:\t5 \t\r\n", "hello"), "POST a / [hello] " + kNextSeen},
                             {post("Content-Length: 00005\r\n", "hello"), "POST a / [hello] " + kNextSeen},
                             {post("Content-Length: 0\r\n", ""), "POST a / " + kNextSeen},
                             {post("", ""), "POST a / " + kNextSeen},
                             {post("Content-Length: 4\r\n", "hello"), "POST a / [hell] oGET a /next "},
                             {post("Content-Length: 500\r\n", "hello"), "POST a / ..."},
                             {get("GET / HTTP/1.1", "Host: a\r\nContent-Length: 30\r\n"),
                              "GET a / [" + kNext.substr(0, 30) + "] 400"}}));

INSTANTIATE_TEST_SUITE_P(
    Coding, HostileRequest,
    testing::ValuesIn(std::vector<Case>{
        {post("Transfer-Encoding: "
              ""
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "identity"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "gzip"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "deflate"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked, chunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked,"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              ",chunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "gzip, chunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked, gzip"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked, identity"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "identity, chunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "xchunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunkedx"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunke"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked;"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked;x"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked; x=y"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked;q=1"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "\"chunked\""
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "'chunked'"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked chunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked\tx"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunk ed"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "cow"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked\v"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "\vchunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "\x01"
              "chunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked\xa0"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "\xe2\x80\x8b"
              "chunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chun\xc4\xb1"
              "ked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "\xe2\x84\xaahunked"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "trailers"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "*"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: "
              "chunked/1.0"
              "\r\n",
              "0\r\n\r\n"),
         "400"},
        {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
        {post("Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n", "0\r\n\r\n"), "400"},
        {post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
        {post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), "400"},
        {post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), "400"},
        {post(" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
        {post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), "400"},
        {post("Transfer-Encoding: chunked\n", "0\r\n\r\n"), "400"},
        {post("Transfer-Encoding:\n chunked\r\n", "0\r\n\r\n"), "400"},
        {post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
        {post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
        {bytes(post("Transfer-Encoding: chunked?\r\n", "0\r\n\r\n"), '\0'), "400"},
        {bytes(post("Transfer?Encoding: chunked\r\n", "0\r\n\r\n"), '\0'), "400"},
        {"POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n" +
             kNext,
         "400"},
        {post("Transfer-Encoding:\tCHUNKED \r\n", "0\r\n\r\n"), "POST a / [] " + kNextSeen},
        {get("GET / HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n"), "GET a / 400"}}));

INSTANTIATE_TEST_SUITE_P(
    Chunks, HostileRequest,
    testing::ValuesIn(std::vector<Case>{
        {chunked("\r\n0\r\n\r\n"), "POST a / 400"},
        {chunked("x\r\n"), "POST a / 400"},
        {chunked("-1\r\nx\r\n"), "POST a / 400"},
        {chunked("+1\r\nx\r\n"), "POST a / 400"},
        {chunked(" 1\r\nx\r\n"), "POST a / 400"},
        {chunked("1 \r\nx\r\n"), "POST a / 400"},
        {chunked("1\t\r\nx\r\n"), "POST a / 400"},
        {chunked("\t1\r\nx\r\n"), "POST a / 400"},
        {chunked("0x1\r\nx\r\n"), "POST a / 400"},
        {chunked("1h\r\nx\r\n"), "POST a / 400"},
        {chunked("1.0\r\nx\r\n"), "POST a / 400"},
        {chunked("1_0\r\nx\r\n"), "POST a / 400"},
        {chunked("1,\r\nx\r\n"), "POST a / 400"},
        {chunked("\"1\"\r\nx\r\n"), "POST a / 400"},
        {chunked("1\nx\r\n"), "POST a / 400"},
        {chunked("1\rx\r\n"), "POST a / 400"},
        {chunked("1\r\r\nx\r\n"), "POST a / 400"},
        {chunked("\n1\r\nx\r\n"), "POST a / 400"},
        {chunked("1\r\nx\n"), "POST a / 400"},
        {chunked("1\r\nx\r"), "POST a / 400"},
        {chunked("1\r\nx"), "POST a / 400"},
        {chunked("1\r\nxy\r\n"), "POST a / 400"},
        {chunked("2\r\nx\r\n0\r\n\r\n"), "POST a / 400"},
        {chunked("ffffffffffffffff\r\nx"), "POST a / 400"},
        {chunked("10000000000000000\r\nx"), "POST a / 400"},
        {chunked("10000000000000001\r\nx\r\n"), "POST a / 400"},
        {chunked("fffffffffffffffff\r\nx"), "POST a / 400"},
        {chunked("8000000000000000\r\nx"), "POST a / 400"},
        {chunked("0000000000000001\r\nx\r\n"), "POST a / 400"},
        {chunked("00000000000000000000000000000001\r\nx\r\n"), "POST a / 400"},
        {chunked("1;\r\nx\r\n"), "POST a / 400"},
        {chunked("1;;\r\nx\r\n"), "POST a / 400"},
        {chunked("1;=a\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a=\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a==b\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a b\r\nx\r\n"), "POST a / 400"},
        {chunked("1; a\r\nx\r\n"), "POST a / 400"},
        {chunked("1 ;a\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a\n0\r\n\r\n"), "POST a / 400"},
        {chunked("1;a\rb\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a=\"\n\"\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a=\"\r\n\"\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a=\"\\\n\"\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a=\"b\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a=\"b\"c\r\nx\r\n"), "POST a / 400"},
        {chunked("1;\xc3\xa4\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a\x7f\r\nx\r\n"), "POST a / 400"},
        {chunked("1;a=\v\r\nx\r\n"), "POST a / 400"},
        {chunked("1;" + std::string(2000, 'a') + "\r\nx\r\n"), "POST a / 400"},
        {chunked("0\n\n"), "POST a / 400"},
        {chunked("0\r\n\n"), "POST a / 400"},
        {chunked("0\r\n\r"), "POST a / 400"},
        {chunked("0\n\r\n"), "POST a / 400"},
        {chunked("0\r\r\n"), "POST a / 400"},
        {chunked("0\r\n"), "POST a / 400"},
        {chunked("0;\r\n\r\n"), "POST a / 400"},
        {chunked("0 \r\n\r\n"), "POST a / 400"},
        {chunked("0\r\n0\r\n\r\n"), "POST a / 400"},
        {chunked("0\r\nx\r\n\r\n"), "POST a / 400"},
        {bytes(chunked("1?\r\nx\r\n"), '\0'), "POST a / 400"},
        {bytes(chunked("1;a?\r\nx\r\n"), '\0'), "POST a / 400"},
        {chunked(many_extensions(70)), "POST a / 400"},
        {chunked("1\r\nx\r\n0\r\n\r\n"), "POST a / [x] " + kNextSeen},
        {chunked("1;a;b=c;d=\"e f;\\\"\"\r\nx\r\n0;z\r\n\r\n"), "POST a / [x] " + kNextSeen},
        {chunked("00A\r\n0123\r\n6789\r\n000\r\n\r\n"), "POST a / [0123\r\n6789] " + kNextSeen},
        {chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), "POST a / [0\r\n\r\n] " + kNextSeen}}));

INSTANTIATE_TEST_SUITE_P(Trailers, HostileRequest,
                         testing::ValuesIn(std::vector<Case>{
                             {trailer("X\r\n\r\n"), "POST a / 400"},
                             {trailer(": a\r\n\r\n"), "POST a / 400"},
                             {trailer("X : a\r\n\r\n"), "POST a / 400"},
                             {trailer("X\t: a\r\n\r\n"), "POST a / 400"},
                             {trailer(" X: a\r\n\r\n"), "POST a / 400"},
                             {trailer("X: a\r\n b\r\n\r\n"), "POST a / 400"},
                             {trailer("X: a\n\r\n"), "POST a / 400"},
                             {trailer("X: a\r\n\n"), "POST a / 400"},
                             {trailer("X: a\rb\r\n\r\n"), "POST a / 400"},
                             {trailer("X: \x01\r\n\r\n"), "POST a / 400"},
                             {trailer("X@: a\r\n\r\n"), "POST a / 400"},
                             {trailer("\xe4: a\r\n\r\n"), "POST a / 400"},
                             {trailer("X: " + std::string(9000, 'x') + "\r\n\r\n"), "POST a / 400"},
                             {trailer(many_fields(33) + "\r\n"), "POST a / 400"},
                             {trailer("GET /next HTTP/1.1\r\nHost: a\r\n\r\n"), "POST a / 400"},
                             {bytes(trailer("X: ?\r\n\r\n"), '\0'), "POST a / 400"},
                             {trailer("Content-Length: 5\r\n\r\n"), "POST a / [x] " + kNextSeen},
                             {trailer("Transfer-Encoding: chunked\r\n\r\n"), "POST a / [x] " + kNextSeen},
                             {trailer("Host: b\r\nConnection: close\r\n\r\n"), "POST a / [x] " + kNextSeen},
                             {trailer("X: a\r\nX:\r\n\r\n"), "POST a / [x] " + kNextSeen}}));

INSTANTIATE_TEST_SUITE_P(Pipelined, HostileRequest,
                         testing::ValuesIn(std::vector<Case>{
                             {kNext + kNext, kNextSeen + kNextSeen},
                             {kNext + "\r\n" + kNext, kNextSeen + kNextSeen},
                             {kNext + "\n" + kNext, kNextSeen + "400"},
                             {kNext + "GET / HTTP/1.1\r\n\r\n" + kNext, kNextSeen + "400"},
                             {kNext + "garbage" + kNext, kNextSeen + "garbageGET a /next "},
                             {kNext + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kNextSeen + "505"},
                             {with("Connection: close\r\n"), "GET a / close"},
                             {with("Connection: x, CLOSE\r\n"), "GET a / close"},
                             {post("Content-Length: 5\r\n", "helloX"), "POST a / [hello] XGET a /next "},
                             {post("Content-Length: 5\r\n", "hello\r\n"), "POST a / [hello] " + kNextSeen},
                             {post("Content-Length: 5\r\n", "hello\n"), "POST a / [hello] 400"},
                             {kNext.substr(0, 20), "..."}}));

}  // namespace
}  // namespace freshet::proxy
