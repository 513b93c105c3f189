#include "proxy/net/proxy_acceptor.h"

#include <array>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace freshet::proxy {
namespace {

using storage::Counter;
using storage::Milliseconds;

class ProxyAcceptorTest : public testing::Test {
 protected:
  std::unique_ptr<ProxyAcceptor> make(Milliseconds timeout = std::chrono::hours{1}) {
    ProxyAcceptor::Hooks hooks;
    hooks.told = [this](Descriptor socket, const SocketAddress& client) {
      told_.emplace_back(std::move(socket), client);
      loop_.stop();
    };
    hooks.gone = [this] {
      ++gone_;
      loop_.stop();
    };
    return std::make_unique<ProxyAcceptor>(loop_, timers_, counters_.make(), timeout, std::move(hooks));
  }

  static Descriptor connect(ProxyAcceptor& acceptor) {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    acceptor.accept(Descriptor{ends[0]}, SocketAddress::of(*IpAddress::parse("192.0.2.9"), 9));
    return Descriptor{ends[1]};
  }

  static void send(const Descriptor& client, const std::string& bytes) {
    EXPECT_EQ(write(client.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  static std::string read_all(const Descriptor& socket) {
    std::array<char, 2000> bytes{};
    const ssize_t got = read(socket.get(), bytes.data(), bytes.size());
    return got < 0 ? "" : std::string(bytes.data(), static_cast<std::size_t>(got));
  }

  EventLoop loop_;
  CoarseTimers timers_{loop_, Milliseconds{1}};
  storage::CounterSet counters_;
  std::vector<std::pair<Descriptor, SocketAddress>> told_;
  int gone_ = 0;
};

TEST_F(ProxyAcceptorTest, HandsOnWithTheAddressAndWhatFollows) {
  const auto acceptor = make();
  const Descriptor client = connect(*acceptor);
  send(client, "PROXY TCP4 203.0.113.5 192.0.2.1 4711 80\r\nGET / HTTP/1.1\r\n");
  loop_.run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].second.text(), "203.0.113.5:4711");
  EXPECT_EQ(read_all(told_[0].first), "GET / HTTP/1.1\r\n");
  EXPECT_TRUE(acceptor->empty());
  EXPECT_EQ(gone_, 0);
}

TEST_F(ProxyAcceptorTest, ALongHeaderInOneGo) {
  const auto acceptor = make();
  const Descriptor client = connect(*acceptor);
  const std::string noop(2000, 'x');
  std::string header("\r\n\r\n\0\r\nQUIT\n\x21\x11", 14);
  const std::size_t length = 12 + 3 + noop.size();
  header += static_cast<char>(length >> 8);
  header += static_cast<char>(length & 0xff);
  header += std::string("\xcb\0\x71\5\xc0\0\2\1\x12\x67\0\x50", 12);
  header += '\4';
  header += static_cast<char>(noop.size() >> 8);
  header += static_cast<char>(noop.size() & 0xff);
  send(client, header + noop + "behind");
  loop_.run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].second.text(), "203.0.113.5:4711");
  EXPECT_EQ(read_all(told_[0].first), "behind");
}

TEST_F(ProxyAcceptorTest, WithoutAnAddressTheConnectionsOwnCounts) {
  const auto acceptor = make();
  const Descriptor client = connect(*acceptor);
  send(client, "PROXY UNKNOWN\r\n");
  loop_.run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].second.text(), "192.0.2.9:9");
}

TEST_F(ProxyAcceptorTest, AUnixSocketAtTheProxyIsNoAddressAndNotOurs) {
  const auto acceptor = make();
  const Descriptor client = connect(*acceptor);
  send(client, std::string("\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8", 16) + std::string(216, '\0'));
  loop_.run();
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].second.ip(), std::nullopt);
  EXPECT_FALSE(told_[0].second.is_unix());
}

TEST_F(ProxyAcceptorTest, ARequestWithoutAHeaderIsClosedAndCounted) {
  const auto acceptor = make();
  const Descriptor client = connect(*acceptor);
  send(client, "GET / HTTP/1.1\r\n");
  loop_.run();
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(gone_, 1);
  EXPECT_EQ(counters_.sum(Counter::kProxyRefused), 1);
}

TEST_F(ProxyAcceptorTest, OneThatBreaksOffIsCounted) {
  const auto acceptor = make();
  Descriptor client = connect(*acceptor);
  send(client, "PROXY TC");
  client.reset();
  loop_.run();
  EXPECT_EQ(gone_, 1);
  EXPECT_EQ(counters_.sum(Counter::kProxyRefused), 1);
}

TEST_F(ProxyAcceptorTest, AProbeIsNoFault) {
  const auto acceptor = make();
  connect(*acceptor).reset();
  loop_.run();
  EXPECT_EQ(gone_, 1);
  EXPECT_EQ(counters_.sum(Counter::kProxyRefused), 0);
}

TEST_F(ProxyAcceptorTest, OneThatTakesTooLongIsClosed) {
  const auto acceptor = make(Milliseconds{1});
  const Descriptor client = connect(*acceptor);
  send(client, "PROXY ");
  loop_.run();
  EXPECT_EQ(gone_, 1);
  EXPECT_EQ(counters_.sum(Counter::kProxyRefused), 1);
}

TEST_F(ProxyAcceptorTest, ADrainClosesTheSilentAndWaitsForTheOthers) {
  const auto acceptor = make();
  const Descriptor silent = connect(*acceptor);
  const Descriptor begun = connect(*acceptor);
  const Descriptor whole = connect(*acceptor);
  send(begun, "PROXY ");
  send(whole, "PROXY UNKNOWN\r\n");
  acceptor->drain();
  EXPECT_EQ(gone_, 1);
  EXPECT_EQ(told_.size(), 1U);
  EXPECT_FALSE(acceptor->empty());
  send(begun, "UNKNOWN\r\n");
  loop_.run();
  loop_.run();
  EXPECT_EQ(told_.size(), 2U);
  EXPECT_TRUE(acceptor->empty());
}

}  // namespace
}  // namespace freshet::proxy
