// RequestParser: the head of an HTTP/1 request, incrementally, strict by RFC 9112. Whatever has two readings
// is refused with a status, never repaired, so that the origin and the edge cannot disagree about where a
// request ends (guarantee G9). No I/O, no clock; owned by one session, used on its thread.
//
// Life: parse() until it says kDone (then it is ready for the next request) or kBad (then it stays bad:
// answer with bad_status() and close). The buffer begins where the request begins, whatever came before
// consumed, and each call sees the same bytes as the call before and perhaps more; it may have moved. `head`
// and `framing` are cleared when a request begins and must be the same objects until it is done. A line is
// looked at once when it is whole; a line that arrives in pieces is searched for its end from where the last
// call left off. Steady state allocates nothing: `head` keeps its memory from one request to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "storage/http/message_head.h"

namespace freshet::proxy {

// How the body is delimited and what becomes of the connection (RFC 9112, 6 and 9.3).
struct RequestFraming {
  enum class Body { kNone, kLength, kChunked };

  Body body = Body::kNone;       // kLength with length 0 for an explicit Content-Length: 0
  std::uint64_t length = 0;      // with kLength
  bool keep_alive = true;        // the client allows another request on this connection
  bool expect_continue = false;  // it waits for 100 (Continue) before it sends the body
  bool upgrade = false;          // Upgrade, named in Connection

  [[nodiscard]] bool has_body() const { return body == Body::kChunked || length > 0; }
};

struct RequestParserOptions {
  std::size_t max_request_line = 8192;  // bytes with CRLF; over it 414
  std::size_t max_field = 8192;         // bytes of a field line with CRLF (at most 65535); over it 431
  std::size_t max_fields = 100;         // over it 431
  std::size_t max_head = 65536;         // bytes of the whole head; over it 431
  std::string_view scheme = "http";     // how clients reach this listener; a literal
};

class RequestParser {
 public:
  enum class Outcome { kNeedMore, kDone, kBad };

  explicit RequestParser(const RequestParserOptions& options);

  // On kDone `consumed` is the size of the head, the empty lines before it included; else 0.
  [[nodiscard]] Outcome parse(std::string_view buffer, storage::RequestHead& head, RequestFraming& framing,
                              std::size_t& consumed);

  // After kBad: 400, 414, 421, 431, 501 or 505, and what was wrong, for the log.
  [[nodiscard]] int bad_status() const { return bad_status_; }
  [[nodiscard]] std::string_view bad_reason() const { return bad_reason_; }

  // Forgets everything, to start with a new connection.
  void reset() { state_ = State{}; }

 private:
  enum class Step { kNext, kEnd, kShort, kBad };
  enum class Form { kOrigin, kAbsolute, kAuthority, kAsterisk };

  struct State {
    bool begun = false;
    bool in_fields = false;
    bool bad = false;
    std::size_t line = 0;     // where the current line begins
    std::size_t scanned = 0;  // no line end before this, if beyond `line`
    unsigned empty_lines = 0;
    Form form = Form::kOrigin;
    std::size_t hosts = 0;
    std::size_t host_begin = 0;  // of the first one's value, in the buffer
    std::size_t host_size = 0;
    bool content_length = false;
    bool transfer_encoding = false;
    bool close = false;
    bool keep_alive = false;
    bool connection_upgrade = false;
    bool upgrade_field = false;
    bool expect = false;
  };

  Step bad(int status, std::string_view reason);
  Step short_of(std::string_view buffer, std::size_t limit, int status, std::string_view reason);
  [[nodiscard]] std::size_t line_limit() const;

  Step skip_empty_lines(std::string_view buffer);
  Step request_line(std::string_view buffer, storage::RequestHead& head);
  Step version(std::string_view text, storage::RequestHead& head);
  Step target(std::string_view text, storage::RequestHead& head);
  Step absolute_form(std::string_view text, storage::RequestHead& head);

  Step field_line(std::string_view buffer, storage::RequestHead& head, RequestFraming& framing);
  static const char* field_name(const char* line, const char* end, storage::FieldName& id);
  Step bad_name(char stop, bool empty);
  Step notice(storage::FieldName id, std::string_view value, std::string_view buffer,
              RequestFraming& framing);
  Step content_length(std::string_view value, RequestFraming& framing);
  Step transfer_encoding(std::string_view value, RequestFraming& framing);
  void connection(std::string_view value);

  Step finish(std::string_view buffer, storage::RequestHead& head, RequestFraming& framing);
  Step authority(std::string_view buffer, storage::RequestHead& head);

  RequestParserOptions options_;
  State state_;
  int bad_status_ = 0;
  std::string_view bad_reason_;
};

}  // namespace freshet::proxy
