#include "proxy/net/tls_acceptor.h"

#include <array>
#include <csignal>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "tests/unit/proxy/net/certificate_files.h"

namespace freshet::proxy {
namespace {

using storage::Counter;
using storage::Milliseconds;

class TlsAcceptorTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as main does
    TlsOptions options;
    options.certificates.push_back(files_.make("a", "DNS:a.test"));
    std::vector<std::string> warnings;
    auto opened = TlsCredentials::open(options, warnings);
    ASSERT_TRUE(opened) << opened.error();
    credentials_ = opened.take();
  }

  std::unique_ptr<TlsAcceptor> make(Milliseconds timeout) {
    TlsAcceptor::Hooks hooks;
    hooks.established = [](Transport, const SocketAddress&, std::string_view) { ADD_FAILURE(); };
    hooks.gone = [this] {
      ++gone_in_[loop_.turn()];
      if (++gone_ == expected_) loop_.stop();
    };
    return std::make_unique<TlsAcceptor>(loop_, timers_, *credentials_, counters_.make(), timeout,
                                         std::move(hooks));
  }

  // The client's end of a connection that `acceptor` has.
  Descriptor connect(TlsAcceptor& acceptor) {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    acceptor.accept(Descriptor{ends[0]}, SocketAddress::of(*IpAddress::parse("127.0.0.1"), 1));
    return Descriptor{ends[1]};
  }

  static void send(const Descriptor& client, const std::string& bytes) {
    EXPECT_EQ(write(client.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  CertificateFiles files_;
  EventLoop loop_;
  CoarseTimers timers_{loop_, Milliseconds{1}};
  storage::CounterSet counters_;
  std::unique_ptr<TlsCredentials> credentials_;
  std::map<std::uint64_t, int> gone_in_;
  int gone_ = 0;
  int expected_ = 1;
};

// Each of them fails in its first step, so each step shows.
TEST_F(TlsAcceptorTest, AFloodOfHandshakesIsTakenAFewStepsATurn) {
  const auto acceptor = make(std::chrono::hours{1});
  constexpr int kClients = 50;
  expected_ = kClients;
  std::vector<Descriptor> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(connect(*acceptor));
    send(clients.back(), "\x16\x03\x01\x7f\xff noise of a record");
  }
  loop_.run();
  EXPECT_EQ(gone_, kClients);
  EXPECT_GE(gone_in_.size(), static_cast<std::size_t>(kClients / TlsAcceptor::kStepsPerTurn));
  for (const auto& [turn, steps] : gone_in_) EXPECT_LE(steps, TlsAcceptor::kStepsPerTurn) << turn;
  EXPECT_TRUE(acceptor->empty());
  EXPECT_EQ(counters_.sum(Counter::kTlsFailed), kClients);
  EXPECT_EQ(counters_.sum(Counter::kTlsHandshaking), 0);
}

TEST_F(TlsAcceptorTest, WhoLeavesWithoutAWordIsNoFailure) {
  const auto acceptor = make(std::chrono::hours{1});
  connect(*acceptor).reset();
  loop_.run();
  EXPECT_EQ(gone_, 1);
  EXPECT_EQ(counters_.sum(Counter::kTlsFailed), 0);
}

TEST_F(TlsAcceptorTest, WhoTakesTooLongIsClosed) {
  const auto acceptor = make(Milliseconds{5});
  expected_ = 2;
  const Descriptor silent = connect(*acceptor);
  const Descriptor slow = connect(*acceptor);
  send(slow, "\x16\x03");
  loop_.run();
  char byte = 0;
  EXPECT_EQ(read(silent.get(), &byte, 1), 0);
  EXPECT_EQ(counters_.sum(Counter::kTlsFailed), 2);
}

TEST_F(TlsAcceptorTest, PlainHttpIsAnsweredInPlainHttp) {
  const auto acceptor = make(std::chrono::hours{1});
  const Descriptor client = connect(*acceptor);
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  loop_.run();
  std::string answer(1000, '\0');
  const ssize_t got = read(client.get(), answer.data(), answer.size());
  ASSERT_GT(got, 0);
  answer.resize(static_cast<std::size_t>(got));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  const std::size_t body = answer.find("\r\n\r\n") + 4;
  EXPECT_NE(answer.find("Content-Length: " + std::to_string(answer.size() - body) + "\r\n"),
            std::string::npos);
}

TEST_F(TlsAcceptorTest, DrainClosesThoseWhoHaveSaidNothing) {
  const auto acceptor = make(std::chrono::hours{1});
  expected_ = 3;
  const Descriptor silent = connect(*acceptor);
  const Descriptor begun = connect(*acceptor);
  send(begun, "\x16\x03");
  acceptor->drain();
  EXPECT_EQ(gone_, 1);
  EXPECT_FALSE(acceptor->empty());
  char byte = 0;
  EXPECT_EQ(read(silent.get(), &byte, 1), 0);
  EXPECT_EQ(read(begun.get(), &byte, 1), -1);
}

}  // namespace
}  // namespace freshet::proxy
