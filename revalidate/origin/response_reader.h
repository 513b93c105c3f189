// ResponseReader: the response to one request, from lines and bytes to what an OriginHandler is told, whoever
// carries the bytes: 1xx heads, the final head, the body without its framing, pauses, and what it means that
// the connection ends. Does no I/O and keeps no clock.
//
// Owned by one transfer, on its thread; begin() before each request. The handler's last callback is not made
// here but by the transfer, outside. A handler may let go of its request inside each callback: let_go(), and
// the call in progress returns kGone. RFC 9112, sections 4 to 7.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "revalidate/origin/chunked_reader.h"
#include "revalidate/origin/head_reader.h"
#include "revalidate/origin/origin_client.h"

namespace freshet::revalidate {

class ResponseReader {
 public:
  enum class Step {
    kMore,
    kInformational,  // a 1xx was handed on
    kHead,           // the final head was handed on; body bytes may follow
    kPaused,         // the handler takes no more for now
    kWhole,          // the response is whole
    kFailed,         // see error()
    kGone,           // the handler has let go
  };

  // `max_head`: as OriginOptions has it.
  explicit ResponseReader(std::size_t max_head);

  void begin(bool head_request, OriginHandler& handler);
  void let_go() { handler_ = nullptr; }
  [[nodiscard]] OriginHandler* handler() const { return handler_; }

  // One line of a head, with its end; behind it so many bytes are here and will be read next. kMore,
  // kInformational, kHead (also where no body follows: has_no_body()), kFailed or kGone.
  [[nodiscard]] Step read_line(std::string_view line, std::size_t behind = 0);
  // What is there of a line whose end has not come yet: kMore, or kFailed if it can become no head.
  [[nodiscard]] Step check_partial_line(std::string_view line);
  // Body bytes with their framing, after the head. `used`: how many were used up; after kPaused the rest
  // comes again. What is left after kWhole does not belong to this response. Never a head.
  [[nodiscard]] Step read_body(std::string_view bytes, std::size_t& used);
  // The connection has ended properly: what is missing, or nothing if the response is whole by that.
  [[nodiscard]] std::optional<OriginError> missing_at_end() const;
  // The failure that a broken connection is.
  [[nodiscard]] OriginFailure broken() const;

  [[nodiscard]] bool has_head() const { return head_.done(); }
  // Whether any byte of an answer came.
  [[nodiscard]] bool began() const { return head_.began(); }
  // After kHead.
  [[nodiscard]] bool has_no_body() const { return head_.body_size() == std::uint64_t{0}; }
  [[nodiscard]] BodyFraming framing() const { return head_.framing(); }
  // The connection must not carry another request.
  [[nodiscard]] bool must_close() const { return head_.must_close(); }
  [[nodiscard]] std::uint64_t received() const { return received_; }  // body bytes without framing
  [[nodiscard]] OriginError take_error() { return std::move(error_); }
  [[nodiscard]] storage::HeaderFields take_trailers() { return chunked_.take_trailers(); }

 private:
  Step fail(OriginFailure failure, std::string detail);
  Step read_chunked(std::string_view bytes, std::size_t& used);
  Step hand_on(std::string_view bytes);

  const std::size_t max_head_;
  OriginHandler* handler_ = nullptr;
  HeadReader head_;
  ChunkedReader chunked_;
  std::uint64_t received_ = 0;
  OriginError error_;
};

}  // namespace freshet::revalidate
