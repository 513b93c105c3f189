#include "proxy/net/tls_connection.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "proxy/net/tls_context.h"
#include "tests/unit/proxy/net/certificate_files.h"

namespace freshet::proxy {
namespace {

using storage::Milliseconds;

// A connection whose handshake is done, with OpenSSL's client at the other end.
class TlsConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as main does
    TlsOptions options;
    options.certificates.push_back(files_.make("a", "DNS:a.test"));
    std::vector<std::string> warnings;
    auto opened = TlsCredentials::open(options, warnings);
    ASSERT_TRUE(opened) << opened.error();
    credentials_ = opened.take();

    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    socket_ = Descriptor{ends[0]};
    peer_ = Descriptor{ends[1]};
    connection_ = std::make_unique<TlsConnection>(credentials_->current(), worker_, socket_.get());
    client_.reset(SSL_new(client_context_.get()));
    SSL_set_fd(client_.get(), peer_.get());
    TransportOutcome outcome = TransportOutcome::kBlocked;
    for (int i = 0; i < 10 && outcome != TransportOutcome::kDone; ++i) {
      SSL_connect(client_.get());
      outcome = connection_->handshake();
    }
    ASSERT_EQ(outcome, TransportOutcome::kDone);
  }

  TransportOutcome write(const std::vector<std::string>& pieces, std::size_t& written) {
    std::vector<iovec> vectors;
    vectors.reserve(pieces.size());
    for (const std::string& piece : pieces)
      vectors.push_back({const_cast<char*>(piece.data()), piece.size()});
    return connection_->write(vectors.data(), vectors.size(), written);
  }

  // One record, or nothing where none is there.
  std::string client_record() {
    std::string text(20'000, '\0');
    std::size_t got = 0;
    if (SSL_read_ex(client_.get(), text.data(), text.size(), &got) != 1) got = 0;
    text.resize(got);
    return text;
  }

  void client_sends(const std::string& text) {
    std::size_t written = 0;
    ASSERT_EQ(SSL_write_ex(client_.get(), text.data(), text.size(), &written), 1);
  }

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  CertificateFiles files_;
  EventLoop loop_;
  CoarseTimers timers_{loop_, Milliseconds{1}};
  TlsWorker worker_{loop_, timers_, Milliseconds{2}};
  std::unique_ptr<TlsCredentials> credentials_;
  Descriptor socket_;
  Descriptor peer_;
  std::unique_ptr<TlsConnection> connection_;
  std::unique_ptr<SSL_CTX, Free> client_context_{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<SSL, Free> client_;
};

TEST_F(TlsConnectionTest, SmallPiecesAreOneRecordAndLargeOnesAreCutAtItsSize) {
  std::size_t written = 0;
  EXPECT_EQ(write({"head\r\n", "", "body"}, written), TransportOutcome::kDone);
  EXPECT_EQ(written, 10U);
  EXPECT_EQ(client_record(), "head\r\nbody");
  const std::string body(40'000, 'b');
  EXPECT_EQ(write({"head\r\n", body, "tail"}, written), TransportOutcome::kDone);
  EXPECT_EQ(written, body.size() + 10);
  std::string whole;
  std::vector<std::size_t> sizes;
  for (std::string record = client_record(); !record.empty(); record = client_record()) {
    sizes.push_back(record.size());
    whole += record;
  }
  EXPECT_EQ(whole, "head\r\n" + body + "tail");
  EXPECT_EQ(sizes, (std::vector<std::size_t>{TlsWorker::kRecord, TlsWorker::kRecord,
                                             40'010 - 2 * TlsWorker::kRecord}));
}

TEST_F(TlsConnectionTest, WhatTheSocketHasNoRoomForComesAgainAndPerhapsMoreBehindIt) {
  const int small = 8 * 1024;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  std::string whole;
  for (int i = 0; i < 100'000; ++i) whole += std::to_string(i) + ",";
  std::string arrived;
  std::size_t sent = 0;
  int blocked = 0;
  std::size_t given = 20'000;  // what the output holds; it grows
  while (arrived.size() < whole.size()) {
    // In odd pieces, and elsewhere in memory each time.
    std::vector<std::string> pieces;
    for (std::size_t at = sent; at < given; at += 777)
      pieces.push_back(whole.substr(at, std::min<std::size_t>(777, given - at)));
    std::size_t written = 0;
    const TransportOutcome outcome = write(pieces, written);
    ASSERT_NE(outcome, TransportOutcome::kBroken);
    if (outcome == TransportOutcome::kBlocked) ++blocked;
    sent += written;
    given = std::min(given + 5000, whole.size());
    arrived += client_record();
  }
  EXPECT_EQ(arrived, whole);
  EXPECT_GT(blocked, 0);
}

// Each asks for one in return.
TEST_F(TlsConnectionTest, AFloodOfKeyUpdatesBreaksTheConnection) {
  std::array<char, 64> buffer{};
  std::size_t got = 0;
  const auto update = [&] {
    SSL_key_update(client_.get(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client_.get());
    return connection_->read(buffer.data(), buffer.size(), got);
  };
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(update(), TransportOutcome::kBlocked);
    client_record();  // its answers
  }
  client_sends("data");
  TransportOutcome outcome = TransportOutcome::kBlocked;
  for (int i = 0; i < 4 && outcome == TransportOutcome::kBlocked; ++i) {
    outcome = connection_->read(buffer.data(), buffer.size(), got);
  }
  ASSERT_EQ(outcome, TransportOutcome::kDone);
  EXPECT_EQ(std::string(buffer.data(), got), "data");
  outcome = TransportOutcome::kBlocked;
  for (int i = 0; i < 1000 && outcome == TransportOutcome::kBlocked; ++i) {
    outcome = update();
    client_record();
  }
  EXPECT_EQ(outcome, TransportOutcome::kBroken);
}

// As many as fit the socket, at once: none of them may be worked off behind the limit's back.
TEST_F(TlsConnectionTest, AReadComesBackFromKeyUpdatesThatBringNoData) {
  std::array<char, 64> buffer{};
  std::size_t got = 0;
  for (int i = 0; i < 2000; ++i) {
    SSL_key_update(client_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(client_.get());
  }
  TransportOutcome outcome = TransportOutcome::kBlocked;
  for (int i = 0; i < 2 && outcome == TransportOutcome::kBlocked; ++i) {
    outcome = connection_->read(buffer.data(), buffer.size(), got);
  }
  EXPECT_EQ(outcome, TransportOutcome::kBroken);
}

TEST_F(TlsConnectionTest, InputThatDoesNotFitIsHeldAndSaidToBe) {
  client_sends("first");
  client_sends("second");
  std::array<char, 8> small{};
  std::size_t got = 0;
  EXPECT_EQ(connection_->read(small.data(), small.size(), got), TransportOutcome::kDone);
  EXPECT_EQ(std::string(small.data(), got), "firstsec");
  EXPECT_TRUE(connection_->holds_input());
  EXPECT_EQ(connection_->read(small.data(), small.size(), got), TransportOutcome::kDone);
  EXPECT_EQ(std::string(small.data(), got), "ond");
  EXPECT_FALSE(connection_->holds_input());
  EXPECT_EQ(connection_->read(small.data(), small.size(), got), TransportOutcome::kBlocked);
}

TEST_F(TlsConnectionTest, TheEndIsTheClientsWordForItAndALostStreamIsBroken) {
  std::array<char, 64> buffer{};
  std::size_t got = 0;
  client_sends("last words");
  SSL_shutdown(client_.get());
  EXPECT_EQ(connection_->read(buffer.data(), buffer.size(), got), TransportOutcome::kDone);
  EXPECT_EQ(got, 10U);
  // What says so has come with the words, so the socket will not announce it.
  EXPECT_TRUE(connection_->holds_input());
  EXPECT_EQ(connection_->read(buffer.data(), buffer.size(), got), TransportOutcome::kEnd);
  // It still reads.
  std::size_t written = 0;
  EXPECT_EQ(write({"answer"}, written), TransportOutcome::kDone);
  EXPECT_EQ(client_record(), "answer");
}

TEST_F(TlsConnectionTest, AStreamThatBreaksOffIsBrokenAndStaysSo) {
  std::array<char, 64> buffer{};
  std::size_t got = 0;
  client_sends("half a requ");
  peer_.reset();
  EXPECT_EQ(connection_->read(buffer.data(), buffer.size(), got), TransportOutcome::kDone);
  EXPECT_EQ(connection_->read(buffer.data(), buffer.size(), got), TransportOutcome::kBroken);
  EXPECT_EQ(connection_->read(buffer.data(), buffer.size(), got), TransportOutcome::kBroken);
  std::size_t written = 0;
  EXPECT_EQ(write({"answer"}, written), TransportOutcome::kBroken);
}

TEST_F(TlsConnectionTest, AnIdleConnectionGivesItsBuffersBackAndGoesOn) {
  std::size_t written = 0;
  EXPECT_EQ(write({"one"}, written), TransportOutcome::kDone);
  EXPECT_EQ(worker_.holding(), 1U);
  std::unique_ptr<storage::IoTimer> until;
  until = loop_.timer([&] { worker_.holding() == 0 ? loop_.stop() : until->arm(Milliseconds{1}); });
  until->arm(Milliseconds{1});
  loop_.run();
  EXPECT_EQ(worker_.holding(), 0U);
  EXPECT_EQ(write({"two"}, written), TransportOutcome::kDone);
  EXPECT_EQ(worker_.holding(), 1U);
  EXPECT_EQ(client_record(), "one");
  EXPECT_EQ(client_record(), "two");
  connection_.reset();
  EXPECT_EQ(worker_.holding(), 0U);
}

}  // namespace
}  // namespace freshet::proxy
