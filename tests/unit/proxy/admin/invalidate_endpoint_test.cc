#include "proxy/admin/invalidate_endpoint.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/admin/admin_server.h"
#include "storage/memory/memory_store.h"
#include "tests/support/fake_disk.h"
#include "tests/unit/proxy/admin/poll_loop.h"

namespace freshet::proxy {
namespace {

class InvalidateEndpointTest : public testing::Test {
 protected:
  // The reply to an order, from an edge with that store.
  std::string ask(storage::TieredStore& store, const std::string& json) {
    AdminServer server(loop_);
    add_invalidate_endpoint(server, {store, loop_, counters_,
                                     [] { return std::make_shared<const ExchangeOptions>(); }, flights_});
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    server.serve(Descriptor{pair[0]}, {true, ""}, "uid 7");
    const std::string request =
        "POST /v1/invalidate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: " +
        std::to_string(json.size()) + "\r\n\r\n" + json;
    EXPECT_EQ(::send(pair[1], request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    std::string reply;
    for (int turns = 0; turns < 100; ++turns) {
      loop_.turn(1);
      char piece[4096];
      const ssize_t got = ::recv(pair[1], piece, sizeof piece, 0);
      if (got == 0) break;
      if (got > 0) reply.append(piece, static_cast<std::size_t>(got));
    }
    ::close(pair[1]);
    return reply;
  }

  PollLoop loop_;
  storage::Counters counters_;
  storage::Generations generations_;
  storage::MemoryStore memory_{storage::MemoryStoreOptions{1 << 20, 0, 64}, storage::Describe{}, counters_};
  tests::FakeDisk disk_;
  revalidate::FlightTable flights_{revalidate::FlightTableOptions{}};
};

TEST_F(InvalidateEndpointTest, WithNothingOnDiskAllIsDurable) {
  storage::TieredStore store(memory_, nullptr, generations_, counters_);
  const storage::Sequence before = generations_.current();
  const std::string reply = ask(store, R"({"hosts":["a"],"tags":["t"]})");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")) << reply;
  EXPECT_NE(reply.find("\"durable\":true,\"scopes\":2,"), std::string::npos) << reply;
  EXPECT_GT(generations_.current(), before);
}

TEST_F(InvalidateEndpointTest, WhatCannotBeSyncedIsAppliedAndIs503) {
  storage::TieredStore store(memory_, &disk_, generations_, counters_);
  const storage::Sequence before = generations_.current();
  const std::string reply = ask(store, R"({"all":true})");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 503 ")) << reply;
  EXPECT_NE(reply.find("\"durable\":false,\"error\":\"applied, not durable: "), std::string::npos) << reply;
  EXPECT_GT(generations_.current(), before);
}

TEST_F(InvalidateEndpointTest, TheEventLogSaysWhoHasPurgedWhat) {
  storage::TieredStore store(memory_, nullptr, generations_, counters_);
  testing::internal::CaptureStderr();
  (void)ask(store, R"({"hosts":["a","b"],"soft":true})");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("made stale by uid 7 (admin plane): a and 1 more; sequence "), std::string::npos) << log;
}

TEST_F(InvalidateEndpointTest, AWrongOrderDoesNothing) {
  storage::TieredStore store(memory_, nullptr, generations_, counters_);
  const storage::Sequence before = generations_.current();
  const std::string reply = ask(store, R"({"hosts":["a"],"tags":[""]})");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 400 ")) << reply;
  EXPECT_NE(reply.find("\"tags[0]\""), std::string::npos) << reply;
  EXPECT_EQ(generations_.current(), before);
  EXPECT_EQ(counters_.get(storage::Counter::kPurgesRefused), 1);
}

}  // namespace
}  // namespace freshet::proxy
