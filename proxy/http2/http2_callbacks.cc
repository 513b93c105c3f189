#include "proxy/http2/http2_callbacks.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "proxy/http2/http2_session.h"
#include "proxy/http2/http2_stream.h"
#include "storage/base/check.h"

namespace freshet::proxy {

namespace {

constexpr std::size_t kFrameHead = 9;
// A window that is opened by less than this is not worth a frame.
constexpr std::int32_t kTinyWindow = 64;
// Entries of a SETTINGS frame; there are nine.
constexpr std::size_t kMostSettings = 32;
// Acknowledgements that may wait for a client that reads nothing.
constexpr std::size_t kMostAcks = 200;
// A head that is so many times over the limit is not read to its end: a byte of it may stand for kilobytes.
constexpr std::size_t kMostOverLimit = 4;
// CONTINUATION frames of one head, where a smaller limit would not ask for more.
constexpr std::size_t kLeastContinuations = 8;
// What clients put into a frame, since we do not offer them more.
constexpr std::size_t kFrameSize = 16 * 1024;
// Of one response: what the origin client takes at most, and what we add.
constexpr std::size_t kMostResponseHead = 512 * 1024;

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};  // NOLINT
}

Http2Session& session_of(void* user) {
  return *static_cast<Http2Session*>(user);
}

Http2Stream* stream_of(nghttp2_session* frames, std::int32_t id) {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(frames, id));
}

bool ends_stream(const nghttp2_frame& frame) {
  return (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

bool is_ack(const nghttp2_frame& frame) {
  return (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
}

bool is_request(const nghttp2_frame& frame) {
  return frame.hd.type == NGHTTP2_HEADERS && frame.headers.cat == NGHTTP2_HCAT_REQUEST;
}

}  // namespace

Http2Callbacks::Http2Callbacks(std::size_t max_head) {
  FRESHET_CHECK(nghttp2_session_callbacks_new(&callbacks_) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks_, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks_, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks_, on_invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks_, on_frame);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks_, on_invalid_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks_, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks_, on_close);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks_, on_sent);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks_, on_not_sent);
  nghttp2_session_callbacks_set_send_data_callback(callbacks_, send_data);

  FRESHET_CHECK(nghttp2_option_new(&option_) == 0);
  nghttp2_option_set_no_auto_window_update(option_, 1);
  // Streams that are over were kept for the priorities of RFC 7540, which we do not use.
  nghttp2_option_set_no_closed_streams(option_, 1);
  nghttp2_option_set_builtin_recv_extension_type(option_, NGHTTP2_PRIORITY_UPDATE);
  nghttp2_option_set_max_settings(option_, kMostSettings);
  nghttp2_option_set_max_outbound_ack(option_, kMostAcks);
  nghttp2_option_set_max_continuations(option_,
                                       std::max(kLeastContinuations, kMostOverLimit * max_head / kFrameSize));
  nghttp2_option_set_max_send_header_block_length(option_, kMostResponseHead);
}

Http2Callbacks::~Http2Callbacks() {
  nghttp2_session_callbacks_del(callbacks_);
  nghttp2_option_del(option_);
}

nghttp2_session* Http2Callbacks::make_session(Http2Session& owner, const Http2Options& options,
                                              std::size_t max_head) const {
  nghttp2_session* frames = nullptr;
  FRESHET_CHECK(nghttp2_session_server_new2(&frames, callbacks_, &owner, option_) == 0);
  const auto number = [](std::uint64_t value) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, INT32_MAX));
  };
  const std::array<nghttp2_settings_entry, 4> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, number(options.max_streams)},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, number(options.stream_window)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, number(max_head)},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  FRESHET_CHECK(nghttp2_submit_settings(frames, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  nghttp2_session_set_local_window_size(frames, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(number(options.window)));
  return frames;
}

nghttp2_data_provider Http2Callbacks::provider_of(Http2Stream& stream) {
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = read_body;
  return provider;
}

int Http2Callbacks::on_begin_headers(nghttp2_session* frames, const nghttp2_frame* frame, void* user) {
  session_of(user).head_begun_ = true;
  session_of(user).head_size_ = 0;
  session_of(user).head_stream_ = frame->hd.stream_id;
  if (!is_request(*frame)) return 0;
  Http2Stream* const stream = session_of(user).open_stream(frame->hd.stream_id);
  nghttp2_session_set_stream_user_data(frames, frame->hd.stream_id, stream);
  return 0;
}

int Http2Callbacks::on_header(nghttp2_session* frames, const nghttp2_frame* frame, const std::uint8_t* name,
                              std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                              std::uint8_t /*flags*/, void* user) {
  Http2Session& session = session_of(user);
  session.head_size_ += name_size + value_size;
  if (session.head_size_ > kMostOverLimit * session.limits().max_head) {
    session.head_begun_ = false;  // nothing more is told of it
    nghttp2_submit_rst_stream(frames, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  // A request's trailers are not forwarded, as with HTTP/1.
  if (!is_request(*frame)) return 0;
  if (Http2Stream* const stream = stream_of(frames, frame->hd.stream_id)) {
    stream->add_field(text_of(name, name_size), text_of(value, value_size));
  }
  return 0;
}

// A line that the library would drop: the request has no single reading.
int Http2Callbacks::on_invalid_header(nghttp2_session* /*frames*/, const nghttp2_frame* /*frame*/,
                                      const std::uint8_t* /*name*/, std::size_t /*name_size*/,
                                      const std::uint8_t* /*value*/, std::size_t /*value_size*/,
                                      std::uint8_t /*flags*/, void* /*user*/) {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int Http2Callbacks::on_frame(nghttp2_session* frames, const nghttp2_frame* frame, void* user) {
  Http2Session& session = session_of(user);
  Http2Stream* const stream = frame->hd.stream_id > 0 ? stream_of(frames, frame->hd.stream_id) : nullptr;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      session.head_begun_ = false;
      if (stream == nullptr) break;
      if (is_request(*frame)) {
        session.end_head(*stream, ends_stream(*frame));
      } else if (ends_stream(*frame)) {
        session.end_content(*stream);
      }
      break;
    case NGHTTP2_DATA:
      if (ends_stream(*frame)) {
        if (stream != nullptr) session.end_content(*stream);
      } else if (frame->hd.length == frame->data.padlen) {
        session.spend();
      }
      break;
    case NGHTTP2_RST_STREAM:
      session.context_.exchanges.counters.add(storage::Counter::kHttp2Reset);
      session.spend();
      break;
    case NGHTTP2_SETTINGS:
      // The first is everybody's.
      if (!is_ack(*frame) && std::exchange(session.got_settings_, true)) session.spend();
      break;
    case NGHTTP2_PING:
      is_ack(*frame) ? session.say_last_stream() : session.spend();
      break;
    case NGHTTP2_WINDOW_UPDATE:
      if (frame->window_update.window_size_increment < kTinyWindow) session.spend();
      break;
    case NGHTTP2_PRIORITY_UPDATE:
      session.spend();
      break;
    default:
      break;
  }
  return 0;
}

int Http2Callbacks::on_invalid_frame(nghttp2_session* /*frames*/, const nghttp2_frame* frame, int /*error*/,
                                     void* user) {
  Http2Session& session = session_of(user);
  if (frame->hd.type == NGHTTP2_HEADERS) session.head_begun_ = false;
  session.count_client_error();
  return 0;
}

int Http2Callbacks::on_data(nghttp2_session* frames, std::uint8_t /*flags*/, std::int32_t id,
                            const std::uint8_t* data, std::size_t size, void* user) {
  Http2Stream* const stream = stream_of(frames, id);
  if (stream == nullptr) {
    nghttp2_session_consume(frames, id, size);
  } else {
    session_of(user).content_arrived(*stream, text_of(data, size));
  }
  return 0;
}

int Http2Callbacks::on_close(nghttp2_session* frames, std::int32_t id, std::uint32_t /*error*/, void* user) {
  if (Http2Stream* const stream = stream_of(frames, id)) {
    nghttp2_session_set_stream_user_data(frames, id, nullptr);
    session_of(user).end_stream(*stream);
  }
  return 0;
}

int Http2Callbacks::on_sent(nghttp2_session* frames, const nghttp2_frame* frame, void* user) {
  Http2Session& session = session_of(user);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      if (ends_stream(*frame)) {
        session.guard_.earn();
        const Http2Stream* const stream = stream_of(frames, frame->hd.stream_id);
        // RFC 9113, 8.1: the answer is whole, and what the client still sends is for nobody.
        if (stream != nullptr && !stream->content_complete()) {
          nghttp2_submit_rst_stream(frames, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
        }
      }
      break;
    case NGHTTP2_RST_STREAM:
      // What a client makes us reset costs as much as what it resets itself.
      if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
          frame->rst_stream.error_code != NGHTTP2_INTERNAL_ERROR) {
        session.spend();
      }
      break;
    case NGHTTP2_GOAWAY:
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR) session.count_client_error();
      break;
    default:
      break;
  }
  return 0;
}

// A response whose head cannot be framed would leave its stream open for ever.
int Http2Callbacks::on_not_sent(nghttp2_session* frames, const nghttp2_frame* frame, int error,
                                void* /*user*/) {
  if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_FRAME_SIZE_ERROR) return 0;
  nghttp2_submit_rst_stream(frames, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
  return 0;
}

ssize_t Http2Callbacks::read_body(nghttp2_session* /*frames*/, std::int32_t /*id*/, std::uint8_t* /*buffer*/,
                                  std::size_t most, std::uint32_t* flags, nghttp2_data_source* source,
                                  void* /*user*/) {
  Http2Stream& stream = *static_cast<Http2Stream*>(source->ptr);
  bool last = false;
  const std::size_t size = stream.next_piece(most, last);
  if (size == 0 && stream.broken()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // a reset, INTERNAL_ERROR
  if (size == 0 && !last) return NGHTTP2_ERR_DEFERRED;
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (last) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream.submit_trailers()) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  }
  return static_cast<ssize_t>(size);
}

// The frame's head and, by reference, its bytes. We never ask for padding.
int Http2Callbacks::send_data(nghttp2_session* /*frames*/, nghttp2_frame* /*frame*/, const std::uint8_t* head,
                              std::size_t size, nghttp2_data_source* source, void* user) {
  Http2Session& session = session_of(user);
  session.output_.text().append(text_of(head, kFrameHead));
  static_cast<Http2Stream*>(source->ptr)->take_piece(size, session.output_);
  return session.output_.size() < Http2Session::kMostQueued ? 0 : NGHTTP2_ERR_PAUSE;
}

}  // namespace freshet::proxy
