#include "proxy/admin/admin_server.h"

#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include "proxy/admin/metrics_endpoint.h"
#include "tests/unit/proxy/admin/poll_loop.h"

namespace freshet::proxy {
namespace {

class AdminServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "freshet_admin_XXXXXX";
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ + "/admin.sock";
  }
  void TearDown() override {
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
  }

  std::unique_ptr<AdminServer> make_server() {
    auto server = std::make_unique<AdminServer>(loop_);
    StandardEndpoints standard;
    standard.counters = &counters_;
    standard.ready = [this] { return ready_; };
    add_standard_endpoints(*server, standard);
    return server;
  }

  storage::Result<SocketAddress> listen(AdminServer& server) const {
    return server.listen(SocketAddress::parse("unix:" + path_).take());
  }

  // A client that is connected and does not wait.
  [[nodiscard]] int connect() const {
    const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path_;
    return client;
  }

  // Turns the loop until the server has closed; returns what it sent. Bounded, so that a server that hangs
  // fails.
  std::string read_all(int client) {
    std::string got;
    for (int turns = 0; turns < 1000; ++turns) {
      loop_.turn(1);
      char piece[4096];
      ssize_t n = 0;
      while ((n = ::recv(client, piece, sizeof piece, 0)) > 0) got.append(piece, static_cast<std::size_t>(n));
      if (n == 0) return got;
    }
    ADD_FAILURE() << "the server did not close; it sent: " << got;
    return got;
  }

  std::string exchange(const std::string& request) {
    const int client = connect();
    EXPECT_EQ(::send(client, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string reply = read_all(client);
    ::close(client);
    return reply;
  }

  std::string get(const std::string& path) {
    return exchange("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
  }

  PollLoop loop_;
  storage::CounterSet counters_;
  bool ready_ = true;
  std::string directory_;
  std::string path_;
};

int status_of(const std::string& reply) {
  return reply.size() < 12 ? 0 : std::stoi(reply.substr(9, 3));
}

TEST_F(AdminServerTest, AnswersOverItsUnixSocket) {
  const auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  const std::string health = get("/healthz");
  EXPECT_EQ(status_of(health), 200);
  EXPECT_EQ(health.substr(health.find("\r\n\r\n")), "\r\n\r\nok\n");
  counters_.make().add(storage::Counter::kHits, 41);
  counters_.make().add(storage::Counter::kHits, 1);
  EXPECT_NE(get("/metrics").find("\nfreshet_requests_total{outcome=\"hit\"} 42\n"), std::string::npos);
  EXPECT_EQ(status_of(get("/readyz")), 200);
  ready_ = false;
  EXPECT_EQ(status_of(get("/readyz")), 503);
  EXPECT_EQ(status_of(get("/nothing")), 404);
}

TEST_F(AdminServerTest, SaysWhenNoRequestIsUnderWay) {
  const auto server = make_server();
  AdminAnswer answer;
  server->route_post("/later", [&](const AdminRequest&, AdminAnswer given) { answer = std::move(given); });
  ASSERT_TRUE(listen(*server).ok());
  int idle = 0;
  const auto wait = [&] { server->when_idle([&] { ++idle; }); };
  wait();
  EXPECT_EQ(idle, 1) << "at once";

  // Connected, and nothing asked.
  const int silent = connect();
  loop_.turn(10);
  wait();
  EXPECT_EQ(idle, 2);

  const int asking = connect();
  const auto send = [](int client, std::string_view text) {
    EXPECT_EQ(::send(client, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  };
  send(asking, "POST /later HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n");
  loop_.turn(10);
  loop_.turn(10);
  wait();
  EXPECT_EQ(idle, 2) << "half a head";
  send(asking, "Content-Length: 2\r\n\r\n{}");
  while (!answer) loop_.turn(10);
  EXPECT_EQ(idle, 2) << "not answered";
  answer(plain_admin_reply(200, "done"));
  EXPECT_EQ(idle, 3);
  EXPECT_EQ(status_of(read_all(asking)), 200);
  ::close(asking);

  send(silent, "GET /hea");
  while (server->connections() > 1) loop_.turn(10);
  loop_.turn(10);
  wait();
  EXPECT_EQ(idle, 3);
  ::close(silent);
  while (server->connections() > 0) loop_.turn(10);
  EXPECT_EQ(idle, 4) << "who asked has gone";
}

TEST_F(AdminServerTest, RefusesWhatItDoesNotSpeak) {
  const auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  EXPECT_EQ(status_of(exchange("POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello")), 405);
  EXPECT_EQ(status_of(exchange("nonsense\r\n\r\n")), 400);
  EXPECT_EQ(status_of(exchange("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n")), 431);
  EXPECT_EQ(status_of(exchange("GET / HTTP/1.1\r\nX: " + std::string(9000, 'x'))), 431);
  const std::string head = exchange("HEAD /healthz HTTP/1.1\r\n\r\n");
  EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n");
  EXPECT_NE(head.find("Content-Length: 3\r\n"), std::string::npos);
}

TEST_F(AdminServerTest, AHeadMayComeInPieces) {
  const auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  const int client = connect();
  for (const char byte : std::string("GET /healthz HTTP/1.1\r\n\r\n")) {
    ASSERT_EQ(::send(client, &byte, 1, MSG_NOSIGNAL), 1);
    loop_.turn(1);
  }
  EXPECT_EQ(status_of(read_all(client)), 200);
  ::close(client);
}

TEST_F(AdminServerTest, ALargeReplyArrivesWhole) {
  const auto server = make_server();
  server->route("/large",
                [](const AdminRequest&) { return plain_admin_reply(200, std::string(3'000'000, 'x')); });
  ASSERT_TRUE(listen(*server).ok());
  const std::string reply = get("/large");
  EXPECT_EQ(reply.size() - reply.find("\r\n\r\n") - 4, 3'000'000U);
}

TEST_F(AdminServerTest, EndsConnectionsThatSayNothing) {
  const auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  const int client = connect();
  loop_.turn(1000);
  EXPECT_EQ(server->connections(), 1U);
  loop_.advance(storage::Milliseconds{9'999});
  loop_.turn(0);
  EXPECT_EQ(server->connections(), 1U);
  loop_.advance(storage::Milliseconds{1});
  loop_.turn(0);
  EXPECT_EQ(server->connections(), 0U);
  ::close(client);
}

std::string post(const std::string& path, const std::string& content, const std::string& more = "") {
  return "POST " + path +
         " HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(content.size()) +
         "\r\n" + more + "\r\n" + content;
}

void echo(const AdminRequest& request, const AdminAnswer& answer) {
  answer(plain_admin_reply(200, request.body));
}

TEST_F(AdminServerTest, AnActionGetsItsContent) {
  const auto server = make_server();
  server->route_post("/echo", echo);
  ASSERT_TRUE(listen(*server).ok());
  EXPECT_TRUE(exchange(post("/echo", "{\"a\":1}")).ends_with("\r\n\r\n{\"a\":1}"));
  EXPECT_TRUE(exchange(post("/echo", "") + "what follows").ends_with("\r\n\r\n"));
  const std::string whole(1024 * 1024, 'x');
  const int client = connect();
  const std::string request = post("/echo", whole);
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t wrote = ::send(client, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (wrote > 0) sent += static_cast<std::size_t>(wrote);
    loop_.turn(0);
  }
  EXPECT_TRUE(read_all(client).ends_with("\r\n\r\n" + whole));
  ::close(client);
}

TEST_F(AdminServerTest, AnActionIsPostAndNothingElseIs) {
  const auto server = make_server();
  server->route_post("/echo", echo);
  ASSERT_TRUE(listen(*server).ok());
  const std::string refused = get("/echo");
  EXPECT_EQ(status_of(refused), 405);
  EXPECT_NE(refused.find("\r\nAllow: POST\r\n"), std::string::npos);
  EXPECT_EQ(status_of(exchange(post("/metrics", "{}"))), 405);
  EXPECT_EQ(status_of(exchange(post("/nothing", "{}"))), 404);
  EXPECT_EQ(status_of(exchange("POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n\r\n")), 411);
  EXPECT_EQ(status_of(exchange("POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")), 415);
  EXPECT_EQ(status_of(exchange("POST /echo HTTP/1.1\r\nContent-Type: application/json\r\n"
                               "Content-Length: 1048577\r\n\r\n")),
            413);
  const std::string asked = exchange(post("/echo", "{}", "Expect: 100-continue\r\n"));
  EXPECT_EQ(status_of(asked), 200) << "its content had come already";
}

TEST_F(AdminServerTest, AnActionMayAnswerLaterAndToNobody) {
  auto server = make_server();
  std::vector<AdminAnswer> waiting;
  server->route_post("/later", [&](const AdminRequest& /*request*/, AdminAnswer answer) {
    waiting.push_back(std::move(answer));
  });
  ASSERT_TRUE(listen(*server).ok());
  const std::string request = post("/later", "{}");
  const auto ask = [&] {
    const int client = connect();
    EXPECT_EQ(::send(client, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    const std::size_t before = waiting.size();
    for (int turns = 0; turns < 100 && waiting.size() == before; ++turns) loop_.turn(1);
    return client;
  };
  const int patient = ask();
  ASSERT_EQ(waiting.size(), 1U);
  loop_.advance(storage::Milliseconds{30'000});
  loop_.turn(0);
  waiting[0](plain_admin_reply(200, "late\n"));
  waiting[0](plain_admin_reply(500, "again\n"));
  const std::string reply = read_all(patient);
  EXPECT_TRUE(reply.ends_with("late\n")) << reply;
  ::close(patient);

  const int forgotten = ask();
  ASSERT_EQ(waiting.size(), 2U);
  loop_.advance(storage::Milliseconds{60'000});
  EXPECT_EQ(read_all(forgotten), "");
  waiting[1](plain_admin_reply(200, ""));
  ::close(forgotten);

  const int orphan = ask();
  server.reset();
  waiting[2](plain_admin_reply(200, ""));
  ::close(orphan);
}

TEST_F(AdminServerTest, ATokenGuardsAllButTheProbes) {
  const auto server = make_server();
  server->route_post("/echo", echo);
  const auto address = server->listen(SocketAddress::parse("127.0.0.1:0").take(), "0123456789abcdef");
  ASSERT_TRUE(address.ok());
  const auto ask = [&](const std::string& request) {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(client, address.value().raw(), address.value().raw_size()), 0);
    EXPECT_EQ(::fcntl(client, F_SETFL, O_NONBLOCK), 0);
    EXPECT_GT(::send(client, request.data(), request.size(), MSG_NOSIGNAL), 0);
    std::string reply = read_all(client);
    ::close(client);
    return reply;
  };
  const std::string token = "Authorization: Bearer 0123456789abcdef\r\n";
  EXPECT_EQ(status_of(ask("GET /healthz HTTP/1.1\r\nHost: pod\r\n\r\n")), 200);
  EXPECT_EQ(status_of(ask("GET /readyz HTTP/1.1\r\nHost: pod\r\n\r\n")), 200);
  const std::string refused = ask("GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_EQ(status_of(refused), 401);
  EXPECT_NE(refused.find("\r\nWWW-Authenticate: Bearer\r\n"), std::string::npos);
  EXPECT_EQ(status_of(ask("GET /nothing HTTP/1.1\r\n\r\n")), 401) << "nor what there is";
  EXPECT_EQ(status_of(ask("GET /metrics HTTP/1.1\r\n" + token + "\r\n")), 200);
  EXPECT_EQ(status_of(ask(post("/echo", "{}"))), 401);
  EXPECT_EQ(status_of(ask(post("/echo", "{}", token))), 200);
}

TEST_F(AdminServerTest, ForgetsConnectionsThatAreDone) {
  const auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  for (int i = 0; i < 200; ++i) EXPECT_EQ(status_of(get("/healthz")), 200);
  loop_.turn(0);
  loop_.turn(0);
  EXPECT_EQ(server->connections(), 0U);
  EXPECT_EQ(loop_.watches(), 1U);
}

TEST_F(AdminServerTest, HasABoundOnConnections) {
  const auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  std::vector<int> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(connect());
    loop_.turn(1000);
  }
  EXPECT_EQ(server->connections(), 64U);
  const int one_more = connect();
  EXPECT_EQ(read_all(one_more), "");
  for (const int client : clients) ::close(client);
  ::close(one_more);
}

TEST_F(AdminServerTest, ServesADescriptorThatItIsGiven) {
  const auto server = make_server();
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  server->serve(Descriptor{pair[0]}, {});
  ASSERT_EQ(::fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
  const std::string request = "GET /healthz HTTP/1.0\r\n\r\n";
  ASSERT_EQ(::send(pair[1], request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  EXPECT_EQ(status_of(read_all(pair[1])), 200);
  ::close(pair[1]);
}

TEST_F(AdminServerTest, DestroyedWithConnectionsOpenLeavesNothing) {
  auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  const int client = connect();
  loop_.turn(1000);
  ::shutdown(client, SHUT_RDWR);
  loop_.turn(1000);  // its end is posted, or about to be
  server.reset();
  loop_.turn(0);
  EXPECT_EQ(loop_.watches(), 0U);
  ::close(client);
}

TEST_F(AdminServerTest, TheSocketIsForOwnerAndGroup) {
  const auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  struct stat about {};
  ASSERT_EQ(::stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0660U);
}

TEST_F(AdminServerTest, ReplacesTheSocketOfAKilledProcess) {
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(dead, 1), 0);
  ::close(dead);
  const auto server = make_server();
  ASSERT_TRUE(listen(*server).ok());
  EXPECT_EQ(status_of(get("/healthz")), 200);
}

TEST_F(AdminServerTest, LeavesTheSocketOfALiveProcessAlone) {
  const auto first = make_server();
  ASSERT_TRUE(listen(*first).ok());
  {
    const auto second = make_server();
    const auto status = listen(*second);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error(), "cannot listen on unix:" + path_ + ": address already in use");
  }
  EXPECT_EQ(status_of(get("/healthz")), 200);
}

TEST_F(AdminServerTest, LeavesOtherFilesAlone) {
  std::ofstream(path_) << "precious";
  const auto status = listen(*make_server());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error(), "cannot listen on unix:" + path_ + ": the path exists and is not a socket");
  std::string kept;
  std::ifstream(path_) >> kept;
  EXPECT_EQ(kept, "precious");
}

TEST_F(AdminServerTest, ListensOnTcpAndFindsABusyPort) {
  const auto server = make_server();
  const auto bound = server->listen(SocketAddress::parse("127.0.0.1:0").take());
  ASSERT_TRUE(bound.ok()) << bound.error();
  const std::uint16_t port = bound.value().port();
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::fcntl(client, F_SETFL, O_NONBLOCK), 0);
  const std::string request = "GET /healthz HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(client, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  EXPECT_EQ(status_of(read_all(client)), 200);
  ::close(client);
  const auto busy = make_server()->listen(bound.value());
  ASSERT_FALSE(busy.ok());
  EXPECT_NE(busy.error().find("address already in use"), std::string::npos) << busy.error();
}

}  // namespace
}  // namespace freshet::proxy
