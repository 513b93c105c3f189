#include "proxy/net/listener.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "proxy/net/event_loop.h"

namespace freshet::proxy {
namespace {

using storage::IoInterest;
using storage::IoReady;
using storage::Milliseconds;

SocketAddress address(const std::string& text) {
  return SocketAddress::parse(text).take();
}

Descriptor connect_to(const SocketAddress& to) {
  Descriptor client{socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
  EXPECT_EQ(connect(client.get(), to.raw(), to.raw_size()), 0) << to.text() << errno;
  return client;
}

int option(int descriptor, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(getsockopt(descriptor, level, name, &value, &size), 0);
  return value;
}

class TemporaryFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "listener.XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  void TearDown() override {
    unlink(socket_path().c_str());
    rmdir(folder_.c_str());
  }
  [[nodiscard]] std::string socket_path() const { return folder_ + "/s"; }
  [[nodiscard]] SocketAddress socket_address() const { return address("unix:" + socket_path()); }

 private:
  std::string folder_;
};

using UnixListener = TemporaryFolder;

// A loop of which the test is the kernel: it says what is ready and when timers fire.
class HandLoop final : public storage::IoLoop {
 public:
  void post(storage::Task) override {}
  std::unique_ptr<storage::IoWatch> watch(int, IoInterest first,
                                          std::function<void(IoReady)> on_ready) override {
    interest = first;
    ready = std::move(on_ready);
    return std::make_unique<Watch>(*this);
  }
  std::unique_ptr<storage::IoTimer> timer(std::function<void()> on_fired) override {
    fired = std::move(on_fired);
    return std::make_unique<Timer>(*this);
  }

  IoInterest interest = IoInterest::kNone;
  bool armed = false;
  std::function<void(IoReady)> ready;
  std::function<void()> fired;

 private:
  struct Watch final : storage::IoWatch {
    explicit Watch(HandLoop& owner) : loop(owner) {}
    void set_interest(IoInterest wanted) override { loop.interest = wanted; }
    HandLoop& loop;
  };
  struct Timer final : storage::IoTimer {
    explicit Timer(HandLoop& owner) : loop(owner) {}
    void arm(Milliseconds) override { loop.armed = true; }
    void cancel() override { loop.armed = false; }
    HandLoop& loop;
  };
};

TEST(Listener, AcceptsAndTellsWhoCame) {
  EventLoop loop;
  auto sockets = open_listening_sockets(address("127.0.0.1:0"), 1).take();
  std::vector<std::pair<Descriptor, SocketAddress>> accepted;
  Listener listener(loop, std::move(sockets[0]), [&](Descriptor socket, const SocketAddress& peer) {
    accepted.emplace_back(std::move(socket), peer);
    if (accepted.size() == 2) loop.stop();
  });
  const Descriptor first = connect_to(listener.address());
  const Descriptor second = connect_to(listener.address());
  loop.run();
  ASSERT_EQ(accepted.size(), 2U);
  EXPECT_EQ(accepted[0].second.text(), local_address(first).text());
  EXPECT_EQ(accepted[1].second.text(), local_address(second).text());
  const int socket = accepted[0].first.get();
  EXPECT_NE(fcntl(socket, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(socket, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST(Listener, AcceptsAllThatWaitsBeforeItIsClosed) {
  HandLoop loop;
  auto sockets = open_listening_sockets(address("127.0.0.1:0"), 1).take();
  const SocketAddress bound = local_address(sockets[0]);
  int accepted = 0;
  Listener listener(loop, std::move(sockets[0]), [&](Descriptor, const SocketAddress&) { ++accepted; });
  std::vector<Descriptor> clients(200);
  for (Descriptor& client : clients) client = connect_to(bound);
  listener.accept_all();
  EXPECT_EQ(accepted, 200);
}

TEST(Listener, WorkersShareOnePort) {
  const auto sockets = open_listening_sockets(address("127.0.0.1:0"), 3).take();
  ASSERT_EQ(sockets.size(), 3U);
  EXPECT_NE(local_address(sockets[0]).port(), 0);
  EXPECT_EQ(local_address(sockets[1]).port(), local_address(sockets[0]).port());
  EXPECT_EQ(local_address(sockets[2]).port(), local_address(sockets[0]).port());
}

TEST(Listener, FindsABusyPortThoughTheOtherSharesIt) {
  const auto held = open_listening_sockets(address("127.0.0.1:0"), 1).take();
  const SocketAddress taken = local_address(held[0]);
  ASSERT_EQ(option(held[0].get(), SOL_SOCKET, SO_REUSEPORT), 1);
  const auto second = open_listening_sockets(taken, 1);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error(), "cannot listen on " + taken.text() + ": address already in use");
}

TEST(Listener, TakesAPortAgainThatWasJustClosed) {
  auto held = open_listening_sockets(address("127.0.0.1:0"), 1).take();
  const SocketAddress taken = local_address(held[0]);
  {
    const Descriptor client = connect_to(taken);
    const Descriptor served{accept(held[0].get(), nullptr, nullptr)};
    EXPECT_TRUE(served.valid());
  }  // closed here first: this side keeps the connection in TIME_WAIT
  held.clear();
  const auto again = open_listening_sockets(taken, 2);
  EXPECT_TRUE(again.ok());
}

TEST(Listener, SaysWhyAnAddressCannotBeHad) {
  const auto foreign = open_listening_sockets(address("192.0.2.1:8080"), 1);
  ASSERT_FALSE(foreign.ok());
  EXPECT_EQ(foreign.error(), "cannot listen on 192.0.2.1:8080: cannot assign requested address");
}

TEST(Listener, IPv6TakesIPv4TooUnlessItIsAlone) {
  for (const bool alone : {false, true}) {
    ListenOptions options;
    options.v6_only = alone;
    const auto opened = open_listening_sockets(address("[::]:0"), 2, options);
    ASSERT_TRUE(opened.ok());
    const Descriptor& socket = opened.value()[0];
    if (local_address(socket).family() != AF_INET6) GTEST_SKIP() << "there is no IPv6 here";
    EXPECT_EQ(option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY), alone ? 1 : 0);
    const std::uint16_t port = local_address(socket).port();
    connect_to(address("[::1]:0").with_port(port));
    const SocketAddress v4 = address("127.0.0.1:0").with_port(port);
    const Descriptor client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(connect(client.get(), v4.raw(), v4.raw_size()), alone ? -1 : 0);
    // With v6only an IPv4 address stands beside it.
    EXPECT_EQ(open_listening_sockets(address("0.0.0.0:0").with_port(port), 1).ok(), alone);
  }
}

// An error that stays for a while, as when descriptors run out; here the socket does not listen yet.
TEST(Listener, RestsWhenItCannotAcceptAndThenGoesOn) {
  HandLoop loop;
  Descriptor bound{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int descriptor = bound.get();
  const SocketAddress any_port = address("127.0.0.1:0");
  ASSERT_EQ(bind(descriptor, any_port.raw(), any_port.raw_size()), 0);
  int accepted = 0;
  Listener listener(loop, std::move(bound), [&](Descriptor, const SocketAddress&) { ++accepted; });
  loop.ready(IoReady{true, false});
  EXPECT_EQ(accepted, 0);
  EXPECT_EQ(loop.interest, IoInterest::kNone);
  EXPECT_TRUE(loop.armed);

  ASSERT_EQ(listen(descriptor, 1), 0);
  const Descriptor client = connect_to(listener.address());
  loop.fired();
  EXPECT_EQ(loop.interest, IoInterest::kRead);
  loop.ready(IoReady{true, false});
  EXPECT_EQ(accepted, 1);
}

TEST_F(UnixListener, AcceptsAndHasItsPermissions) {
  EventLoop loop;
  ListenOptions options;
  options.unix_mode = 0600;
  auto sockets = open_listening_sockets(socket_address(), 1, options).take();
  struct stat found {};
  ASSERT_EQ(stat(socket_path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  bool accepted = false;
  Listener listener(loop, std::move(sockets[0]), [&](Descriptor, const SocketAddress& peer) {
    accepted = true;
    EXPECT_TRUE(peer.is_unix());
    EXPECT_EQ(peer.path(), "");
    loop.stop();
  });
  const Descriptor client = connect_to(socket_address());
  loop.run();
  EXPECT_TRUE(accepted);
}

TEST_F(UnixListener, IsInUseWhileSomebodyAnswers) {
  const auto held = open_listening_sockets(socket_address(), 1).take();
  const auto second = open_listening_sockets(socket_address(), 1);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error(), "cannot listen on unix:" + socket_path() + ": address already in use");
  connect_to(socket_address());  // the first one still answers
}

TEST_F(UnixListener, ReplacesWhatADeadProcessLeft) {
  open_listening_sockets(socket_address(), 1).take().clear();
  struct stat found {};
  ASSERT_EQ(stat(socket_path().c_str(), &found), 0);
  EXPECT_TRUE(open_listening_sockets(socket_address(), 1).ok());
}

TEST_F(UnixListener, HasOneQueueForAllWorkers) {
  EXPECT_EQ(open_listening_sockets(socket_address(), 3).take().size(), 1U);
}

TEST_F(UnixListener, ItsFileGoesWithIt) {
  struct stat found {};
  {
    const auto sockets = open_listening_sockets(socket_address(), 1).take();
    SocketFile file(socket_path());
    const SocketFile moved(std::move(file));
    ASSERT_EQ(stat(socket_path().c_str(), &found), 0);
  }
  EXPECT_EQ(stat(socket_path().c_str(), &found), -1);
}

TEST_F(UnixListener, AnothersFileStays) {
  struct stat found {};
  {
    auto sockets = open_listening_sockets(socket_address(), 1).take();
    const SocketFile file(socket_path());
    // Another process finds nobody there and takes the path. The file is kept, for its number not to come
    // again.
    ASSERT_EQ(rename(socket_path().c_str(), (socket_path() + "o").c_str()), 0);
    sockets = open_listening_sockets(socket_address(), 1).take();
  }
  EXPECT_EQ(stat(socket_path().c_str(), &found), 0);
  unlink((socket_path() + "o").c_str());
}

TEST_F(UnixListener, LeavesAFileAlone) {
  std::ofstream(socket_path()) << "precious";
  const auto opened = open_listening_sockets(socket_address(), 1);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().find("the path exists and is not a socket"), std::string::npos);
  std::string text;
  std::ifstream(socket_path()) >> text;
  EXPECT_EQ(text, "precious");
}

}  // namespace
}  // namespace freshet::proxy
