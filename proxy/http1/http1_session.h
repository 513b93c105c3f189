// Http1Session: one client connection speaking HTTP/1.1 or 1.0, in clear or over TLS (Transport tells them
// apart, the session does not). It parses requests in order, hands each to
// its Exchange, and is the ResponseSink that the exchange writes to and the source of the request's content.
//
// One request at a time: what a client pipelines stays in the input until its turn, so answers keep the order
// of requests (RFC 9112, 9.3.2). Input and output are bounded: reading pauses while much waits unread, the
// exchange pauses while much waits unsent. A response that cannot be completed ends in a way that the client
// notices (G2): without the last chunk, short of its length, or with a reset where the connection's end is
// the only framing.
//
// Owned by its ServerWorker; lives and dies on its thread; Http1Context::retire destroys it in a later turn,
// never under its own feet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/exchange/client_session.h"
#include "proxy/exchange/exchange.h"
#include "proxy/exchange/response_sink.h"
#include "proxy/http1/http1_work.h"
#include "proxy/http1/request_parser.h"
#include "proxy/http1/response_writer.h"
#include "proxy/net/coarse_timer.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/transport.h"

namespace freshet::proxy {

class Http1Session;

struct Http1Timeouts {
  storage::Milliseconds head{10'000};  // from the first byte of a head to its last
  storage::Milliseconds idle{60'000};  // between requests
  storage::Milliseconds body{30'000};  // without progress of the request's content
  storage::Milliseconds send{60'000};  // without progress of the response
  // For a client that is still sending when we are done, and for an answer to make progress once the client
  // has closed its side.
  storage::Milliseconds linger{2'000};
};

// What the sessions of one worker share.
class Http1Context {
 public:
  Http1Context(EventLoop& loop, CoarseTimers& timers, ExchangeContext& exchanges,
               const RequestParserOptions& parser, const Http1Timeouts& timeouts);

  // Each session takes them up with its next request, and whether its client is trusted. Not from inside a
  // session.
  void change(const RequestParserOptions& parser, const Http1Timeouts& timeouts);

  EventLoop& loop;
  CoarseTimers& timers;
  ExchangeContext& exchanges;
  RequestParserOptions parser;
  DeadlineList* head_deadlines;
  DeadlineList* idle_deadlines;
  DeadlineList* body_deadlines;
  DeadlineList* send_deadlines;
  DeadlineList* linger_deadlines;
  Http1Works works;
  // Input is read to here; only what cannot be used at once is copied into a session's own buffer, so an idle
  // connection holds none.
  std::string scratch;
  // Told when a session is over; destroys it later.
  std::function<void(ClientSession&)> retire;
  // Takes a connection over whose client speaks HTTP/2, with what was read of it (RFC 9113, 3.3). Empty: such
  // a client is refused.
  std::function<void(Transport, const ClientInfo&, std::string_view received)> to_http2;
  // Whether the client of that address (ClientInfo) is trusted by now.
  std::function<bool(const std::string& address)> trusts;
  std::uint64_t changes = 0;
  bool draining = false;  // answers say "Connection: close"
  // While draining, a connection that waits for its next request may still make it: nobody who keeps
  // connections is cut.
  bool patient = false;
};

class Http1Session final : public ClientSession, public ResponseSink, private revalidate::UploadSource {
 public:
  // `client`: see ExchangeContext.
  Http1Session(Http1Context& context, Transport transport, ClientInfo client);
  ~Http1Session() override;

  void start() override;
  // Closes at once if it is between requests, else after the response in progress.
  void drain() override;

  // ResponseSink.
  void send_informational(const storage::ResponseHead& head) override;
  void send_head(const ReplyHead& head) override;
  [[nodiscard]] bool has_room() const override;
  void send_body(const storage::Chunk& chunk) override;
  void finish(const storage::HeaderFields* trailers) override;
  void abort() override;
  void flush() override;
  [[nodiscard]] int upload_failure_status() const override { return content_failed_ ? 408 : 400; }
  [[nodiscard]] std::uint64_t head_bytes() const override { return head_bytes_; }

 private:
  enum class Phase {
    kRequests,   // reading requests, answering them
    kLingering,  // all is sent; reading on so that the client can read our last words
    kClosed,
  };
  enum class After { kContinue, kClose, kReset };

  // UploadSource.
  Next next(char* buffer, std::size_t capacity, std::size_t& size) override;

  void on_ready(storage::IoReady ready);
  void on_deadline();
  void read_input();
  void drive();
  // One step of drive(); false when nothing more can be done now.
  bool take_request();
  void take_up_changes();
  // True: it is no request but the beginning of HTTP/2, or may be.
  bool take_preface();
  void begin_exchange();
  void refuse(int status, std::string_view reason);
  bool write_output();
  void after_response();
  void drive_later();
  void read_later();
  void end_output();
  void close_gracefully();
  void close_now(bool reset);
  void set_interest();
  void set_deadline();
  void arm(DeadlineList& list);
  [[nodiscard]] std::string_view input() const;
  void consume(std::size_t bytes);
  void keep_input();
  // Bytes of output that wait.
  [[nodiscard]] std::size_t unsent() const { return work_ ? work_->output.size() : 0; }
  void need_work();
  void rest();

  // Tasks that are posted find out by it whether the session is still there.
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
  Http1Context& context_;
  Transport transport_;
  ClientInfo client_;
  std::unique_ptr<storage::IoWatch> watch_;
  Deadline deadline_;
  DeadlineList* armed_in_ = nullptr;
  std::uint64_t changes_;            // of the context, as far as they are taken up
  std::unique_ptr<Http1Work> work_;  // null: idle

  Phase phase_ = Phase::kRequests;
  After after_ = After::kContinue;
  // Input: what stands in `fresh_` (a view into the context's scratch, during one event) or in work_->kept.
  std::string_view fresh_;
  storage::IoInterest interest_ = storage::IoInterest::kRead;  // as the watch has it
  bool driving_ = false;
  bool may_be_http2_;  // nothing has been read that tells
  bool reading_later_ = false;
  bool ending_output_ = false;  // the transport still has to say that no more comes
  bool read_closed_ = false;    // the client sends no more
  bool head_begun_ = false;     // some bytes of a request's head are there
  bool responding_ = false;     // an exchange is in progress
  bool response_done_ = false;  // its response is whole in the output, or broken off
  bool head_sent_ = false;
  bool upload_waits_ = false;  // the origin client wants more of the content
  bool continue_sent_ = false;
  bool content_failed_ = false;       // it took too long
  mutable bool room_wanted_ = false;  // the exchange waits for room
  bool progressed_ = false;           // since the deadline was set
  bool sent_some_ = false;            // the same, of the output alone
  ResponseFraming reply_framing_;
  bool client_takes_trailers_ = false;
  bool send_trailers_ = false;
  std::uint64_t head_bytes_ = 0;
};

}  // namespace freshet::proxy
