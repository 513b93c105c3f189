// What is Http1Client's own; what it owes as every OriginClient does stands in origin_client_test.cc.
#include "revalidate/origin/http1_client.h"

#include <atomic>
#include <cstring>
#include <future>
#include <gtest/gtest.h>
#include <memory>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/revalidate/origin/poll_loop.h"
#include "tests/unit/revalidate/origin/raw_origin.h"
#include "tests/unit/revalidate/origin/recorder.h"

namespace freshet::revalidate {
namespace {

using storage::Counter;
using storage::Milliseconds;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

OriginRequest request_of(const std::string& method) {
  OriginRequest request;
  request.method = method;
  request.target = "/";
  request.fields.add("Host", "origin.test");
  return request;
}

SocketEnd loopback_end(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  SocketEnd end;
  std::memcpy(&end.address, &address, sizeof(address));
  end.size = sizeof(address);
  return end;
}

std::uint16_t port_that_refuses() {
  const RawOrigin gone([](RawConnection&, int) {});
  return gone.port();
}

// A port whose queue is full: who connects gets no answer.
class DeafPort {
 public:
  DeafPort() {
    SocketEnd end = loopback_end(0);
    auto* address = static_cast<sockaddr*>(static_cast<void*>(&end.address));
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, address, end.size), 0);
    EXPECT_EQ(::listen(listener_, 0), 0);
    EXPECT_EQ(::getsockname(listener_, address, &end.size), 0);
    for (int& filler : fillers_) {
      filler = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      static_cast<void>(::connect(filler, address, end.size));
    }
    end_ = end;
  }
  ~DeafPort() {
    for (const int filler : fillers_) ::close(filler);
    ::close(listener_);
  }
  DeafPort(const DeafPort&) = delete;
  DeafPort& operator=(const DeafPort&) = delete;
  [[nodiscard]] const SocketEnd& end() const { return end_; }

 private:
  int listener_ = -1;
  int fillers_[4] = {-1, -1, -1, -1};
  SocketEnd end_;
};

class Http1ClientTest : public testing::Test {
 protected:
  void use(RawOrigin::Script script) {
    client_.reset();
    origin_ = std::make_unique<RawOrigin>(std::move(script));
    options_.origin.host = "127.0.0.1";
    options_.origin.port = origin_->port();
    client_ = std::make_unique<Http1Client>(loop_, options_, counters_);
  }
  // The origin's name leads there.
  void resolve_to(const std::vector<SocketEnd>& ends) {
    options_.origin.host = "origin.test";
    client_ = std::make_unique<Http1Client>(loop_, options_, counters_,
                                            [this, ends](const OriginUrl& origin, std::string& why) {
                                              ++resolved_;
                                              if (ends.empty()) why = "no such name: " + origin.host;
                                              return ends;
                                            });
  }
  Recorder fetch(OriginRequest request) {
    Recorder recorder;
    const auto call = client_->start(std::move(request), recorder, nullptr);
    EXPECT_TRUE(loop_.run_until([&recorder] { return recorder.ended(); }));
    return recorder;
  }
  Recorder get() { return fetch(request_of("GET")); }

  PollLoop loop_;
  storage::Counters counters_;
  OriginOptions options_;
  std::atomic<int> resolved_{0};
  std::unique_ptr<RawOrigin> origin_;
  std::unique_ptr<Http1Client> client_;
};

TEST_F(Http1ClientTest, ContentThatComesWithItsHeadIsAnnouncedBeforeIt) {
  use([](RawConnection& peer, int) {
    while (!peer.read_head().empty()) peer.send(kOk);
  });
  const Recorder together = get();
  EXPECT_EQ(together.body, "ok");
  EXPECT_EQ(together.expected, 2U);
  // There the length is that of a body which does not come.
  EXPECT_EQ(fetch(request_of("HEAD")).expected, 0U);
}

TEST_F(Http1ClientTest, ContentOfWhichSomeIsYetToComeIsNotAnnounced) {
  std::promise<void> head_is_there;
  use([&](RawConnection& peer, int) {
    static_cast<void>(peer.read_head());
    peer.send(kOk.substr(0, kOk.size() - 1));
    head_is_there.get_future().wait();
    peer.send("k");
  });
  Recorder recorder;
  recorder.at_head = [&] { head_is_there.set_value(); };
  const auto call = client_->start(request_of("GET"), recorder, nullptr);
  EXPECT_TRUE(loop_.run_until([&recorder] { return recorder.ended(); }));
  EXPECT_EQ(recorder.body, "ok");
  EXPECT_EQ(recorder.expected, 0U);
}

TEST_F(Http1ClientTest, AsksInTheClearAndWithoutABodyAlone) {
  OriginRequest request = request_of("POST");
  EXPECT_TRUE(Http1Client::can_ask(options_, request));
  request.has_body = true;
  EXPECT_FALSE(Http1Client::can_ask(options_, request));
  options_.origin.tls = true;
  EXPECT_FALSE(Http1Client::can_ask(options_, request_of("GET")));
}

TEST_F(Http1ClientTest, TenThousandResponsesComeOverOneConnection) {
  use([](RawConnection& connection, int) {
    while (!connection.read_head().empty()) connection.send(kOk);
  });
  int whole = 0;
  for (int i = 0; i < 10'000; ++i) whole += get().body == "ok" ? 1 : 0;
  EXPECT_EQ(whole, 10'000);
  EXPECT_EQ(origin_->connections(), 1);
  EXPECT_EQ(counters_.get(Counter::kOriginConnections), 1);
  EXPECT_EQ(counters_.get(Counter::kOriginBodyBytes), 20'000);
}

TEST_F(Http1ClientTest, ItDoesNotMatterWhereTheBytesAreCut) {
  const std::string answer =
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;e=1\r\nhello\r\nb\r\n big world!\r\n0\r\nX-Sum: 1\r\n\r\n";
  use([answer](RawConnection& connection, int) {
    while (!connection.read_head().empty()) {
      for (const char byte : answer) connection.send(std::string(1, byte));
    }
  });
  for (int i = 0; i < 20; ++i) {
    const Recorder seen = get();
    EXPECT_EQ(seen.completed, 1) << seen.error.detail;
    EXPECT_EQ(seen.informational, std::vector<int>{103});
    EXPECT_EQ(seen.body, "hello big world!");
    EXPECT_EQ(seen.trailers.wire(), "X-Sum: 1\r\n");
  }
  EXPECT_EQ(origin_->connections(), 1);
}

TEST_F(Http1ClientTest, AnEndAnywhereBeforeTheEndIsAFailure) {
  for (const std::string framing : {"Content-Length: 5\r\n\r\nhello",
                                    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n"}) {
    const std::string answer = "HTTP/1.1 200 OK\r\n" + framing;
    const std::size_t head = answer.find("\r\n\r\n") + 4;
    use([answer](RawConnection& connection, int number) {
      connection.read_head();
      connection.send(answer.substr(0, static_cast<std::size_t>(number)));
    });
    for (std::size_t cut = 0; cut < answer.size(); ++cut) {
      const Recorder seen = get();
      ASSERT_EQ(seen.failed, 1) << cut;
      ASSERT_EQ(seen.error.failure, cut < head ? OriginFailure::kReset : OriginFailure::kTruncated) << cut;
      ASSERT_EQ(seen.heads, cut < head ? 0 : 1) << cut;
    }
    EXPECT_EQ(counters_.get(Counter::kOriginConnections), counters_.get(Counter::kOriginErrors));
    EXPECT_EQ(get().completed, 1);
    counters_.add(Counter::kOriginConnections, -1);
  }
}

TEST_F(Http1ClientTest, APauseAtEachPieceLosesNothing) {
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += static_cast<char>('a' + i * 7 % 26);
  std::string coded;
  for (std::size_t at = 0; at < body.size(); at += 1000) coded += "3e8\r\n" + body.substr(at, 1000) + "\r\n";
  for (const std::string& answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body, "HTTP/1.1 200 OK\r\n\r\n" + body,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + "0\r\n\r\n"}) {
    use([answer](RawConnection& connection, int) {
      connection.read_head();
      connection.send(answer);  // and the end at once
    });
    Recorder recorder;
    std::unique_ptr<OriginCall> call;
    bool pause = true;
    recorder.at_body = [&](std::string_view) {
      pause = !pause;
      if (pause) return OriginHandler::Body::kTaken;
      call->resume();
      return OriginHandler::Body::kPause;
    };
    call = client_->start(request_of("GET"), recorder, nullptr);
    ASSERT_TRUE(loop_.run_until([&] { return recorder.ended(); }));
    EXPECT_EQ(recorder.completed, 1) << recorder.error.detail;
    EXPECT_TRUE(recorder.body == body);
  }
}

TEST_F(Http1ClientTest, APausedCallMayBeLetGo) {
  use([](RawConnection& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    connection.read_all();
  });
  Recorder recorder;
  bool paused = false;
  recorder.at_body = [&](std::string_view) {
    paused = true;
    return OriginHandler::Body::kPause;
  };
  auto call = client_->start(request_of("GET"), recorder, nullptr);
  ASSERT_TRUE(loop_.run_until([&] { return paused; }));
  call->resume();
  call.reset();
  loop_.turn(Milliseconds{0});
  ASSERT_TRUE(loop_.run_until([&] { return origin_->closed(0); }));
  EXPECT_FALSE(recorder.ended());
}

TEST_F(Http1ClientTest, ThePausedTimeDoesNotCount) {
  options_.progress_timeout = Milliseconds{10};
  std::promise<void> go_on;
  use([told = go_on.get_future().share()](RawConnection& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha");
    told.wait();
    connection.send("lf");
    connection.read_all();
  });
  Recorder recorder;
  std::unique_ptr<OriginCall> call;
  const auto timer = loop_.timer([&] {
    go_on.set_value();
    call->resume();
  });
  bool paused = false;
  recorder.at_body = [&](std::string_view) {
    if (std::exchange(paused, true)) return OriginHandler::Body::kTaken;
    timer->arm(Milliseconds{60});
    return OriginHandler::Body::kPause;
  };
  call = client_->start(request_of("GET"), recorder, nullptr);
  ASSERT_TRUE(loop_.run_until([&] { return recorder.ended(); }));
  EXPECT_EQ(recorder.body, "half") << recorder.error.detail;
}

// ---- connections ----

TEST_F(Http1ClientTest, AnEndWhileIdleIsSeenWithNobodyAsking) {
  use([](RawConnection& connection, int) {
    connection.read_head();
    connection.send(kOk);
    connection.end_sending();
    connection.read_all();
  });
  EXPECT_EQ(get().body, "ok");
  ASSERT_TRUE(loop_.run_until([&] { return origin_->closed(0); }));  // once our side has closed
}

TEST_F(Http1ClientTest, ADeadConnectionIsFollowedByANewOneWhateverIsKept) {
  std::promise<void> both;
  std::shared_future<void> ready = both.get_future().share();
  use([ready](RawConnection& connection, int number) {
    connection.read_head();
    ready.wait();
    connection.send(kOk);
    connection.read_head();
    if (number > 1) connection.send(kOk);  // the two that are kept die without an answer
  });
  Recorder one;
  Recorder two;
  const auto first = client_->start(request_of("GET"), one, nullptr);
  const auto second = client_->start(request_of("GET"), two, nullptr);
  ASSERT_TRUE(loop_.run_until([&] { return one.sent + two.sent == 2 && origin_->connections() == 2; }));
  both.set_value();
  ASSERT_TRUE(loop_.run_until([&] { return one.ended() && two.ended(); }));
  const Recorder third = get();
  EXPECT_EQ(third.body, "ok") << third.error.detail;
  EXPECT_EQ(third.sent, 1);
  EXPECT_EQ(origin_->connections(), 3);
}

TEST_F(Http1ClientTest, OnlySoManyConnectionsAreKept) {
  options_.max_idle_connections = 1;
  std::promise<void> both;
  std::shared_future<void> ready = both.get_future().share();
  use([ready](RawConnection& connection, int) {
    connection.read_head();
    ready.wait();
    connection.send(kOk);
    connection.read_all();
  });
  Recorder one;
  Recorder two;
  const auto first = client_->start(request_of("GET"), one, nullptr);
  const auto second = client_->start(request_of("GET"), two, nullptr);
  ASSERT_TRUE(loop_.run_until([&] { return one.sent + two.sent == 2; }));
  both.set_value();
  ASSERT_TRUE(loop_.run_until([&] { return one.ended() && two.ended(); }));
  ASSERT_TRUE(loop_.run_until([&] { return origin_->closed(0) || origin_->closed(1); }));
  EXPECT_FALSE(origin_->closed(0) && origin_->closed(1));
  client_.reset();
}

TEST_F(Http1ClientTest, WithoutAnIdleTimeNothingIsKept) {
  options_.idle_timeout = Milliseconds{0};
  use([](RawConnection& connection, int) {
    connection.read_head();
    connection.send(kOk);
    connection.read_all();
  });
  EXPECT_EQ(get().body, "ok");
  EXPECT_EQ(get().body, "ok");
  EXPECT_EQ(origin_->connections(), 2);
}

TEST_F(Http1ClientTest, AnAnswerBehindAnAnswerIsNobodys) {
  use([](RawConnection& connection, int number) {
    connection.read_head();
    connection.send(kOk + (number == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray" : ""));
    connection.read_all();
  });
  EXPECT_EQ(get().body, "ok");
  EXPECT_EQ(get().body, "ok");
  EXPECT_EQ(origin_->connections(), 2);
}

TEST_F(Http1ClientTest, ALargeHeadIsWrittenAsTheOriginTakesIt) {
  std::promise<void> sent;
  std::string seen;
  use([&seen, told = sent.get_future().share()](RawConnection& connection, int) {
    told.wait();
    seen = connection.read_head();
    connection.send(kOk);
    connection.read_head();
    connection.send(kOk);
  });
  const std::string value(16 << 20, 'x');  // more than the two sockets hold
  OriginRequest request = request_of("GET");
  request.fields.add("X-Large", value);
  Recorder recorder;
  recorder.at_sent = [&] { loop_.post([&] { sent.set_value(); }); };
  const auto call = client_->start(std::move(request), recorder, nullptr);
  ASSERT_TRUE(loop_.run_until([&] { return recorder.ended(); }));
  EXPECT_EQ(recorder.body, "ok") << recorder.error.detail;
  EXPECT_TRUE(seen == "GET / HTTP/1.1\r\nHost: origin.test\r\nX-Large: " + value + "\r\n\r\n");
  EXPECT_EQ(get().body, "ok");
  EXPECT_EQ(origin_->connections(), 1);
}

TEST_F(Http1ClientTest, AnAnswerBeforeTheWholeRequestEndsTheConnection) {
  std::promise<void> answered;
  use([told = answered.get_future().share()](RawConnection& connection, int number) {
    if (number > 0) connection.read_head();
    connection.send(kOk);
    if (number == 0) told.wait();
  });
  OriginRequest request = request_of("GET");
  request.fields.add("X-Large", std::string(16 << 20, 'x'));
  const Recorder seen = fetch(std::move(request));
  EXPECT_EQ(seen.body, "ok") << seen.error.detail;
  answered.set_value();
  EXPECT_EQ(get().body, "ok");
  EXPECT_EQ(origin_->connections(), 2);
}

// ---- names and time ----

TEST_F(Http1ClientTest, TheNextAddressIsTriedWhereOneRefuses) {
  use([](RawConnection& connection, int) {
    connection.read_head();
    connection.send(kOk);
  });
  resolve_to({loopback_end(port_that_refuses()), loopback_end(origin_->port())});
  for (int i = 0; i < 3; ++i) {
    const Recorder seen = get();
    EXPECT_EQ(seen.body, "ok") << seen.error.detail;
    EXPECT_EQ(seen.sent, 1);
  }
  EXPECT_EQ(resolved_, 1);
  EXPECT_EQ(counters_.get(Counter::kOriginErrors), 0);
}

TEST_F(Http1ClientTest, TheNextAddressIsTriedWhereOneDoesNotAnswer) {
  const DeafPort deaf;
  options_.connect_timeout = Milliseconds{400};
  use([](RawConnection& connection, int) {
    connection.read_head();
    connection.send(kOk);
  });
  resolve_to({deaf.end(), loopback_end(origin_->port())});
  const Recorder seen = get();
  EXPECT_EQ(seen.body, "ok") << seen.error.detail;
}

TEST_F(Http1ClientTest, NoAddressThatAnswersInTimeIsATimeOut) {
  const DeafPort deaf;
  options_.connect_timeout = Milliseconds{20};
  resolve_to({deaf.end()});
  const Recorder seen = get();
  EXPECT_EQ(seen.error.failure, OriginFailure::kTimeout) << seen.error.detail;
  EXPECT_EQ(seen.sent, 0);
}

TEST_F(Http1ClientTest, WhereAllAddressesRefuseTheNameIsAskedAnew) {
  resolve_to({loopback_end(port_that_refuses()), loopback_end(port_that_refuses())});
  EXPECT_EQ(get().error.failure, OriginFailure::kConnect);
  EXPECT_EQ(get().error.failure, OriginFailure::kConnect);
  EXPECT_EQ(resolved_, 2);
}

TEST_F(Http1ClientTest, ANameThatDoesNotExistFailsAllWhoWait) {
  resolve_to({});
  Recorder one;
  Recorder two;
  const auto first = client_->start(request_of("GET"), one, nullptr);
  const auto second = client_->start(request_of("GET"), two, nullptr);
  ASSERT_TRUE(loop_.run_until([&] { return one.ended() && two.ended(); }));
  EXPECT_EQ(one.error.failure, OriginFailure::kConnect);
  EXPECT_EQ(two.error.detail, "no such name: origin.test");
}

// std::promise::set_value_at_thread_exit(), where a thread sanitizer sees all of it.
struct AtThreadExit {
  ~AtThreadExit() { tell->set_value(); }
  std::shared_ptr<std::promise<void>> tell;
};

TEST_F(Http1ClientTest, ASlowNameIsATimeOutAndHoldsNothingUp) {
  std::promise<void> go_on;
  const auto over = std::make_shared<std::promise<void>>();  // the thread's too, to its end
  options_.origin.host = "origin.test";
  options_.connect_timeout = Milliseconds{20};
  client_ = std::make_unique<Http1Client>(
      loop_, options_, counters_, [over, told = go_on.get_future().share()](const OriginUrl&, std::string&) {
        told.wait();
        thread_local AtThreadExit at_exit;
        at_exit.tell = over;
        return std::vector<SocketEnd>{};
      });
  EXPECT_EQ(get().error.failure, OriginFailure::kTimeout);
  client_.reset();  // while the resolver is still busy
  go_on.set_value();
  over->get_future().wait();
  loop_.turn(Milliseconds{0});
}

TEST_F(Http1ClientTest, LocalhostIsResolvedByTheSystem) {
  use([](RawConnection& connection, int) {
    connection.read_head();
    connection.send(kOk);
  });
  options_.origin.host = "localhost";
  client_ = std::make_unique<Http1Client>(loop_, options_, counters_);
  const Recorder seen = get();
  EXPECT_EQ(seen.body, "ok") << seen.error.detail;
}

}  // namespace
}  // namespace freshet::revalidate
