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
        "GET /\x01 HTTP/1.1\r\n\r\n", "GET /\x80 HTTP/1.1\r\n\r\n", "GET / FTP/1.1\r\n\r\n"}) {
    EXPECT_EQ(parse_admin_head(bad, request), 400) << bad;
  }
  EXPECT_EQ(parse_admin_head("GET / HTTP/2.0\r\n\r\n", request), 505);
  EXPECT_EQ(parse_admin_head("POST / HTTP/1.1\r\n\r\n", request), 405);
  EXPECT_EQ(parse_admin_head("get / HTTP/1.1\r\n\r\n", request), 405);
}

TEST(AdminRequest, AReplyToHeadHasTheLengthAndNoBody) {
  const AdminReply reply{200, "text/plain", "ok\n"};
  const std::string head = admin_reply_text(reply, true);
  EXPECT_EQ(admin_reply_text(reply, false), head + "ok\n");
  EXPECT_EQ(head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
  EXPECT_NE(head.find("\r\nContent-Length: 3\r\n"), std::string::npos);
  EXPECT_NE(admin_reply_text({405, "text/plain", ""}, false).find("\r\nAllow: GET, HEAD\r\n"),
            std::string::npos);
}

}  // namespace
}  // namespace freshet::proxy
