#include "proxy/http2/http2_session.h"

#include <algorithm>
#include <nghttp2/nghttp2.h>
#include <utility>

#include "proxy/http2/http2_callbacks.h"
#include "proxy/http2/http2_stream.h"

namespace freshet::proxy {

using storage::Counter;
using storage::IoInterest;

namespace {

constexpr std::size_t kScratch = 64 * 1024;
// Written for one connection before the worker's others have their turn.
constexpr std::size_t kTurnBudget = 2 * 1024 * 1024;
// So often the output is filled again in a turn.
constexpr int kRefills = 8;
RequestParserOptions over_tls(RequestParserOptions limits) {
  limits.scheme = "https";
  return limits;
}

// Stream objects that a worker keeps for the next requests.
constexpr std::size_t kSpareStreams = 256;

}  // namespace

Http2Context::Http2Context(EventLoop& event_loop, CoarseTimers& coarse_timers,
                           ExchangeContext& exchange_context, const RequestParserOptions& head_limits,
                           const Http1Timeouts& timeouts, const Http2Options& http2_options)
    : loop(event_loop),
      timers(coarse_timers),
      exchanges(exchange_context),
      limits(head_limits),
      secure_limits(over_tls(head_limits)),
      options(http2_options),
      head_deadlines(&timers.list(timeouts.head)),
      idle_deadlines(&timers.list(timeouts.idle)),
      body_deadlines(&timers.list(timeouts.body)),
      send_deadlines(&timers.list(timeouts.send)),
      linger_deadlines(&timers.list(timeouts.linger)),
      callbacks(std::make_unique<Http2Callbacks>(limits.max_head)),
      scratch(kScratch, '\0') {}

Http2Context::~Http2Context() = default;

void Http2Context::change(const RequestParserOptions& head_limits, const Http1Timeouts& timeouts,
                          const Http2Options& http2_options) {
  limits = head_limits;
  secure_limits = over_tls(head_limits);
  options = http2_options;
  head_deadlines = &timers.list(timeouts.head);
  idle_deadlines = &timers.list(timeouts.idle);
  body_deadlines = &timers.list(timeouts.body);
  send_deadlines = &timers.list(timeouts.send);
  linger_deadlines = &timers.list(timeouts.linger);
  callbacks = std::make_unique<Http2Callbacks>(limits.max_head);
  ++changes;
}

std::unique_ptr<Http2Stream> Http2Context::take_stream() {
  if (spare_streams_.empty()) return std::make_unique<Http2Stream>(*this);
  std::unique_ptr<Http2Stream> stream = std::move(spare_streams_.back());
  spare_streams_.pop_back();
  return stream;
}

void Http2Context::give_back(std::unique_ptr<Http2Stream> stream) {
  if (spare_streams_.size() < kSpareStreams) spare_streams_.push_back(std::move(stream));
}

Http2Session::Http2Session(Http2Context& context, Transport transport, ClientInfo client,
                           std::string_view received)
    : context_(context),
      transport_(std::move(transport)),
      client_(std::move(client)),
      changes_(context.changes),
      received_(received),
      frames_(context.callbacks->make_session(*this, context.options, context.limits.max_head)),
      deadline_([this] { on_deadline(); }),
      guard_(context.options.flood_allowance) {
  context_.exchanges.counters.add(Counter::kConnectionsOpen);
  context_.exchanges.counters.add(Counter::kHttp2Connections);
}

Http2Session::~Http2Session() {
  watch_.reset();
  drop_streams();
  over_.clear();
  nghttp2_session_del(frames_);
  transport_.close(false);
  context_.exchanges.counters.add(Counter::kConnectionsOpen, -1);
}

void Http2Session::start() {
  watch_ = context_.loop.watch(transport_.descriptor(), IoInterest::kRead,
                               [this](storage::IoReady ready) { on_ready(ready); });
  receive(std::exchange(received_, {}));
  if (transport_.holds_input()) {
    read_input();
  } else {
    drive();
  }
  recycle();
}

// Two GOAWAYs (RFC 9113, 6.8): the first says that the end is near, and when the client has answered a ping
// it has heard it; the second says which stream was the last.
void Http2Session::drain() {
  if (phase_ != Phase::kServing || draining_) return;
  // What has arrived is accepted.
  read_input();
  if (phase_ != Phase::kServing) return;
  draining_ = true;
  nghttp2_submit_shutdown_notice(frames_);
  nghttp2_submit_ping(frames_, NGHTTP2_FLAG_NONE, nullptr);
  drive();
}

void Http2Session::say_last_stream() {
  if (!draining_ || std::exchange(last_said_, true)) return;
  nghttp2_submit_goaway(frames_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(frames_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2Session::on_ready(storage::IoReady ready) {
  if (phase_ == Phase::kClosed) return;
  if (ready.writable) progressed_ = sent_some_ = true;
  if (ready.writable && ending_output_) {
    end_output();
    set_interest();  // drive() does it no more
  }
  if (ready.readable || transport_.read_waits_for_room()) {
    read_input();
  } else {
    drive();
  }
  recycle();
}

void Http2Session::read_input() {
  std::size_t got = 0;
  if (!read_closed_) {
    switch (transport_.read(context_.scratch.data(), context_.scratch.size(), got)) {
      case TransportOutcome::kDone:
        progressed_ = true;
        if (phase_ == Phase::kLingering) break;
        receive({context_.scratch.data(), got});
        break;
      case TransportOutcome::kBlocked:
        break;
      case TransportOutcome::kEnd:
        // It sends no more, but may still read: what it has asked for is answered.
        read_closed_ = true;
        if (phase_ == Phase::kLingering || (streams_.empty() && output_.size() == 0)) return close_now(false);
        break;
      case TransportOutcome::kBroken:
        return close_now(false);
    }
  }
  // What a read waits for may change, and drive() looks at it only while there is something to do.
  if (phase_ == Phase::kLingering) return set_interest();
  drive();
}

// What TLS holds already, the descriptor does not announce.
void Http2Session::read_later() {
  if (std::exchange(reading_later_, true)) return;
  context_.loop.post([this, alive = std::weak_ptr<const bool>(alive_)] {
    if (alive.expired()) return;
    reading_later_ = false;
    if (phase_ != Phase::kClosed && transport_.holds_input()) read_input();
    recycle();
  });
}

void Http2Session::receive(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto* const data = reinterpret_cast<const std::uint8_t*>(bytes.data());  // NOLINT
  const ssize_t used = nghttp2_session_mem_recv(frames_, data, bytes.size());
  if (used >= 0) return;
  // It is beyond what the library can go on with; what it is in a position to say is that.
  end_connection(used == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Session::end_connection(std::uint32_t error) {
  if (std::exchange(ending_, true)) return;
  if (error == NGHTTP2_ENHANCE_YOUR_CALM) context_.exchanges.counters.add(Counter::kHttp2Floods);
  nghttp2_session_terminate_session(frames_, error);
}

void Http2Session::spend() {
  if (!guard_.spend(context_.loop.mono_time())) end_connection(NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Session::count_client_error() {
  context_.exchanges.counters.add(Counter::kClientErrors);
}

// Does whatever can be done now: begins exchanges, lets them go on, frames, writes. Events of any kind end
// here.
void Http2Session::drive() {
  if (driving_ || phase_ != Phase::kServing) return;
  driving_ = true;
  int refills = kRefills;
  for (;;) {
    run_exchanges();
    if (!frame_output()) break;
    const bool more = give_room();
    if (more && output_.size() < kMostQueued) continue;
    if (!write_output()) break;
    const bool unframed = nghttp2_session_want_write(frames_) != 0;
    if ((!more && !unframed) || --refills <= 0) break;
  }
  driving_ = false;
  if (phase_ != Phase::kServing || finish_if_over()) return;
  // Not until the client has taken something: then it is writable.
  if (output_.size() == 0 && nghttp2_session_want_write(frames_) != 0) drive_later();
  set_interest();
  set_deadline();
}

void Http2Session::drive_later() {
  if (std::exchange(drive_posted_, true)) return;
  context_.loop.post([this, alive = std::weak_ptr<const bool>(alive_)] {
    if (alive.expired()) return;
    drive_posted_ = false;
    drive();
    recycle();
  });
}

void Http2Session::drive_later_if_over() {
  if (!driving_ && !over_.empty()) drive_later();
}

// Outside of the library's callbacks.
void Http2Session::run_exchanges() {
  for (std::size_t i = 0; i < begun_.size(); ++i) begun_[i]->begin();
  begun_.clear();
  for (std::size_t i = 0; i < with_content_.size(); ++i) with_content_[i]->tell_of_content();
  with_content_.clear();
}

// False: the connection is broken.
bool Http2Session::frame_output() {
  while (output_.size() < kMostQueued) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(frames_, &data);
    if (size < 0) {
      close_now(true);
      return false;
    }
    if (size == 0) break;
    output_.text().append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));  // NOLINT
    output_.end_text();
  }
  output_.end_text();
  return true;
}

// True: some exchange went on.
bool Http2Session::give_room() {
  bool any = false;
  for (std::size_t i = 0; i < streams_.size(); ++i) any |= streams_[i]->give_room();
  return any;
}

// False: the socket is full or broken, or it is another connection's turn.
bool Http2Session::write_output() {
  if (output_.size() == 0) return true;
  std::uint64_t written = 0;
  const auto outcome = output_.write_to(transport_, kTurnBudget, written);
  if (written > 0) {
    progressed_ = sent_some_ = true;
    context_.exchanges.counters.add_alone(Counter::kBytesSent, static_cast<std::int64_t>(written));
  }
  switch (outcome) {
    case OutputQueue::Written::kAll:
      return true;
    case OutputQueue::Written::kBlocked:
    case OutputQueue::Written::kBudget:
      return false;
    case OutputQueue::Written::kBroken:
      close_now(false);
      return false;
  }
  return false;
}

Http2Stream* Http2Session::open_stream(std::int32_t id) {
  if (changes_ != context_.changes) {
    changes_ = context_.changes;
    if (context_.trusts) client_.trusted = context_.trusts(client_.address);
  }
  streams_.push_back(context_.take_stream());
  Http2Stream& stream = *streams_.back();
  stream.open(*this, id);
  stream.set_place(streams_.size() - 1);
  return &stream;
}

void Http2Session::end_head(Http2Stream& stream, bool no_content) {
  if (stream.end_head(no_content)) {
    begun_.push_back(&stream);
    return;
  }
  count_client_error();
  nghttp2_submit_rst_stream(frames_, NGHTTP2_FLAG_NONE, stream.id(), NGHTTP2_PROTOCOL_ERROR);
}

void Http2Session::content_arrived(Http2Stream& stream, std::string_view bytes) {
  stream.add_content(bytes);
  if (with_content_.empty() || with_content_.back() != &stream) with_content_.push_back(&stream);
}

void Http2Session::end_content(Http2Stream& stream) {
  stream.end_content();
  if (with_content_.empty() || with_content_.back() != &stream) with_content_.push_back(&stream);
}

void Http2Session::end_stream(Http2Stream& stream) {
  // The library says no more of its head, or of its trailers.
  if (stream.id() == head_stream_) head_begun_ = false;
  begun_.erase(std::remove(begun_.begin(), begun_.end(), &stream), begun_.end());
  with_content_.erase(std::remove(with_content_.begin(), with_content_.end(), &stream), with_content_.end());
  stream.close();
  served_ = true;
  const std::size_t place = stream.place();
  over_.push_back(std::move(streams_[place]));
  if (place + 1 < streams_.size()) {
    streams_[place] = std::move(streams_.back());
    streams_[place]->set_place(place);
  }
  streams_.pop_back();
}

void Http2Session::drop_streams() {
  while (!streams_.empty()) end_stream(*streams_.back());
}

// Not from inside an exchange.
void Http2Session::recycle() {
  if (over_.empty()) return;
  for (auto& stream : over_) context_.give_back(std::move(stream));
  over_.clear();
}

bool Http2Session::finish_if_over() {
  if (output_.size() > 0 || nghttp2_session_want_write(frames_) != 0) return false;
  const bool left = read_closed_ && streams_.empty();
  if (!left && nghttp2_session_want_read(frames_) != 0) return false;
  close_gracefully();
  return true;
}

void Http2Session::close_gracefully() {
  drop_streams();
  if (read_closed_) return close_now(false);
  // Closing with input unread would reset the connection and take our last words back from the client.
  phase_ = Phase::kLingering;
  arm(*context_.linger_deadlines);
  end_output();
  set_interest();
  drive_later_if_over();
}

void Http2Session::end_output() {
  ending_output_ = transport_.end_output() == TransportOutcome::kBlocked;
}

void Http2Session::close_now(bool reset) {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  drop_streams();
  deadline_.disarm();
  watch_.reset();
  output_.clear();
  transport_.close(reset);
  context_.retire(*this);
}

void Http2Session::set_interest() {
  if (!watch_) return;
  const bool read = !read_closed_;
  const bool write = output_.size() > 0 || ending_output_ || (read && transport_.read_waits_for_room());
  if (read && transport_.holds_input()) read_later();
  watch_->set_interest(read ? (write ? IoInterest::kReadWrite : IoInterest::kRead)
                            : (write ? IoInterest::kWrite : IoInterest::kNone));
}

// One deadline for whatever the connection waits for; its streams have their own.
void Http2Session::set_deadline() {
  DeadlineList* list = nullptr;
  bool moves = false;
  if (output_.size() > 0) {
    list = context_.send_deadlines;
    moves = sent_some_;
  } else if (read_closed_) {
    // It may only have closed its side; one that has left would look the same until we write.
    list = context_.linger_deadlines;
    moves = progressed_;
  } else if (draining_ && !last_said_) {
    list = context_.linger_deadlines;
  } else if (head_begun_) {
    list = context_.head_deadlines;
  } else if (streams_.empty()) {
    list = context_.idle_deadlines;
    moves = served_;
  }
  progressed_ = sent_some_ = served_ = false;
  if (list == nullptr) {
    deadline_.disarm();
    armed_in_ = nullptr;
  } else if (list != armed_in_ || moves || !deadline_.armed()) {
    arm(*list);
  }
}

void Http2Session::arm(DeadlineList& list) {
  armed_in_ = &list;
  context_.timers.arm(deadline_, list, context_.loop.mono_time());
}

void Http2Session::on_deadline() {
  if (phase_ != Phase::kServing || output_.size() > 0 || read_closed_) {
    return close_now(phase_ == Phase::kServing);
  }
  if (draining_ && !last_said_) {
    say_last_stream();
  } else {
    // Nothing for too long, or a head that takes too long.
    end_connection(head_begun_ ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_NO_ERROR);
  }
  drive();
  recycle();
}

}  // namespace freshet::proxy
