// What a response's head consists of on an HTTP/1.1 connection, appended to a buffer that its session owns
// and uses again: status line, field block as stored, the lines that differ for each answer, the framing of
// the body. frame_response() is the one place that decides whether a response has a body and how its end is
// told (guarantee G1; RFC 9112, 6.3 and 9.3).
//
// Plain functions over a std::string; nothing here allocates once the buffer has grown. A DateLine belongs to
// one worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/http/header_fields.h"
#include "storage/http/message_head.h"
#include "storage/http/method.h"

namespace freshet::proxy {

inline constexpr std::string_view kContinueResponse = "HTTP/1.1 100 Continue\r\n\r\n";
// Between two chunks, after a chunk's bytes.
inline constexpr std::string_view kChunkEnd = "\r\n";
// Ends a chunked body without trailers.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

struct ResponseFraming {
  bool has_body = false;                        // body bytes follow the head
  bool chunked = false;                         // as chunks
  std::optional<std::uint64_t> content_length;  // to be announced (also for HEAD, which has no body)
  bool keep_alive = true;                       // another response may follow on this connection
  bool say_keep_alive = false;                  // an HTTP/1.0 client has to be told
};

// `body_size`: what is known of the body's length, or of the one that GET would have. `version` and
// `keep_alive`: of the request. Without a length, HTTP/1.1 gets chunks and HTTP/1.0 the end of the
// connection.
[[nodiscard]] ResponseFraming frame_response(int status, storage::Method method,
                                             std::optional<std::uint64_t> body_size,
                                             storage::HttpVersion version, bool keep_alive);

// "HTTP/1.1 200 OK\r\n"; an empty reason stands for the standard phrase.
void append_status_line(std::string& out, int status, std::string_view reason = {});

// "Name: value\r\n". `value` is free of CR, LF and NUL.
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);

void append_decimal(std::string& out, std::uint64_t value);

// Content-Length, Transfer-Encoding and Connection as they apply, and the empty line that ends the head.
void append_framing(std::string& out, const ResponseFraming& framing);

// What stands before a chunk of `size` bytes (more than 0); kChunkEnd stands after it.
void append_chunk_begin(std::string& out, std::uint64_t size);

// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", written anew only when the second changes.
class DateLine {
 public:
  // Valid until the next call.
  [[nodiscard]] std::string_view at(storage::WallTime now);

 private:
  std::string line_;
  std::int64_t second_ = -1;
};

}  // namespace freshet::proxy
