#include "proxy/admin/admin_request.h"

#include <gtest/gtest.h>
#include <string>

namespace freshet::proxy {
namespace {

TEST(AdminRequest, ReadsMethodPathAndQuery) {
  AdminRequest request;
  EXPECT_EQ(parse_admin_head("GET /metrics?a=b?c HTTP/1.1\r\nHost: x\r\n\r\n", request), 0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/metrics");
  EXPECT_EQ(request.query, "a=b?c");
  EXPECT_EQ(parse_admin_head("HEAD / HTTP/1.0\r\n\r\n", request), 0);
  EXPECT_EQ(request.query, "");
}

TEST(AdminRequest, RefusesTheRest) {
  AdminRequest request;
  for (const char* bad :
       {"\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", " / HTTP/1.1\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        "GET x HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n", "GET /\x80 HTTP/1.1\r\n\r\n", "GET / FTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\nc\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"}) {
    EXPECT_EQ(parse_admin_head(bad, request), 400) << bad;
  }
  EXPECT_EQ(parse_admin_head("GET / HTTP/2.0\r\n\r\n", request), 505);
  EXPECT_EQ(parse_admin_head("PUT / HTTP/1.1\r\n\r\n", request), 405);
  EXPECT_EQ(parse_admin_head("get / HTTP/1.1\r\n\r\n", request), 405);
}

AdminRequest request_with(const std::string& fields, const std::string& line = "POST / HTTP/1.1") {
  AdminRequest request;
  EXPECT_EQ(parse_admin_head(line + "\r\n" + fields + "\r\n", request), 0) << fields;
  return request;
}

int size_refusal(const std::string& fields, std::size_t expected = 0) {
  std::size_t size = 0;
  const int refused = admin_content_size(request_with(fields), 1000, size);
  if (refused == 0) {
    EXPECT_EQ(size, expected) << fields;
  }
  return refused;
}

TEST(AdminRequest, ContentIsJsonOfAKnownLength) {
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_EQ(size_refusal(json + "Content-Length: 1000\r\n", 1000), 0);
  EXPECT_EQ(size_refusal("Content-Type: Application/JSON ; charset=utf-8\r\nContent-Length: 0\r\n"), 0);
  EXPECT_EQ(size_refusal(json), 411);
  EXPECT_EQ(size_refusal(json + "Transfer-Encoding: chunked\r\n"), 411);
  EXPECT_EQ(size_refusal(json + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 411);
  EXPECT_EQ(size_refusal(json + "Content-Length: 1001\r\n"), 413);
  EXPECT_EQ(size_refusal(json + "Content-Length: 99999999999999999999999\r\n"), 413);
  for (const char* bad : {"", "-1", "+1", "1x", "0x1", "1, 1", "1 1"}) {
    EXPECT_EQ(size_refusal(json + "Content-Length: " + bad + "\r\n"), 400) << bad;
  }
  EXPECT_EQ(size_refusal(json + "Content-Length: 1\r\nContent-Length: 2\r\n"), 400);
  for (const char* other : {"text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                            "multipart/form-data; a=application/json", ""}) {
    EXPECT_EQ(size_refusal("Content-Length: 1\r\nContent-Type: " + std::string(other) + "\r\n"), 415)
        << other;
  }
  EXPECT_EQ(size_refusal("Content-Length: 1\r\n"), 415);
}

int refusal_status(const std::string& fields, const AdminAccess& access) {
  const auto refusal = admin_refusal(request_with(fields), access);
  return refusal ? refusal->status : 0;
}

TEST(AdminRequest, ATokenIsAskedForWhereThereIsOne) {
  const AdminAccess access{false, "0123456789abcdef"};
  EXPECT_EQ(refusal_status("Authorization: Bearer 0123456789abcdef\r\nHost: edge.example\r\n", access), 0);
  EXPECT_EQ(refusal_status("Authorization: bearer   0123456789abcdef\r\n", access), 0);
  for (const char* wrong : {"", "Bearer", "Bearer 0123456789abcdeF", "Bearer 0123456789abcde",
                            "Bearer 0123456789abcdef0", "Basic 0123456789abcdef", "0123456789abcdef"}) {
    EXPECT_EQ(refusal_status("Authorization: " + std::string(wrong) + "\r\n", access), 401) << wrong;
  }
  EXPECT_EQ(refusal_status("Host: localhost\r\n", access), 401);
  EXPECT_EQ(refusal_status("Host: elsewhere\r\n", AdminAccess{true, "0123456789abcdef"}), 0);
}

TEST(AdminRequest, WithoutATokenWebPagesAreRefused) {
  const AdminAccess access{false, ""};
  for (const char* ours :
       {"localhost", "LOCALHOST:9180", "a.localhost", "127.0.0.1:9180", "127.9.9.9", "[::1]:1"}) {
    EXPECT_EQ(refusal_status("Host: " + std::string(ours) + "\r\n", access), 0) << ours;
  }
  for (const char* other : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1",
                            "[::2]", "127.0.0.1@evil.example", ""}) {
    EXPECT_EQ(refusal_status("Host: " + std::string(other) + "\r\n", access), 403) << other;
  }
  EXPECT_EQ(refusal_status("", access), 0);
  EXPECT_EQ(refusal_status("Host: localhost:1\r\nOrigin: http://localhost:1\r\n", access), 0);
  EXPECT_EQ(refusal_status("Host: localhost:1\r\nOrigin: http://localhost:2\r\n", access), 403);
  EXPECT_EQ(refusal_status("Host: localhost:1\r\nOrigin: null\r\n", access), 403);
  EXPECT_EQ(refusal_status("Host: localhost\r\nOrigin: https://evil.example\r\n", access), 403);
}

TEST(AdminRequest, AReplyToHeadHasTheLengthAndNoBody) {
  const AdminReply reply = plain_admin_reply(200, "ok\n");
  const std::string head = admin_reply_text(reply, true);
  EXPECT_EQ(admin_reply_text(reply, false), head + "ok\n");
  EXPECT_EQ(head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
  EXPECT_NE(head.find("\r\nContent-Length: 3\r\n"), std::string::npos);
  EXPECT_NE(admin_reply_text(plain_admin_reply(405, ""), false).find("\r\nAllow: GET, HEAD\r\n"),
            std::string::npos);
}

}  // namespace
}  // namespace freshet::proxy
