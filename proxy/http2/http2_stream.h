// Http2Stream: one request on an HTTP/2 connection and its response. It is the ResponseSink that its exchange
// writes to and the source of the request's content; the connection's frames are its session's business.
//
// Both directions are pulled. Of the request's content the client may send as much as its window, which opens
// only by what the origin client has taken. Of the response so much is taken from the exchange as the
// client's windows have room for, and it is framed by reference when its turn comes.
//
// Life: open() for a new stream, the request's fields, begin(), frames until the stream is closed, close();
// then it may be opened again, for another session as well (Http2Context keeps some). Its exchange
// may end it from inside flush(), which is therefore the last that an exchange does. On its worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/exchange/exchange.h"
#include "proxy/exchange/response_sink.h"
#include "proxy/http1/output_queue.h"
#include "proxy/http2/chunk_queue.h"
#include "proxy/http2/request_builder.h"
#include "proxy/http2/response_fields.h"
#include "proxy/net/coarse_timer.h"

namespace freshet::proxy {

class Http2Context;
class Http2Session;

class Http2Stream final : public ResponseSink, private revalidate::UploadSource {
 public:
  explicit Http2Stream(Http2Context& context);
  ~Http2Stream() override = default;

  void open(Http2Session& session, std::int32_t id);
  [[nodiscard]] std::int32_t id() const { return id_; }
  // Where it stands among its session's streams.
  [[nodiscard]] std::size_t place() const { return place_; }
  void set_place(std::size_t place) { place_ = place; }

  // The request's head.
  void add_field(std::string_view name, std::string_view value);
  void add_malformed_field() { builder_.add_malformed(); }
  // False: it is malformed, and nothing comes of it.
  [[nodiscard]] bool end_head(bool no_content);
  // Hands the request to the exchange.
  void begin();

  // The request's content.
  void add_content(std::string_view bytes);
  void end_content();
  [[nodiscard]] bool content_complete() const { return content_complete_; }
  // What the exchange waited for is there.
  void tell_of_content();

  // The exchange goes on if it waited for room and there is some. False: there was nothing to do.
  bool give_room();
  [[nodiscard]] bool wants_room() const { return room_wanted_; }

  // For the frames of the response. next_piece(): how much of the content goes into a frame of at most
  // `most` bytes; 0 with `last` unset: none is there. take_piece(): those bytes, behind the frame's head.
  [[nodiscard]] std::size_t next_piece(std::size_t most, bool& last);
  // All that the response has is given, and it is not whole.
  [[nodiscard]] bool broken() const { return response_broken_; }
  void take_piece(std::size_t size, OutputQueue& output);
  // Behind the last piece. False: there are none.
  [[nodiscard]] bool submit_trailers();

  // The stream is over, whole or not.
  void close();

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
  // UploadSource.
  Next next(char* buffer, std::size_t capacity, std::size_t& size) override;

  void on_deadline();
  void forget_content();
  void drop_content();
  void content_used(std::size_t bytes);
  void resume();
  void reset(std::uint32_t error);
  void wait_for_client();
  [[nodiscard]] std::size_t window() const;

  Http2Context& context_;
  Http2Session* session_ = nullptr;
  std::int32_t id_ = 0;
  std::size_t place_ = 0;
  ClientInfo client_;
  Exchange exchange_;
  Deadline deadline_;

  // The request.
  RequestBuilder builder_;
  RequestBuilder::Outcome head_outcome_ = RequestBuilder::Outcome::kDone;
  std::string content_;
  std::size_t content_taken_ = 0;
  bool content_complete_ = false;
  bool content_wanted_ = false;  // somebody may still ask for it
  bool content_failed_ = false;  // it took too long
  bool upload_waits_ = false;    // the origin client wants more of it
  bool continue_sent_ = false;

  // The response.
  ResponseFields fields_;
  ChunkQueue body_;
  std::optional<storage::HeaderFields> trailers_;
  bool head_sent_ = false;
  bool has_body_ = false;
  bool response_done_ = false;        // the exchange has given all
  bool response_broken_ = false;      // ... or as much as it could: a reset is to follow
  bool deferred_ = false;             // the frame library waits to be told of more
  mutable bool room_wanted_ = false;  // the exchange waits for room
  std::uint64_t head_bytes_ = 0;
};

}  // namespace freshet::proxy
