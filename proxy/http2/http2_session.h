// Http2Session: one client connection that speaks HTTP/2 (RFC 9113), in clear by prior knowledge or over TLS.
// The frames, their compression and their flow control are nghttp2's; each stream is an Http2Stream with an
// exchange of its own. Which stream's bytes go out next is decided by the client's priorities (RFC 9218): by
// urgency, within one urgency one after the other, or in turn where the client can use them so.
//
// All that a turn brings forth is gathered in one output queue and written at once. The queue is shallow, so
// that an urgent response does not wait behind others; body bytes stand in it by reference.
//
// Bounds: streams at once, the size of a head, what waits of requests' contents, output; and an allowance for
// everything that costs work and asks for nothing (FloodGuard), beyond which the connection ends with
// ENHANCE_YOUR_CALM. A client that takes nothing of a response loses that stream, one that takes nothing at
// all the connection.
//
// Owned by its ServerWorker; lives and dies on its thread; Http2Context::retire destroys it in a later turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange/client_session.h"
#include "proxy/exchange/exchange.h"
#include "proxy/http1/http1_session.h"
#include "proxy/http1/output_queue.h"
#include "proxy/http1/request_parser.h"
#include "proxy/http2/flood_guard.h"
#include "proxy/net/coarse_timer.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/transport.h"

struct nghttp2_session;

namespace freshet::proxy {

class Http2Callbacks;
class Http2Session;
class Http2Stream;

struct Http2Options {
  bool enabled = true;
  std::uint64_t max_streams = 100;          // at once, of a connection
  std::uint64_t stream_window = 256 << 10;  // bytes of a request's content that may wait
  std::uint64_t window = 1 << 20;           // the same of all requests of a connection
  std::uint64_t flood_allowance = 1000;     // see FloodGuard
};

// What the sessions of one worker share.
class Http2Context {
 public:
  Http2Context(EventLoop& loop, CoarseTimers& timers, ExchangeContext& exchanges,
               const RequestParserOptions& limits, const Http1Timeouts& timeouts,
               const Http2Options& options);
  ~Http2Context();
  Http2Context(const Http2Context&) = delete;
  Http2Context& operator=(const Http2Context&) = delete;

  // Limits, timeouts and whether a client is trusted: for the next requests of each session. Options: for
  // the next sessions. Not from inside a session.
  void change(const RequestParserOptions& limits, const Http1Timeouts& timeouts, const Http2Options& options);

  [[nodiscard]] std::unique_ptr<Http2Stream> take_stream();
  void give_back(std::unique_ptr<Http2Stream> stream);

  EventLoop& loop;
  CoarseTimers& timers;
  ExchangeContext& exchanges;
  RequestParserOptions limits;         // of requests in clear
  RequestParserOptions secure_limits;  // and over TLS
  Http2Options options;
  DeadlineList* head_deadlines;
  DeadlineList* idle_deadlines;
  DeadlineList* body_deadlines;
  DeadlineList* send_deadlines;
  DeadlineList* linger_deadlines;
  std::unique_ptr<Http2Callbacks> callbacks;
  std::string scratch;  // recv() goes here
  // Told when a session is over; destroys it later.
  std::function<void(ClientSession&)> retire;
  // Whether the client of that address (ClientInfo) is trusted by now.
  std::function<bool(const std::string& address)> trusts;
  std::uint64_t changes = 0;

 private:
  std::vector<std::unique_ptr<Http2Stream>> spare_streams_;
};

class Http2Session final : public ClientSession {
 public:
  // `received`: what has been read already; the client's preface begins with it. Views a buffer that lives as
  // long as the call of start().
  Http2Session(Http2Context& context, Transport transport, ClientInfo client, std::string_view received);
  ~Http2Session() override;

  void start() override;
  void drain() override;

  // For its streams.
  [[nodiscard]] const ClientInfo& client() const { return client_; }
  [[nodiscard]] const RequestParserOptions& limits() const {
    return transport_.secure() ? context_.secure_limits : context_.limits;
  }
  [[nodiscard]] nghttp2_session* frames() { return frames_; }
  void drive();
  void drive_later();
  // Streams that ended inside an exchange's own turn are let go in the next.
  void drive_later_if_over();
  void count_client_error();

 private:
  friend class Http2Callbacks;

  // Output that may wait unsent before no more is framed.
  static constexpr std::size_t kMostQueued = 256 * 1024;

  enum class Phase {
    kServing,
    kLingering,  // all is sent; reading on so that the client can read our last words
    kClosed,
  };

  void on_ready(storage::IoReady ready);
  void on_deadline();
  void read_input();
  void read_later();
  void end_output();
  void receive(std::string_view bytes);
  void run_exchanges();
  bool frame_output();
  bool give_room();
  bool write_output();
  bool finish_if_over();
  void end_connection(std::uint32_t error);
  void drop_streams();
  void recycle();
  void close_gracefully();
  void close_now(bool reset);
  void set_interest();
  void set_deadline();
  void arm(DeadlineList& list);

  // Called by nghttp2.
  Http2Stream* open_stream(std::int32_t id);
  void end_stream(Http2Stream& stream);
  void end_head(Http2Stream& stream, bool no_content);
  void content_arrived(Http2Stream& stream, std::string_view bytes);
  void end_content(Http2Stream& stream);
  void spend();
  void say_last_stream();

  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
  Http2Context& context_;
  Transport transport_;
  ClientInfo client_;
  std::uint64_t changes_;  // of the context, as far as they are taken up
  std::string_view received_;
  nghttp2_session* frames_ = nullptr;
  std::unique_ptr<storage::IoWatch> watch_;
  Deadline deadline_;
  DeadlineList* armed_in_ = nullptr;
  OutputQueue output_;
  FloodGuard guard_;

  // Those open, in no order; those whose request has just become whole; those over, to be used again.
  std::vector<std::unique_ptr<Http2Stream>> streams_;
  std::vector<Http2Stream*> begun_;
  std::vector<Http2Stream*> with_content_;
  std::vector<std::unique_ptr<Http2Stream>> over_;

  Phase phase_ = Phase::kServing;
  bool driving_ = false;
  bool drive_posted_ = false;
  bool reading_later_ = false;
  bool ending_output_ = false;  // the transport still has to say that no more comes
  bool read_closed_ = false;
  bool head_begun_ = false;       // a header block has begun and not ended
  std::int32_t head_stream_ = 0;  // whose it is
  std::size_t head_size_ = 0;     // of its lines so far, before any limit
  bool got_settings_ = false;
  bool draining_ = false;    // a first GOAWAY has been said
  bool last_said_ = false;   // and the second
  bool ending_ = false;      // the only one
  bool served_ = false;      // a stream has ended since the deadline was set
  bool progressed_ = false;  // since the deadline was set
  bool sent_some_ = false;   // the same, of the output alone
};

}  // namespace freshet::proxy
