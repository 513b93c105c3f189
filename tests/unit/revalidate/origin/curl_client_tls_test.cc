#include <gtest/gtest.h>
#include <thread>

#include "revalidate/origin/curl_client.h"
#include "tests/unit/revalidate/origin/poll_loop.h"
#include "tests/unit/revalidate/origin/raw_origin.h"
#include "tests/unit/revalidate/origin/recorder.h"
#include "tests/unit/revalidate/origin/tls_origin.h"

namespace freshet::revalidate {
namespace {

class CurlClientTlsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!TlsOrigin::available()) GTEST_SKIP() << "no openssl binary to make a certificate with";
    origin_ = std::make_unique<TlsOrigin>();
    options_.origin.tls = true;
    options_.origin.host = "localhost";
    options_.origin.port = origin_->port();
    options_.ca_file = origin_->certificate();
  }

  Recorder fetch(const std::string& target) {
    CurlClient client(loop_, options_, counters_);
    OriginRequest request;
    request.method = "GET";
    request.target = target;
    request.fields.add("Host", "localhost");
    Recorder recorder;
    const auto call = client.start(std::move(request), recorder, nullptr);
    EXPECT_TRUE(loop_.run_until([&recorder] { return recorder.ended(); }));
    return recorder;
  }

  PollLoop loop_;
  storage::Counters counters_;
  CurlClient::Options options_;
  std::unique_ptr<TlsOrigin> origin_;
};

TEST_F(CurlClientTlsTest, AVerifiedOriginAnswers) {
  origin_->put("page", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  const Recorder seen = fetch("/page");
  EXPECT_EQ(seen.completed, 1) << seen.error.detail;
  EXPECT_EQ(seen.body, "hello");
}

TEST_F(CurlClientTlsTest, AnUnknownIssuerIsRefusedBeforeTheRequest) {
  options_.ca_file.clear();
  const Recorder seen = fetch("/page");
  EXPECT_EQ(seen.error.failure, OriginFailure::kTls) << seen.error.detail;
  EXPECT_EQ(seen.sent, 0);
}

TEST_F(CurlClientTlsTest, AnotherNameIsRefused) {
  options_.origin.host = "127.0.0.1";
  const Recorder seen = fetch("/page");
  EXPECT_EQ(seen.error.failure, OriginFailure::kTls) << seen.error.detail;
  EXPECT_EQ(seen.sent, 0);
}

TEST_F(CurlClientTlsTest, ACaFileThatCannotBeReadIsFoundAtStartUp) {
  EXPECT_TRUE(CurlClient::check(options_).ok());
  options_.ca_file = "/nonexistent/ca.pem";
  const auto status = CurlClient::check(options_);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().find("/nonexistent/ca.pem"), std::string::npos);
}

// Between client and origin: passes TLS records on, but no alert if `cut`, so that close_notify is lost.
void relay(RawConnection& client, std::uint16_t port, bool cut) {
  RawConnection server = connect_to(port);
  std::thread upstream([&client, &server] {
    for (std::string bytes = client.read_some(); !bytes.empty(); bytes = client.read_some())
      server.send(bytes);
  });
  for (;;) {
    const std::string header = server.read_exactly(5);
    if (header.size() < 5 || (cut && header[0] == 21)) break;
    const auto high = static_cast<unsigned char>(header[3]);
    const auto low = static_cast<unsigned char>(header[4]);
    client.send(header + server.read_exactly(std::size_t{high} * 256 + low));
  }
  client.end_sending();
  upstream.join();
  server.close();
}

TEST_F(CurlClientTlsTest, ABodyThatEndsWithTheConnectionNeedsCloseNotify) {
  origin_->put("stream", "HTTP/1.1 200 OK\r\n\r\nuntil the end");
  for (const bool cut : {false, true}) {
    const RawOrigin between([this, cut](RawConnection& client, int) { relay(client, origin_->port(), cut); });
    options_.origin.port = between.port();
    const Recorder seen = fetch("/stream");
    EXPECT_EQ(seen.body, "until the end");
    EXPECT_EQ(seen.completed, cut ? 0 : 1) << seen.error.detail;
    if (cut) {
      EXPECT_EQ(seen.error.failure, OriginFailure::kTruncated);
    }
  }
}

}  // namespace
}  // namespace freshet::revalidate
