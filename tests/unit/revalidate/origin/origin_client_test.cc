// What every OriginClient owes, of both that there are: the one that asks by libcurl alone, and the one that
// asks without it where it can.
#include <deque>
#include <future>
#include <gtest/gtest.h>

#include "revalidate/origin/divided_client.h"
#include "tests/unit/revalidate/origin/poll_loop.h"
#include "tests/unit/revalidate/origin/raw_origin.h"
#include "tests/unit/revalidate/origin/recorder.h"

namespace freshet::revalidate {
namespace {

using storage::Counter;
using storage::Milliseconds;

OriginRequest get(const std::string& target = "/") {
  OriginRequest request;
  request.method = "GET";
  request.target = target;
  request.fields.add("Host", "origin.test");
  return request;
}

OriginRequest with_method(const std::string& method) {
  OriginRequest request = get();
  request.method = method;
  return request;
}

// A request body whose bytes the test adds bit by bit.
class ScriptedUpload final : public UploadSource {
 public:
  Next next(char* buffer, std::size_t capacity, std::size_t& size) override {
    ++asked;
    if (pieces.empty()) return at_end;
    size = std::min(capacity, pieces.front().size());
    pieces.front().copy(buffer, size);
    pieces.front().erase(0, size);
    if (pieces.front().empty()) pieces.pop_front();
    return Next::kData;
  }
  std::deque<std::string> pieces;
  Next at_end = Next::kEnd;
  int asked = 0;
};

enum class Kind { kCurl, kDivided };

// Fixtures whose tests have a parameter of their own beside the client's kind derive from this.
class OriginClientFixture : public testing::Test {
 protected:
  virtual Kind kind() const = 0;
  std::unique_ptr<OriginClient> make_client(const OriginOptions& options) {
    if (kind() == Kind::kCurl) return std::make_unique<CurlClient>(loop_, options, counters_);
    return std::make_unique<DividedClient>(loop_, options, counters_);
  }
  OriginOptions options_for(const RawOrigin& origin) {
    OriginOptions options;
    options.origin.host = "127.0.0.1";
    options.origin.port = origin.port();
    return options;
  }
  void use(RawOrigin::Script script) {
    origin_ = std::make_unique<RawOrigin>(std::move(script));
    client_ = make_client(options_for(*origin_));
  }
  void answer_with(const std::string& bytes) {
    use([bytes](RawConnection& connection, int) {
      connection.read_head();
      connection.send(bytes);
    });
  }
  // Starts, waits for the end, lets the call go.
  void fetch(OriginRequest request, Recorder& recorder, UploadSource* upload = nullptr) {
    const auto call = client_->start(std::move(request), recorder, upload);
    ASSERT_TRUE(loop_.run_until([&recorder] { return recorder.ended(); }));
  }
  Recorder answer_to(const std::string& method, const std::string& bytes) {
    answer_with(bytes);
    Recorder recorder;
    fetch(with_method(method), recorder);
    return recorder;
  }

  PollLoop loop_;
  storage::Counters counters_;
  std::unique_ptr<RawOrigin> origin_;
  std::unique_ptr<OriginClient> client_;
};

std::string kind_name(Kind kind) {
  return kind == Kind::kCurl ? "Curl" : "Divided";
}

class OriginClientTest : public OriginClientFixture, public testing::WithParamInterface<Kind> {
 protected:
  Kind kind() const override { return GetParam(); }
};

const auto kKinds = testing::Values(Kind::kCurl, Kind::kDivided);
INSTANTIATE_TEST_SUITE_P(Of, OriginClientTest, kKinds,
                         [](const auto& each) { return kind_name(each.param); });

// ---- what goes out ----

TEST_P(OriginClientTest, SendsExactlyTheFieldsThatItIsGiven) {
  std::string seen;
  use([&seen](RawConnection& connection, int) {
    seen = connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  OriginRequest request;
  request.method = "GET";
  request.target = "/a/../b/./c?x=%2e&y=[1]|2";
  request.fields.add("x-FIRST", "1");
  request.fields.add("host", "Example.COM:81");
  request.fields.add("X-Empty", "");
  request.fields.add("accept", "text/html;q=0.5");
  request.fields.add("Cookie", "a=b; c=d");
  request.fields.add("X-Twice", "1");
  request.fields.add("x-twice", "2; ,");
  Recorder recorder;
  fetch(std::move(request), recorder);
  EXPECT_EQ(recorder.completed, 1);
  // Whitespace before an empty value means nothing (RFC 9112, 5); curl leaves it out.
  const std::string empty = "X-Empty: \r\n";
  if (const auto at = seen.find(empty); at != std::string::npos)
    seen.replace(at, empty.size(), "X-Empty:\r\n");
  EXPECT_EQ(seen,
            "GET /a/../b/./c?x=%2e&y=[1]|2 HTTP/1.1\r\nx-FIRST: 1\r\nhost: Example.COM:81\r\nX-Empty:\r\n"
            "accept: text/html;q=0.5\r\nCookie: a=b; c=d\r\nX-Twice: 1\r\nx-twice: 2; ,\r\n\r\n");
}

TEST_P(OriginClientTest, SendsAnyMethodWithoutBodyAndOneAfterAnother) {
  std::string seen;
  use([&seen](RawConnection& connection, int) {
    for (int i = 0; i < 6; ++i) {
      seen += connection.read_head();
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  });
  std::string expected;
  for (const char* method : {"POST", "GET", "HEAD", "M-SEARCH!", "HEAD", "GET"}) {
    Recorder recorder;
    fetch(with_method(method), recorder);
    EXPECT_EQ(recorder.completed, 1) << method << recorder.error.detail;
    expected += std::string(method) + " / HTTP/1.1\r\nHost: origin.test\r\n\r\n";
  }
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(origin_->connections(), 1);
}

TEST_P(OriginClientTest, PutsThePathPrefixBeforeTheTargetButNotBeforeAsterisk) {
  std::string seen;
  RawOrigin origin([&seen](RawConnection& connection, int) {
    for (int i = 0; i < 2; ++i) {
      seen += connection.read_head();
      connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    }
  });
  OriginOptions options = options_for(origin);
  options.origin.path_prefix = "/base";
  client_ = make_client(options);
  Recorder first;
  fetch(get("/x"), first);
  Recorder second;
  OriginRequest request = get("*");
  request.method = "OPTIONS";
  fetch(std::move(request), second);
  EXPECT_EQ(
      seen,
      "GET /base/x HTTP/1.1\r\nHost: origin.test\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: origin.test\r\n\r\n");
  client_.reset();
}

TEST_P(OriginClientTest, UploadsWithContentLength) {
  const std::string body(3 << 20, 'u');  // over the size at which curl would like to send Expect
  std::string head;
  std::string got;
  use([&](RawConnection& connection, int) {
    head = connection.read_head();
    got = connection.read_exactly(body.size());
    connection.send("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
  });
  OriginRequest request = with_method("PUT");
  request.has_body = true;
  request.body_size = body.size();
  ScriptedUpload upload;
  upload.pieces = {body};
  Recorder recorder;
  fetch(std::move(request), recorder, &upload);
  EXPECT_EQ(head, "PUT / HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 3145728\r\n\r\n");
  EXPECT_EQ(got, body);
  EXPECT_EQ(recorder.head.status, 201);
  EXPECT_EQ(recorder.body, "ok");
}

TEST_P(OriginClientTest, UploadsAnEmptyBodyWithItsLength) {
  std::string head;
  use([&](RawConnection& connection, int) {
    head = connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  OriginRequest request = with_method("POST");
  request.has_body = true;
  request.body_size = 0;
  Recorder recorder;
  fetch(std::move(request), recorder);
  EXPECT_EQ(head, "POST / HTTP/1.1\r\nHost: origin.test\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(recorder.completed, 1);
}

TEST_P(OriginClientTest, UploadsChunkedAndWaitsForTheSource) {
  std::string head;
  std::string got;
  use([&](RawConnection& connection, int) {
    head = connection.read_head();
    got = connection.read_to("0\r\n\r\n");
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  OriginRequest request = with_method("POST");
  request.has_body = true;
  ScriptedUpload upload;
  upload.at_end = UploadSource::Next::kWait;
  Recorder recorder;
  const auto call = client_->start(std::move(request), recorder, &upload);
  ASSERT_TRUE(loop_.run_until([&] { return upload.asked == 1; }));
  upload.pieces = {"hello"};
  call->upload_ready();
  ASSERT_TRUE(loop_.run_until([&] { return upload.asked == 3; }));
  upload.at_end = UploadSource::Next::kEnd;
  call->upload_ready();
  ASSERT_TRUE(loop_.run_until([&] { return recorder.ended(); }));
  EXPECT_EQ(head, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: origin.test\r\n\r\n");
  EXPECT_EQ(got, "5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(recorder.completed, 1);
}

TEST_P(OriginClientTest, ABrokenUploadIsTheClientsFault) {
  std::string got;
  use([&](RawConnection& connection, int) {
    connection.read_head();
    got = connection.read_all();
  });
  OriginRequest request = with_method("POST");
  request.has_body = true;
  ScriptedUpload upload;
  upload.pieces = {"half"};
  upload.at_end = UploadSource::Next::kFailed;
  Recorder recorder;
  fetch(std::move(request), recorder, &upload);
  EXPECT_EQ(recorder.error.failure, OriginFailure::kUploadFailed);
  EXPECT_EQ(counters_.get(Counter::kOriginErrors), 0);
  origin_.reset();
  EXPECT_EQ(got.find("0\r\n\r\n"), std::string::npos);  // never ended as if whole
}

TEST_P(OriginClientTest, AnUploadShorterThanAnnouncedFails) {
  use([](RawConnection& connection, int) { connection.read_all(); });
  OriginRequest request = with_method("POST");
  request.has_body = true;
  request.body_size = 10;
  ScriptedUpload upload;
  upload.pieces = {"half"};
  Recorder recorder;
  fetch(std::move(request), recorder, &upload);
  EXPECT_EQ(recorder.error.failure, OriginFailure::kUploadFailed);
}

TEST_P(OriginClientTest, AnEarlyAnswerEndsTheCallWhileTheUploadWaits) {
  for (const char* status : {"200 OK", "413 Content Too Large", "304 Not Modified"}) {
    const bool bodyless = status[0] == '3';
    use([&](RawConnection& connection, int) {
      connection.read_head();
      connection.send(
          std::string("HTTP/1.1 ") + status +
          (bodyless ? "\r\n\r\n" : "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n0\r\n\r\n"));
      connection.read_all();
    });
    OriginRequest request = with_method("POST");
    request.has_body = true;
    ScriptedUpload upload;
    upload.at_end = UploadSource::Next::kWait;
    Recorder recorder;
    fetch(std::move(request), recorder, &upload);
    EXPECT_EQ(recorder.completed, 1) << status << recorder.error.detail;
    EXPECT_EQ(recorder.body, bodyless ? "" : "early");
    client_.reset();
  }
}

TEST_P(OriginClientTest, AHeadRequestWithABodyEndsAtTheHead) {
  use([](RawConnection& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    connection.read_all();
  });
  OriginRequest request = with_method("HEAD");
  request.has_body = true;
  request.body_size = 2;
  ScriptedUpload upload;
  upload.pieces = {"hi"};
  Recorder recorder;
  fetch(std::move(request), recorder, &upload);
  EXPECT_EQ(recorder.completed, 1);
  EXPECT_EQ(recorder.body_size, std::uint64_t{0});
}

// ---- what comes in ----

TEST_P(OriginClientTest, GivesHeadBodyAndTrailers) {
  const Recorder seen = answer_to("GET",
                                  "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 Fine Thing\r\n"
                                  "Transfer-Encoding: chunked\r\nX-Case:  v \r\nEmpty:\r\n\r\n"
                                  "5;ext=\"x\"\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_EQ(seen.completed, 1) << seen.error.detail;
  EXPECT_EQ(seen.sent, 1);
  EXPECT_EQ(seen.informational, std::vector<int>{103});
  EXPECT_EQ(seen.head.status, 200);
  EXPECT_EQ(seen.head.reason, "Fine Thing");
  EXPECT_EQ(seen.head.fields.wire(), "Transfer-Encoding: chunked\r\nX-Case: v\r\nEmpty: \r\n");
  EXPECT_EQ(seen.body_size, std::nullopt);
  EXPECT_EQ(seen.body, "hello world");
  EXPECT_EQ(seen.trailers.wire(), "X-Sum: 1\r\n");
  EXPECT_EQ(counters_.get(Counter::kOriginBodyBytes), 11);
  EXPECT_EQ(counters_.get(Counter::kOriginConnections), 1);
  EXPECT_EQ(counters_.get(Counter::kOriginErrors), 0);
}

TEST_P(OriginClientTest, ABodyThatEndsWithTheConnectionIsWhole) {
  const Recorder seen = answer_to("GET", "HTTP/1.0 200 OK\r\n\r\nuntil the end");
  EXPECT_EQ(seen.completed, 1);
  EXPECT_EQ(seen.body, "until the end");
}

TEST_P(OriginClientTest, BodiesAreNotDecoded) {
  const Recorder seen =
      answer_to("GET", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(seen.completed, 1);
  EXPECT_EQ(seen.body, "body");
}

TEST_P(OriginClientTest, RedirectsAreAnswersLikeOthers) {
  const Recorder seen =
      answer_to("GET", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(seen.head.status, 302);
  EXPECT_EQ(seen.completed, 1);
}

TEST_P(OriginClientTest, AnswersWithoutBodyEndWithTheirHead) {
  for (const auto& [method, head] :
       {std::pair{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"},
        std::pair{"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
        std::pair{"HEAD", "HTTP/1.1 200 OK\r\n\r\n"},
        std::pair{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"},
        std::pair{"GET", "HTTP/1.1 304 \r\nTransfer-Encoding: chunked\r\n\r\n"},
        std::pair{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"},
        std::pair{"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"},
        std::pair{"GET", "HTTP/1.1 204\r\n\r\n"}}) {
    const std::string answer = head;
    use([answer](RawConnection& connection, int) {
      connection.read_head();
      connection.send(answer);
      connection.read_all();
    });
    Recorder recorder;
    fetch(with_method(method), recorder);
    EXPECT_EQ(recorder.completed, 1) << head << recorder.error.detail;
    EXPECT_EQ(recorder.body_size, std::uint64_t{0}) << head;
    EXPECT_EQ(recorder.body, "");
    client_.reset();
  }
}

struct Refused {
  const char* name;
  std::string bytes;
  OriginFailure failure = OriginFailure::kMalformed;
};

void PrintTo(const Refused& refused, std::ostream* out) {
  *out << refused.name;
}

class RefusedAnswer : public OriginClientFixture,
                      public testing::WithParamInterface<std::tuple<Kind, Refused>> {
 protected:
  Kind kind() const override { return std::get<0>(GetParam()); }
};

TEST_P(RefusedAnswer, IsAFailureAndCounted) {
  const Recorder seen = answer_to("GET", std::get<1>(GetParam()).bytes);
  EXPECT_EQ(seen.failed, 1);
  EXPECT_EQ(seen.error.failure, std::get<1>(GetParam()).failure) << seen.error.detail;
  EXPECT_FALSE(seen.error.detail.empty());
  EXPECT_EQ(counters_.get(Counter::kOriginErrors), 1);
}

const std::string kOk = "HTTP/1.1 200 OK\r\n";

INSTANTIATE_TEST_SUITE_P(
    All, RefusedAnswer,
    testing::Combine(
        kKinds,
        testing::Values(
            Refused{"TwoLengths", kOk + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"},
            Refused{"TwoEqualLengths", kOk + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab"},
            Refused{"LengthList", kOk + "Content-Length: 2, 2\r\n\r\nab"},
            Refused{"LengthWithLetter", kOk + "Content-Length: 2x\r\n\r\nab"},
            Refused{"LengthSigned", kOk + "Content-Length: +2\r\n\r\nab"},
            Refused{"LengthNegative", kOk + "Content-Length: -2\r\n\r\nab"},
            Refused{"LengthEmpty", kOk + "Content-Length: \r\n\r\nab"},
            Refused{"LengthHuge", kOk + "Content-Length: 99999999999999999999\r\n\r\nab"},
            Refused{"LengthAndCoding",
                    kOk + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
            Refused{"OtherCoding", kOk + "Transfer-Encoding: gzip\r\n\r\nab"},
            Refused{"CodingList", kOk + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
            Refused{"CodingTwice",
                    kOk + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
            Refused{"CodingIn10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
            Refused{"SpaceBeforeColon", kOk + "X-A : 1\r\nContent-Length: 0\r\n\r\n"},
            Refused{"BareLf", kOk + "X-A: 1\nContent-Length: 0\r\n\r\n"},
            Refused{"BareLfEnd", kOk + "Content-Length: 0\r\n\n"},
            Refused{"BareCr", kOk + "X-A: 1\rX-B: 2\r\nContent-Length: 0\r\n\r\n"},
            Refused{"LineOfCr", kOk + "\rX-B: 2\r\nContent-Length: 0\r\n\r\n"},
            Refused{"Fold", kOk + "X-A: 1\r\n  2\r\nContent-Length: 0\r\n\r\n"},
            Refused{"Nul", kOk + std::string("X-A: a\0b\r\nContent-Length: 0\r\n\r\n", 31)},
            Refused{"NoColon", kOk + "X-A\r\nContent-Length: 0\r\n\r\n"},
            Refused{"NoName", kOk + ": v\r\nContent-Length: 0\r\n\r\n"},
            Refused{"BadName", kOk + "X(A): v\r\nContent-Length: 0\r\n\r\n"},
            Refused{"Http2OnText", "HTTP/2 200\r\nContent-Length: 0\r\n\r\n"},
            Refused{"Http12", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"},
            Refused{"Http09", "<html>hello</html>"},
            Refused{"LeadingSpace", " HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
            Refused{"LeadingEmptyLine", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
            Refused{"StatusTwoDigits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"},
            Refused{"StatusFourDigits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"},
            Refused{"Status099", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"},
            Refused{"Status600", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n"},
            Refused{"StatusLineLf", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"},
            Refused{"Switching", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"},
            Refused{"InformationalWithLength",
                    "HTTP/1.1 103 E\r\nContent-Length: 3\r\n\r\nabc" + kOk + "\r\n"},
            Refused{"BadChunkSize", kOk + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"},
            Refused{"ChunkLf", kOk + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n"},
            Refused{"ChunkTooLong", kOk + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"},
            Refused{"ChunkPadded", kOk + "Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n"},
            Refused{"ChunkHuge", kOk + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\na"},
            Refused{"BadTrailer", kOk + "Transfer-Encoding: chunked\r\n\r\n0\r\nX : 1\r\n\r\n"},
            Refused{"HeadTooLarge", kOk + "X: " + std::string(70'000, 'x') + "\r\n\r\n",
                    OriginFailure::kTooLarge},
            Refused{"LineFarTooLarge", kOk + "X: " + std::string(400'000, 'x') + "\r\n\r\n",
                    OriginFailure::kTooLarge},
            Refused{"Nothing", "", OriginFailure::kReset},
            Refused{"HalfStatusLine", "HTTP/1.", OriginFailure::kReset},
            Refused{"HalfHead", kOk + "X-A: 1\r\nX-", OriginFailure::kReset},
            Refused{"OnlyInformational", "HTTP/1.1 100 Continue\r\n\r\n", OriginFailure::kReset},
            Refused{"ShortBody", kOk + "Content-Length: 10\r\n\r\nhalf", OriginFailure::kTruncated},
            Refused{"NoBody", kOk + "Content-Length: 10\r\n\r\n", OriginFailure::kTruncated},
            Refused{"NoLastChunk", kOk + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
                    OriginFailure::kTruncated},
            Refused{"NoTrailerEnd", kOk + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
                    OriginFailure::kTruncated})),
    [](const auto& each) {
      return std::string(std::get<1>(each.param).name) + kind_name(std::get<0>(each.param));
    });

TEST_P(OriginClientTest, AResetBodyIsTruncatedEvenWhereTheConnectionFramesIt) {
  std::promise<void> seen;
  use([&seen](RawConnection& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\n\r\nhalf");
    seen.get_future().wait();
    connection.reset();
  });
  Recorder recorder;
  const auto call = client_->start(get(), recorder, nullptr);
  EXPECT_TRUE(loop_.run_until([&] { return recorder.body == "half"; }));
  seen.set_value();
  ASSERT_TRUE(loop_.run_until([&] { return recorder.ended(); }));
  EXPECT_EQ(recorder.error.failure, OriginFailure::kTruncated) << recorder.error.detail;
}

TEST_P(OriginClientTest, NobodyListensIsAConnectFailure) {
  OriginOptions options;
  {
    const RawOrigin gone([](RawConnection&, int) {});
    options = options_for(gone);
  }
  client_ = make_client(options);
  Recorder recorder;
  fetch(get(), recorder);
  EXPECT_EQ(recorder.error.failure, OriginFailure::kConnect);
  EXPECT_EQ(recorder.sent, 0);
}

TEST_P(OriginClientTest, ASilentOriginTimesOut) {
  const RawOrigin origin([](RawConnection& connection, int) { connection.read_all(); });
  OriginOptions options = options_for(origin);
  options.response_timeout = Milliseconds{20};
  client_ = make_client(options);
  Recorder recorder;
  fetch(get(), recorder);
  EXPECT_EQ(recorder.error.failure, OriginFailure::kTimeout);
  client_.reset();
}

TEST_P(OriginClientTest, AStandingBodyTimesOutOnlyWhereThereIsALimit) {
  const RawOrigin origin([](RawConnection& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    connection.read_all();
  });
  OriginOptions options = options_for(origin);
  options.response_timeout = Milliseconds{2'000};
  options.progress_timeout = Milliseconds{20};
  client_ = make_client(options);
  Recorder recorder;
  fetch(get(), recorder);
  EXPECT_EQ(recorder.error.failure, OriginFailure::kTimeout);
  EXPECT_EQ(recorder.body, "half");
  client_.reset();
}

// ---- flow ----

TEST_P(OriginClientTest, APausedBodyComesAgainAndWhole) {
  for (const bool chunked : {false, true}) {
    std::string body;
    for (int i = 0; i < 400'000; ++i) body += static_cast<char>('a' + i * 7 % 26);
    std::string coded;
    for (std::size_t at = 0; at < body.size(); at += 1000)
      coded += "3e8\r\n" + body.substr(at, 1000) + "\r\n";
    answer_with(chunked
                    ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + "0\r\nT: 1\r\n\r\n"
                    : "HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + body);
    Recorder recorder;
    std::unique_ptr<OriginCall> call;
    int asked = 0;
    recorder.at_body = [&](std::string_view) {
      if (++asked % 3 != 0) return OriginHandler::Body::kTaken;
      if (asked % 2 == 0) {
        call->resume();  // inside the callback, before its answer
      } else {
        loop_.post([&] { call->resume(); });
      }
      return OriginHandler::Body::kPause;
    };
    call = client_->start(get(), recorder, nullptr);
    ASSERT_TRUE(loop_.run_until([&] { return recorder.ended(); }));
    EXPECT_EQ(recorder.completed, 1) << recorder.error.detail;
    EXPECT_TRUE(recorder.body == body) << chunked;
    EXPECT_GT(asked, 3);
    call.reset();
    client_.reset();
  }
}

TEST_P(OriginClientTest, ACallMayBeLetGoInsideEachOfItsCallbacks) {
  const std::string answer =
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\n\r\n";
  use([answer](RawConnection& connection, int) {
    while (!connection.read_head().empty()) connection.send(answer);
  });
  for (int which = 0; which < 5; ++which) {
    Recorder recorder;
    std::unique_ptr<OriginCall> call;
    bool gone = false;
    const auto let_go = [&] {
      call.reset();
      gone = true;
    };
    if (which == 0) recorder.at_sent = let_go;
    if (which == 1) recorder.at_informational = let_go;
    if (which == 2) recorder.at_head = let_go;
    if (which == 3) {
      recorder.at_body = [&](std::string_view) {
        let_go();
        return OriginHandler::Body::kTaken;
      };
    }
    if (which == 4) recorder.at_end = let_go;
    call = client_->start(get(), recorder, nullptr);
    ASSERT_TRUE(loop_.run_until([&] { return gone; })) << which;
    Recorder next;
    fetch(get(), next);
    EXPECT_EQ(next.body, "hello");
    EXPECT_EQ(recorder.ended(), which == 4) << which;
  }
  EXPECT_EQ(counters_.get(Counter::kOriginErrors), 0);
}

TEST_P(OriginClientTest, CallsMayBeStartedAndEndedInsideAnothersCallback) {
  use([](RawConnection& connection, int) {
    while (!connection.read_head().empty()) {
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  Recorder first;
  Recorder second;
  Recorder third;
  std::unique_ptr<OriginCall> second_call;
  std::unique_ptr<OriginCall> third_call = client_->start(get(), third, nullptr);
  first.at_head = [&] {
    third_call.reset();
    second_call = client_->start(get(), second, nullptr);
    EXPECT_EQ(second.sent, 0);  // never from inside start()
  };
  const auto first_call = client_->start(get(), first, nullptr);
  ASSERT_TRUE(loop_.run_until([&] { return first.ended() && second.ended(); }));
  EXPECT_EQ(first.body + second.body, "okok");
}

TEST_P(OriginClientTest, AnUnstartedCallMayBeLetGo) {
  answer_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  Recorder recorder;
  client_->start(get(), recorder, nullptr).reset();
  Recorder next;
  fetch(get(), next);
  EXPECT_EQ(next.completed, 1);
  EXPECT_EQ(recorder.sent, 0);
}

TEST_P(OriginClientTest, TheClientMayGoBeforeItsCalls) {
  use([](RawConnection& connection, int) { connection.read_all(); });
  Recorder recorder;
  auto call = client_->start(get(), recorder, nullptr);
  ASSERT_TRUE(loop_.run_until([&] { return recorder.sent == 1; }));
  client_.reset();
  call->resume();
  call.reset();
  EXPECT_FALSE(recorder.ended());
}

// ---- connections ----

class ConnectionReuse : public OriginClientTest {
 protected:
  // The first answer, then "second" to whatever comes next, on any connection.
  int connections_after(const std::string& method, const std::string& first) {
    use([first](RawConnection& connection, int number) {
      if (number == 0) {
        connection.read_head();
        connection.send(first);
      }
      while (!connection.read_head().empty()) {
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
      }
    });
    Recorder one;
    fetch(with_method(method), one);
    EXPECT_EQ(one.completed, 1) << one.error.detail;
    Recorder two;
    fetch(get(), two);
    EXPECT_EQ(two.body, "second");
    EXPECT_EQ(two.head.fields.wire(), "Content-Length: 6\r\n");
    return origin_->connections();
  }
};

INSTANTIATE_TEST_SUITE_P(Of, ConnectionReuse, kKinds, [](const auto& each) { return kind_name(each.param); });

TEST_P(ConnectionReuse, CleanAnswersKeepTheConnection) {
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 1);
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"), 1);
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 204 No Content\r\n\r\n"), 1);
  EXPECT_EQ(connections_after("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), 1);
  EXPECT_EQ(
      connections_after("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
      1);
}

TEST_P(ConnectionReuse, StrayBytesEndTheConnection) {
  const std::string stray = "HTTP/1.1 200 OK\r\nX-Stray: 1\r\nContent-Length: 5\r\n\r\nstray";
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + stray), 2);
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + stray), 2);
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 304 Not Modified\r\n\r\n" + stray), 2);
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 204 No Content\r\n\r\n" + stray), 2);
  EXPECT_EQ(connections_after("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 57\r\n\r\n" + stray), 2);
  EXPECT_EQ(
      connections_after("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + stray), 2);
}

TEST_P(ConnectionReuse, FieldsThatDoNotFitEndTheConnection) {
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), 2);
  EXPECT_EQ(connections_after("GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
            2);
  EXPECT_EQ(
      connections_after("GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"),
      2);
}

TEST_P(ConnectionReuse, BytesThatCameWhileItWasIdleEndTheConnection) {
  std::promise<void> idle;
  std::promise<void> stray;
  use([&](RawConnection& connection, int number) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (number > 0) return;
    idle.get_future().wait();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray");
    stray.set_value();
    connection.read_all();
  });
  Recorder one;
  fetch(get(), one);
  idle.set_value();
  stray.get_future().wait();
  Recorder two;
  fetch(with_method("POST"), two);
  EXPECT_EQ(two.body, "ok") << two.error.detail;
  EXPECT_EQ(two.sent, 1);
}

TEST_P(ConnectionReuse, AGetOnADeadConnectionIsSentAgain) {
  use([](RawConnection& connection, int number) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (number > 0) return;
    connection.read_head();  // takes the second request and dies
  });
  Recorder one;
  fetch(get(), one);
  Recorder two;
  fetch(get(), two);
  EXPECT_EQ(two.body, "ok") << two.error.detail;
  EXPECT_EQ(two.sent, 1);
  EXPECT_EQ(origin_->connections(), 2);
}

TEST_P(ConnectionReuse, APostOnADeadConnectionIsNotSentAgain) {
  for (const bool with_body : {false, true}) {
    use([with_body](RawConnection& connection, int) {
      connection.read_head();
      if (with_body) connection.read_exactly(4);
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      connection.read_head();
    });
    OriginRequest before = with_method("PUT");  // with a body too, so that both go the same way
    before.has_body = with_body;
    if (with_body) before.body_size = 4;
    ScriptedUpload upload_before;
    upload_before.pieces = {"data"};
    Recorder one;
    fetch(std::move(before), one, &upload_before);
    OriginRequest request = with_method("POST");
    request.has_body = with_body;
    if (with_body) request.body_size = 4;
    ScriptedUpload upload;
    upload.pieces = {"data"};
    Recorder two;
    fetch(std::move(request), two, &upload);
    EXPECT_EQ(two.error.failure, OriginFailure::kReset) << two.error.detail;
    EXPECT_EQ(two.sent, 1);
    client_.reset();
  }
}

TEST_P(ConnectionReuse, AConnectionClosedWhileIdleIsNotUsedEvenForAPost) {
  std::string last;
  use([&last](RawConnection& connection, int number) {
    last = connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    if (number > 0) connection.read_all();
  });
  Recorder one;
  fetch(get(), one);
  // The origin has closed once a peek sees its end; until then the loop turns idly.
  origin_->wait_closed(0);
  Recorder two;
  fetch(with_method("POST"), two);
  EXPECT_EQ(two.completed, 1) << two.error.detail;
}

TEST_P(ConnectionReuse, IdleConnectionsAreShutInTime) {
  std::string rest = "not closed";
  RawOrigin origin([&rest](RawConnection& connection, int) {
    connection.read_head();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    rest = connection.read_all();
  });
  OriginOptions options = options_for(origin);
  options.idle_timeout = Milliseconds{10};
  client_ = make_client(options);
  Recorder one;
  fetch(get(), one);
  ASSERT_TRUE(loop_.run_until([&] { return origin.closed(0); }));  // by our side, with nobody asking
  EXPECT_EQ(rest, "");
  Recorder two;
  fetch(get(), two);
  EXPECT_EQ(two.body, "ok");
  EXPECT_EQ(origin.connections(), 2);
  client_.reset();
}

}  // namespace
}  // namespace freshet::revalidate
