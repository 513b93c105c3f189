#include "proxy/http1/http1_session.h"

#include <algorithm>
#include <utility>

#include "storage/http/status_code.h"

namespace freshet::proxy {

using storage::Counter;
using storage::IoInterest;

namespace {

constexpr std::size_t kScratch = 64 * 1024;
// Input that may wait unread in a session, over a head's limit.
constexpr std::size_t kMostKept = 64 * 1024;
// Output that may wait unsent before the exchange pauses.
constexpr std::size_t kMostQueued = 512 * 1024;
// Written for one connection before the worker's others have their turn.
constexpr std::size_t kTurnBudget = 2 * 1024 * 1024;

// What an HTTP/2 client begins with (RFC 9113, 3.4), as far as a request line and an empty head would reach.
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\n";

// RFC 9110, 6.5.1 and 10.1.4.
bool accepts_trailers(const storage::RequestHead& request) {
  if (!request.fields.has(storage::FieldName::kTe)) return false;
  const auto te = request.fields.combined(storage::FieldName::kTe);
  return te && te->find("trailers") != std::string::npos;
}

// The scheme of the target URI is how the client reached us.
RequestParserOptions parser_for(RequestParserOptions options, const Transport& transport) {
  if (transport.secure()) options.scheme = "https";
  return options;
}

}  // namespace

Http1Context::Http1Context(EventLoop& event_loop, CoarseTimers& coarse_timers,
                           ExchangeContext& exchange_context, const RequestParserOptions& parser_options,
                           const Http1Timeouts& timeouts)
    : loop(event_loop),
      timers(coarse_timers),
      exchanges(exchange_context),
      parser(parser_options),
      head_deadlines(&timers.list(timeouts.head)),
      idle_deadlines(&timers.list(timeouts.idle)),
      body_deadlines(&timers.list(timeouts.body)),
      send_deadlines(&timers.list(timeouts.send)),
      linger_deadlines(&timers.list(timeouts.linger)),
      works(exchanges, [this](std::function<void()> task) { loop.post(std::move(task)); }),
      scratch(kScratch, '\0') {}

void Http1Context::change(const RequestParserOptions& parser_options, const Http1Timeouts& timeouts) {
  parser = parser_options;
  head_deadlines = &timers.list(timeouts.head);
  idle_deadlines = &timers.list(timeouts.idle);
  body_deadlines = &timers.list(timeouts.body);
  send_deadlines = &timers.list(timeouts.send);
  linger_deadlines = &timers.list(timeouts.linger);
  ++changes;
}

Http1Session::Http1Session(Http1Context& context, Transport transport, ClientInfo client)
    : context_(context),
      transport_(std::move(transport)),
      client_(std::move(client)),
      deadline_([this] { on_deadline(); }),
      changes_(context.changes),
      may_be_http2_(context.to_http2 != nullptr) {
  context_.exchanges.counters.add(Counter::kConnectionsOpen);
}

Http1Session::~Http1Session() {
  watch_.reset();
  // Cut off at the end of the drain: where the connection's end is the only framing, it must not look whole.
  const bool framed = reply_framing_.chunked || reply_framing_.content_length.has_value();
  transport_.close(!framed && (responding_ || unsent() > 0));
  context_.exchanges.counters.add(Counter::kConnectionsOpen, -1);
}

void Http1Session::start() {
  watch_ = context_.loop.watch(transport_.descriptor(), IoInterest::kRead,
                               [this](storage::IoReady ready) { on_ready(ready); });
  arm(*context_.head_deadlines);
  if (transport_.holds_input()) read_input();
}

void Http1Session::drain() {
  if (phase_ != Phase::kRequests || responding_ || head_begun_) return;
  // What has arrived is a request that we have accepted; only silence is closed.
  read_input();
  if (phase_ != Phase::kRequests || responding_ || head_begun_ || !input().empty()) return;
  if (context_.patient) return;
  if (unsent() == 0) return close_now(false);
  after_ = After::kClose;  // when the last answer is out
}

void Http1Session::on_ready(storage::IoReady ready) {
  if (phase_ == Phase::kClosed) return;
  if (ready.writable) progressed_ = sent_some_ = true;
  if (ready.writable && ending_output_) end_output();
  if (phase_ == Phase::kClosed) return;
  if (ready.readable || transport_.read_waits_for_room()) {
    read_input();
  } else {
    drive();
  }
}

// One read a turn: another connection's request is worth as much as this one's next. Level-triggered, so what
// is left comes in the next turn.
void Http1Session::read_input() {
  if (read_closed_) return drive();
  std::size_t got = 0;
  switch (transport_.read(context_.scratch.data(), context_.scratch.size(), got)) {
    case TransportOutcome::kBlocked:
      return drive();
    case TransportOutcome::kBroken:
      return close_now(false);
    case TransportOutcome::kEnd: {
      // It sends no more, but may still read: what it has asked for is answered.
      read_closed_ = true;
      const bool owes_nothing = !responding_ && input().empty() && unsent() == 0;
      if (phase_ == Phase::kLingering || owes_nothing) return close_now(false);
      return drive();
    }
    case TransportOutcome::kDone:
      break;
  }
  if (phase_ == Phase::kLingering) return set_interest();
  progressed_ = true;
  const std::string_view bytes(context_.scratch.data(), got);
  need_work();
  if (work_->kept_used < work_->kept.size()) {
    work_->kept.append(bytes);
  } else {
    work_->kept.clear();
    work_->kept_used = 0;
    fresh_ = bytes;
  }
  drive();
}

std::string_view Http1Session::input() const {
  if (!fresh_.empty() || !work_) return fresh_;
  return std::string_view(work_->kept).substr(work_->kept_used);
}

void Http1Session::consume(std::size_t bytes) {
  if (!fresh_.empty()) {
    fresh_.remove_prefix(bytes);
  } else {
    work_->kept_used += bytes;
  }
}

// The scratch belongs to whoever reads next: what is left of it becomes ours.
void Http1Session::keep_input() {
  if (!fresh_.empty()) {
    work_->kept.assign(fresh_);
    work_->kept_used = 0;
    fresh_ = {};
  } else if (work_->kept_used == work_->kept.size()) {
    work_->kept.clear();
    work_->kept_used = 0;
    if (work_->kept.capacity() > kMostKept / 4) work_->kept.shrink_to_fit();
  } else if (work_->kept_used > kMostKept) {
    work_->kept.erase(0, work_->kept_used);
    work_->kept_used = 0;
  }
}

void Http1Session::need_work() {
  if (!work_) work_ = context_.works.take(*this, client_, parser_for(context_.parser, transport_));
}

void Http1Session::rest() {
  if (work_ && !responding_ && !head_begun_ && input().empty() && unsent() == 0)
    context_.works.give_back(std::move(work_));
}

// Does whatever can be done now: takes requests, lets the exchange go on, writes. Events of any kind end
// here.
void Http1Session::drive() {
  if (driving_ || phase_ == Phase::kClosed) return;
  driving_ = true;
  bool more = true;
  bool held_back = false;  // a request waits until there is room for its answer
  int refills = 4;         // of the output, before it is another connection's turn
  while (more && phase_ == Phase::kRequests) {
    more = held_back = false;
    // Also where no more will come: the source says that it has failed.
    if (responding_ && upload_waits_ && (!input().empty() || read_closed_)) {
      upload_waits_ = false;
      work_->exchange.on_upload();
    }
    if (responding_ && response_done_) {
      after_response();
      more = true;
    } else if (!responding_ && after_ == After::kContinue) {
      held_back = unsent() >= kMostQueued;
      more = !held_back && take_request();
    }
    if (more) continue;
    if (!write_output()) break;
    if (room_wanted_ && has_room() && refills-- > 0) {
      room_wanted_ = false;
      work_->exchange.on_room();
      more = true;
    } else if (held_back) {
      more = refills-- > 0;
    }
  }
  driving_ = false;
  if (work_) keep_input();
  if (phase_ == Phase::kClosed) return;
  rest();
  if (phase_ == Phase::kRequests && after_ != After::kContinue && !responding_ && unsent() == 0) {
    return after_ == After::kReset ? close_now(true) : close_gracefully();
  }
  if ((room_wanted_ && has_room()) || (held_back && unsent() < kMostQueued)) drive_later();
  set_interest();
  set_deadline();
}

bool Http1Session::take_request() {
  if (input().empty()) {
    head_begun_ = false;
    if (read_closed_) after_ = After::kClose;
    return false;
  }
  if (!head_begun_ && changes_ != context_.changes) take_up_changes();
  if (may_be_http2_ && take_preface()) return false;
  std::size_t consumed = 0;
  switch (work_->parser.parse(input(), work_->exchange.request(), work_->framing, consumed)) {
    case RequestParser::Outcome::kNeedMore:
      head_begun_ = true;
      if (read_closed_) after_ = After::kClose;
      return false;
    case RequestParser::Outcome::kBad:
      refuse(work_->parser.bad_status(), work_->parser.bad_reason());
      return true;
    case RequestParser::Outcome::kDone:
      break;
  }
  consume(consumed);
  head_begun_ = false;
  begin_exchange();
  return true;
}

void Http1Session::take_up_changes() {
  changes_ = context_.changes;
  work_->parser = RequestParser(parser_for(context_.parser, transport_));
  if (context_.trusts) client_.trusted = context_.trusts(client_.address);
}

bool Http1Session::take_preface() {
  const std::string_view begin = input().substr(0, kHttp2Preface.size());
  may_be_http2_ = context_.to_http2 && kHttp2Preface.substr(0, begin.size()) == begin;
  if (!may_be_http2_) return false;
  if (begin.size() < kHttp2Preface.size()) {
    head_begun_ = true;
    if (read_closed_) after_ = After::kClose;
    return true;
  }
  phase_ = Phase::kClosed;
  deadline_.disarm();
  watch_.reset();
  context_.to_http2(std::move(transport_), client_, input());
  context_.retire(*this);
  return true;
}

void Http1Session::begin_exchange() {
  responding_ = true;
  response_done_ = head_sent_ = upload_waits_ = continue_sent_ = content_failed_ = room_wanted_ = false;
  head_bytes_ = 0;
  armed_in_ = nullptr;  // the next head has a time of its own, also where a part of it is here already
  client_takes_trailers_ = accepts_trailers(work_->exchange.request());
  work_->content.begin(work_->framing);
  RequestBody body;
  if (!work_->content.complete()) body.source = this;
  if (work_->framing.body == RequestFraming::Body::kLength) body.size = work_->framing.length;
  work_->exchange.start(body);
}

// A request that has no single reading gets an answer and the connection's end (RFC 9112, 2.2).
void Http1Session::refuse(int status, std::string_view reason) {
  context_.exchanges.counters.add(Counter::kClientErrors);
  responding_ = true;
  response_done_ = head_sent_ = upload_waits_ = false;
  head_begun_ = false;
  work_->framing = {};
  work_->framing.keep_alive = false;
  work_->content.begin(work_->framing);
  work_->exchange.refuse(status, reason);
}

revalidate::UploadSource::Next Http1Session::next(char* buffer, std::size_t capacity, std::size_t& size) {
  if (content_failed_ || !work_) return Next::kFailed;
  std::size_t consumed = 0;
  const auto outcome = work_->content.take(input(), buffer, capacity, consumed, size);
  consume(consumed);
  if (consumed > 0) progressed_ = true;
  switch (outcome) {
    case RequestContent::Outcome::kData:
      return Next::kData;
    case RequestContent::Outcome::kEnd:
      return Next::kEnd;
    case RequestContent::Outcome::kBad:
      context_.exchanges.counters.add(Counter::kClientErrors);
      after_ = After::kClose;
      return Next::kFailed;
    case RequestContent::Outcome::kNeedMore:
      break;
  }
  if (read_closed_) {
    after_ = After::kClose;
    return Next::kFailed;
  }
  upload_waits_ = true;
  if (work_->framing.expect_continue && !continue_sent_ && !head_sent_) {
    continue_sent_ = true;
    work_->output.text().append(kContinueResponse);
    work_->output.end_text();
  }
  // Reading may have paused while nobody asked for content.
  if (!driving_) drive_later();
  return Next::kWait;
}

void Http1Session::drive_later() {
  context_.loop.post([this, alive = std::weak_ptr<const bool>(alive_)] {
    if (!alive.expired()) drive();
  });
}

// What TLS holds already, the descriptor does not announce.
void Http1Session::read_later() {
  if (std::exchange(reading_later_, true)) return;
  context_.loop.post([this, alive = std::weak_ptr<const bool>(alive_)] {
    if (alive.expired()) return;
    reading_later_ = false;
    if (phase_ != Phase::kClosed && transport_.holds_input()) read_input();
  });
}

void Http1Session::send_informational(const storage::ResponseHead& head) {
  // RFC 9110, 15.2: not to an HTTP/1.0 client. To one that reads nothing they are not worth the room.
  if (work_->exchange.request().version == storage::HttpVersion::kHttp10 || head_sent_ ||
      unsent() >= kMostQueued)
    return;
  if (head.status == 100 && std::exchange(continue_sent_, true)) return;
  std::string& text = work_->output.text();
  append_status_line(text, head.status, head.reason);
  text.append(head.fields.wire()).append("\r\n");
  work_->output.end_text();
}

void Http1Session::send_head(const ReplyHead& head) {
  const storage::RequestHead& request = work_->exchange.request();
  // What is left of an upload that nobody wants any more would be taken for the next request.
  const bool last = read_closed_ && input().empty();
  const bool keep = work_->framing.keep_alive && after_ == After::kContinue && !context_.draining &&
                    work_->content.complete() && !last;
  reply_framing_ = frame_response(head.status, request.method, head.content_length, request.version, keep);
  if (!head.has_body) {
    reply_framing_.has_body = reply_framing_.chunked = false;
    reply_framing_.keep_alive = keep;
  }
  if (!reply_framing_.keep_alive) after_ = After::kClose;
  send_trailers_ = reply_framing_.chunked && client_takes_trailers_;
  std::string& text = work_->output.text();
  const std::size_t before = text.size();
  append_status_line(text, head.status, head.reason);
  if (head.fields != nullptr) text.append(head.fields->wire());
  text.append(head.more);
  append_framing(text, reply_framing_);
  head_bytes_ = text.size() - before;
  work_->output.end_text();
  head_sent_ = true;
}

bool Http1Session::has_room() const {
  const bool room = unsent() < kMostQueued;
  if (!room) room_wanted_ = true;
  return room;
}

void Http1Session::send_body(const storage::Chunk& chunk) {
  if (chunk.empty() || !reply_framing_.has_body) return;
  if (reply_framing_.chunked) {
    append_chunk_begin(work_->output.text(), chunk.size());
    work_->output.append(chunk);
    work_->output.text().append(kChunkEnd);
    work_->output.end_text();
  } else {
    work_->output.append(chunk);
  }
}

void Http1Session::finish(const storage::HeaderFields* trailers) {
  if (reply_framing_.chunked) {
    std::string& text = work_->output.text();
    if (trailers != nullptr && send_trailers_) {
      text.append("0\r\n").append(trailers->wire()).append("\r\n");
    } else {
      text.append(kLastChunk);
    }
    work_->output.end_text();
  }
  response_done_ = true;
}

void Http1Session::abort() {
  response_done_ = true;
  // The end of the connection is the framing: only a reset tells that this is not it.
  const bool framed = reply_framing_.chunked || reply_framing_.content_length.has_value();
  after_ = framed && head_sent_ ? After::kClose : After::kReset;
}

void Http1Session::flush() {
  drive();
}

void Http1Session::after_response() {
  responding_ = response_done_ = false;
  if (!work_->content.complete()) after_ = std::max(after_, After::kClose);
  work_->exchange.reset();
  if (context_.draining && !context_.patient && input().empty()) after_ = std::max(after_, After::kClose);
  if (after_ == After::kReset) work_->output.clear();
}

// False: the socket is full or broken, or it is another connection's turn.
bool Http1Session::write_output() {
  if (unsent() == 0) return true;
  std::uint64_t written = 0;
  const auto outcome = work_->output.write_to(transport_, kTurnBudget, written);
  if (written > 0) {
    progressed_ = sent_some_ = true;
    context_.exchanges.counters.add_alone(Counter::kBytesSent, static_cast<std::int64_t>(written));
  }
  switch (outcome) {
    case OutputQueue::Written::kAll:
      return true;
    case OutputQueue::Written::kBlocked:
    case OutputQueue::Written::kBudget:
      return room_wanted_ && has_room();
    case OutputQueue::Written::kBroken:
      close_now(false);
      return false;
  }
  return false;
}

void Http1Session::close_gracefully() {
  if (read_closed_) return close_now(false);
  // Closing with input unread would reset the connection and take our answer back from the client.
  phase_ = Phase::kLingering;
  arm(*context_.linger_deadlines);
  end_output();
  set_interest();
}

void Http1Session::end_output() {
  ending_output_ = transport_.end_output() == TransportOutcome::kBlocked;
}

void Http1Session::close_now(bool reset) {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  if (work_) work_->exchange.client_gone();
  deadline_.disarm();
  watch_.reset();
  if (work_) work_->output.clear();
  transport_.close(reset);
  context_.retire(*this);
}

void Http1Session::set_interest() {
  if (!watch_) return;
  const std::size_t most_kept = kMostKept + (head_begun_ ? context_.parser.max_head : 0);
  const bool room_for_input = input().size() < most_kept;
  // During a response only its request's content is wanted, and a little of what is pipelined behind it.
  const bool read = !read_closed_ && (phase_ == Phase::kLingering || room_for_input);
  const bool write = unsent() > 0 || ending_output_ || (read && transport_.read_waits_for_room());
  if (read && transport_.holds_input()) read_later();
  const IoInterest interest = read ? (write ? IoInterest::kReadWrite : IoInterest::kRead)
                                   : (write ? IoInterest::kWrite : IoInterest::kNone);
  if (std::exchange(interest_, interest) != interest) watch_->set_interest(interest);
}

// One deadline for whatever is being waited for; moved on when there was progress.
void Http1Session::set_deadline() {
  DeadlineList* list = nullptr;
  if (phase_ == Phase::kLingering) return;
  if (unsent() > 0) {
    list = context_.send_deadlines;
  } else if (responding_ && read_closed_) {
    // It may only have closed its side; one that has left would look the same until we write.
    list = context_.linger_deadlines;
  } else if (responding_) {
    list = upload_waits_ ? context_.body_deadlines : nullptr;
  } else {
    list = head_begun_ ? context_.head_deadlines : context_.idle_deadlines;
  }
  // A head has so long altogether, however often a byte of it comes; and who takes nothing is not helped by
  // what it sends.
  const bool progress = list == context_.send_deadlines ? sent_some_ : progressed_;
  const bool moves = progress && list != context_.head_deadlines;
  progressed_ = sent_some_ = false;
  if (list == nullptr) {
    deadline_.disarm();
    armed_in_ = nullptr;
  } else if (list != armed_in_ || moves || !deadline_.armed()) {
    arm(*list);
  }
}

void Http1Session::arm(DeadlineList& list) {
  armed_in_ = &list;
  context_.timers.arm(deadline_, list, context_.loop.mono_time());
}

void Http1Session::on_deadline() {
  const bool waits_for_client = !responding_ && head_begun_;
  const bool waits_for_content = responding_ && upload_waits_ && !head_sent_;
  if (phase_ != Phase::kRequests || unsent() > 0) return close_now(phase_ == Phase::kRequests);
  if (waits_for_client) {
    refuse(408, "the head took too long");
    return drive();
  }
  if (waits_for_content) {
    // The origin client hears of an upload that broke off, and the exchange answers.
    content_failed_ = true;
    upload_waits_ = false;
    after_ = After::kClose;
    work_->exchange.on_upload();
    return drive();
  }
  close_now(responding_);
}

}  // namespace freshet::proxy
