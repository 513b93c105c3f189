#include "proxy/http2/http2_stream.h"

#include <algorithm>
#include <cstring>
#include <nghttp2/nghttp2.h>
#include <utility>

#include "proxy/http2/http2_callbacks.h"
#include "proxy/http2/http2_session.h"

namespace freshet::proxy {

namespace {

// Bytes of a response that may wait for their frames.
constexpr std::size_t kMostWaiting = 64 * 1024;
// What is kept of a content's buffer for the next request.
constexpr std::size_t kMostKept = 16 * 1024;
constexpr int kSwitchingProtocols = 101;

}  // namespace

Http2Stream::Http2Stream(Http2Context& context)
    : context_(context), exchange_(context.exchanges, *this, client_), deadline_([this] { on_deadline(); }) {}

void Http2Stream::open(Http2Session& session, std::int32_t id) {
  session_ = &session;
  id_ = id;
  client_ = session.client();
  content_complete_ = content_wanted_ = content_failed_ = upload_waits_ = continue_sent_ = false;
  head_sent_ = has_body_ = response_done_ = response_broken_ = deferred_ = room_wanted_ = false;
  head_bytes_ = 0;
  trailers_.reset();
  builder_.begin(session.limits(), client_.trusted, exchange_.request());
}

void Http2Stream::add_field(std::string_view name, std::string_view value) {
  builder_.add(name, value, exchange_.request());
}

bool Http2Stream::end_head(bool no_content) {
  head_outcome_ = builder_.finish(exchange_.request());
  if (head_outcome_ == RequestBuilder::Outcome::kMalformed) return false;
  content_complete_ = no_content;
  const bool some = !no_content && builder_.content_length() != std::uint64_t{0};
  content_wanted_ = some && head_outcome_ == RequestBuilder::Outcome::kDone;
  return true;
}

void Http2Stream::begin() {
  if (head_outcome_ == RequestBuilder::Outcome::kRefused) {
    session_->count_client_error();
    return exchange_.refuse(builder_.status(), builder_.reason());
  }
  RequestBody body;
  if (content_wanted_) body.source = this;
  body.size = builder_.content_length();
  exchange_.start(body);
}

void Http2Stream::add_content(std::string_view bytes) {
  if (!content_wanted_) return content_used(bytes.size());
  content_.append(bytes);
}

void Http2Stream::end_content() {
  content_complete_ = true;
}

void Http2Stream::tell_of_content() {
  if (!std::exchange(upload_waits_, false)) return;
  if (body_.size() == 0) deadline_.disarm();
  exchange_.on_upload();
}

revalidate::UploadSource::Next Http2Stream::next(char* buffer, std::size_t capacity, std::size_t& size) {
  if (content_failed_ || session_ == nullptr) return Next::kFailed;
  size = std::min(capacity, content_.size() - content_taken_);
  if (size > 0) {
    std::memcpy(buffer, content_.data() + content_taken_, size);
    content_taken_ += size;
    if (content_taken_ == content_.size()) forget_content();
    content_used(size);
    return Next::kData;
  }
  if (content_complete_) return Next::kEnd;
  upload_waits_ = true;
  if (builder_.expects_continue() && !head_sent_) {
    storage::ResponseHead head;
    head.status = 100;
    send_informational(head);
    session_->drive_later();
  }
  if (!deadline_.armed()) context_.timers.arm(deadline_, *context_.body_deadlines, context_.loop.mono_time());
  return Next::kWait;
}

// The client may send so much more; the frames that say so go out with what comes next.
void Http2Stream::content_used(std::size_t bytes) {
  if (bytes == 0) return;
  nghttp2_session_consume(session_->frames(), id_, bytes);
  session_->drive_later();
}

void Http2Stream::forget_content() {
  content_.clear();
  content_taken_ = 0;
  if (content_.capacity() > kMostKept) content_.shrink_to_fit();
}

// Nobody asks for it any more.
void Http2Stream::drop_content() {
  content_wanted_ = upload_waits_ = false;
  const std::size_t left = content_.size() - content_taken_;
  forget_content();
  content_used(left);
}

void Http2Stream::send_informational(const storage::ResponseHead& head) {
  if (head_sent_ || head.status == kSwitchingProtocols) return;
  if (head.status == 100 && std::exchange(continue_sent_, true)) return;
  const auto& lines = fields_.make(head);
  nghttp2_submit_headers(session_->frames(), NGHTTP2_FLAG_NONE, id_, nullptr, lines.data(), lines.size(),
                         nullptr);
}

void Http2Stream::send_head(const ReplyHead& head) {
  const auto& lines = fields_.make(head);
  head_bytes_ = fields_.size();
  head_sent_ = true;
  has_body_ = head.has_body && head.content_length != std::uint64_t{0};
  const nghttp2_data_provider provider = Http2Callbacks::provider_of(*this);
  const int failed = nghttp2_submit_response(session_->frames(), id_, lines.data(), lines.size(),
                                             has_body_ ? &provider : nullptr);
  if (failed != 0) reset(NGHTTP2_INTERNAL_ERROR);
}

std::size_t Http2Stream::window() const {
  nghttp2_session* const frames = session_->frames();
  const std::int32_t window = std::min(nghttp2_session_get_stream_remote_window_size(frames, id_),
                                       nghttp2_session_get_remote_window_size(frames));
  return window > 0 ? static_cast<std::size_t>(window) : 0;
}

bool Http2Stream::has_room() const {
  const bool room = body_.size() < std::min(kMostWaiting, window());
  if (!room) room_wanted_ = true;
  return room;
}

bool Http2Stream::give_room() {
  if (!room_wanted_ || !has_room()) return false;
  room_wanted_ = false;
  wait_for_client();
  exchange_.on_room();
  return true;
}

void Http2Stream::send_body(const storage::Chunk& chunk) {
  if (chunk.empty() || !has_body_) return;
  body_.push(chunk);
  resume();
}

void Http2Stream::finish(const storage::HeaderFields* trailers) {
  response_done_ = true;
  if (trailers != nullptr && has_body_ && builder_.takes_trailers()) trailers_ = *trailers;
  drop_content();
  if (has_body_) resume();
}

// The client must not take what it has for the whole. What there is goes out ahead of the reset, as over
// HTTP/1: head and content may wait for their frames.
void Http2Stream::abort() {
  room_wanted_ = false;
  drop_content();
  if (!has_body_) return reset(NGHTTP2_INTERNAL_ERROR);
  response_broken_ = true;
  resume();
}

void Http2Stream::reset(std::uint32_t error) {
  room_wanted_ = false;
  body_.clear();
  deadline_.disarm();
  nghttp2_submit_rst_stream(session_->frames(), NGHTTP2_FLAG_NONE, id_, error);
}

void Http2Stream::flush() {
  if (room_wanted_ && !deadline_.armed()) wait_for_client();
  Http2Session& session = *session_;  // the stream may be over when its last frame is made
  session.drive();
  session.drive_later_if_over();
}

void Http2Stream::resume() {
  if (!deadline_.armed()) wait_for_client();
  if (std::exchange(deferred_, false)) nghttp2_session_resume_data(session_->frames(), id_);
}

std::size_t Http2Stream::next_piece(std::size_t most, bool& last) {
  const std::size_t size = std::min(most, body_.size());
  last = response_done_ && size == body_.size();
  deferred_ = size == 0 && !last && !response_broken_;
  return size;
}

void Http2Stream::take_piece(std::size_t size, OutputQueue& output) {
  while (size > 0) {
    const storage::Chunk piece = body_.take(size);
    size -= piece.size();
    output.append(piece);
  }
  wait_for_client();
}

// It has taken something, or is waited for from now on: to take the response, or to go on with its content.
void Http2Stream::wait_for_client() {
  const bool takes = body_.size() > 0 || room_wanted_ || response_broken_;
  if (!takes && !upload_waits_) return deadline_.disarm();
  context_.timers.arm(deadline_, takes ? *context_.send_deadlines : *context_.body_deadlines,
                      context_.loop.mono_time());
}

bool Http2Stream::submit_trailers() {
  if (!trailers_) return false;
  const auto& lines = fields_.make_trailers(*trailers_);
  return nghttp2_submit_trailer(session_->frames(), id_, lines.data(), lines.size()) == 0;
}

void Http2Stream::close() {
  deadline_.disarm();
  exchange_.client_gone();
  exchange_.reset();
  // The stream's window goes with it, the connection's is others' too.
  if (content_.size() > content_taken_) {
    nghttp2_session_consume_connection(session_->frames(), content_.size() - content_taken_);
  }
  forget_content();
  body_.clear();
  trailers_.reset();
  fields_.release();
  session_ = nullptr;
}

void Http2Stream::on_deadline() {
  if (upload_waits_ && !head_sent_) {
    // The origin client hears of an upload that broke off, and the exchange answers.
    content_failed_ = true;
    upload_waits_ = false;
    return exchange_.on_upload();
  }
  if (body_.size() == 0 && !response_done_ && !response_broken_ && !room_wanted_ && !upload_waits_) return;
  context_.exchanges.counters.add(storage::Counter::kHttp2Stalled);
  nghttp2_submit_rst_stream(session_->frames(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  session_->drive();
}

}  // namespace freshet::proxy
