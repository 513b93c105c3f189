// ResponseSink: what a protocol offers to the exchange for its response, and RequestBody: where the exchange
// gets the request's content from. Http1Session and Http2Stream implement both; the exchange knows no
// protocol.
//
// Order of calls: any number of send_informational(), one send_head(), any number of send_body() while
// has_room(), then finish() or abort(). Nothing may be called after those two. All on the worker's thread;
// none calls back into the exchange from inside.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "revalidate/origin/origin_client.h"
#include "storage/base/chunk.h"
#include "storage/http/message_head.h"

namespace freshet::proxy {

// The head of a final response; the sink adds framing and what its protocol needs.
struct ReplyHead {
  int status = 200;
  std::string_view reason;                        // may be empty
  const storage::HeaderFields* fields = nullptr;  // end-to-end fields; null: none
  std::string_view more;                          // further lines in wire form
  // The content's length where it is known; also for an answer to HEAD.
  std::optional<std::uint64_t> content_length;
  bool has_body = false;  // false: ends with its head (HEAD, 204, 304; G1)
};

class ResponseSink {
 public:
  virtual ~ResponseSink() = default;

  virtual void send_informational(const storage::ResponseHead& head) = 0;
  virtual void send_head(const ReplyHead& head) = 0;
  // False: wait for Exchange::on_room().
  [[nodiscard]] virtual bool has_room() const = 0;
  virtual void send_body(const storage::Chunk& chunk) = 0;
  // The response is complete. `trailers` may be null.
  virtual void finish(const storage::HeaderFields* trailers) = 0;
  // Ends the response so that the client sees that it is not complete (G2).
  virtual void abort() = 0;
  // The exchange has nothing more to say in this turn: what was given may go out now.
  virtual void flush() = 0;
  // Where the request's content broke off: 408 if it took too long, else 400.
  [[nodiscard]] virtual int upload_failure_status() const = 0;
  // Bytes of head sent so far, for the access log.
  [[nodiscard]] virtual std::uint64_t head_bytes() const = 0;
};

// The request's content. The source is pulled by the origin client; `size` if Content-Length gave it (0 then
// comes without a source).
struct RequestBody {
  revalidate::UploadSource* source = nullptr;  // null: no content
  std::optional<std::uint64_t> size;
};

}  // namespace freshet::proxy
