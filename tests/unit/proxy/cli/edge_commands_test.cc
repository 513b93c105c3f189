#include "proxy/cli/edge_commands.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

TEST(EdgeCommands, OneLineForAPurge) {
  PurgeOrder order;
  order.urls = {"http://a/", "http://b/"};
  order.tags = {"t"};
  PurgeReply reply;
  reply.sequence = 123;
  reply.durable = true;
  EXPECT_EQ(purge_result_line(order, reply), "purged: 2 URLs, 1 tag; sequence 123 (durable)");
  order.soft = true;
  order.urls.clear();
  order.tags.clear();
  order.prefixes = {"http://a/"};
  order.hosts = {"a", "b"};
  reply.durable = false;
  reply.error = "applied, not durable: disk full";
  EXPECT_EQ(purge_result_line(order, reply),
            "made stale: 1 prefix, 2 hosts; sequence 123 (applied, not durable: disk full)");
  order.all = true;
  reply.durable = true;
  EXPECT_EQ(purge_result_line(order, reply), "made stale: everything; sequence 123 (durable)");
}

TEST(EdgeCommands, AnErrorRepeatsWhatWasWritten) {
  PurgeOrder order;
  order.urls = {"http://a/", "b"};
  EXPECT_EQ(purge_error_lines(order, {{"urls[1]", "has no scheme"}, {"urls[9]", "x"}, {"", "is too much"}}),
            (std::vector<std::string>{"freshet: \"b\" has no scheme", "freshet: urls[9] x",
                                      "freshet: is too much"}));
}

TEST(EdgeCommands, AnAnswerIsWholeOrNone) {
  const std::string head = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\nX: y\r\n\r\n";
  const auto answer = parse_edge_answer(head + "ok\n");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value().status, 503);
  EXPECT_EQ(answer.value().body, "ok\n");
  for (const std::string& bad :
       {std::string(), std::string("HTTP/1.1 "), std::string("HTTP/1.1 20"), std::string("HTTP/1.1 \r\n\r\n"),
        head, head + "ok", head + "okay", std::string("HTTP/1.1 200 OK\r\n\r\n"),
        std::string("SSH-2.0\r\nContent-Length: 0\r\n\r\n"),
        std::string("HTTP/1.1 x00 OK\r\nContent-Length: 0\r\n\r\n")}) {
    EXPECT_FALSE(parse_edge_answer(bad).ok()) << bad;
  }
}

TEST(EdgeCommands, WhereTheEdgeIsNot) {
  EdgePlace place;
  place.socket = "/nonexistent/admin.sock";
  EXPECT_EQ(ask_edge(place, "/").error(),
            "cannot reach the edge at /nonexistent/admin.sock: No such file or directory; no edge runs on "
            "this cache "
            "directory (see --cache-dir, --config, --admin)");
  place.socket = std::string(200, 'x');
  EXPECT_NE(ask_edge(place, "/").error().find("too long"), std::string::npos);
}

}  // namespace
}  // namespace freshet::proxy
