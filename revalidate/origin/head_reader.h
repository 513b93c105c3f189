// HeadReader: the heads of the responses to one request, read line by line and strictly; then how the body is
// framed (RFC 9112, sections 4, 5 and 6.3). It exists because libcurl takes what has two readings; here that
// is refused: see HeadReader::kMalformed's causes in the .cc. Two Content-Length lines are refused even when
// they are equal (6.3 allows both), Content-Length beside Transfer-Encoding always.
//
// Pure, no I/O. One per transfer, on its thread; reset() before each request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/http/message_head.h"

namespace freshet::revalidate {

enum class BodyFraming { kNone, kLength, kChunked, kUntilClose };

class HeadReader {
 public:
  enum class Event { kMore, kInformational, kFinal, kMalformed, kTooLarge };

  // `max_size`: bytes of all heads of one request together, 1xx included.
  explicit HeadReader(std::size_t max_size) : max_size_(max_size) {}
  void reset(bool head_request);

  // One line with its line end.
  [[nodiscard]] Event read_line(std::string_view line);
  // After kInformational or kFinal.
  [[nodiscard]] storage::ResponseHead take() { return std::move(head_); }

  // After kFinal.
  [[nodiscard]] BodyFraming framing() const { return framing_; }
  // kLength: the body's size; kNone: 0; else nothing.
  [[nodiscard]] std::optional<std::uint64_t> body_size() const { return body_size_; }
  // The connection must not carry another request: HTTP/1.0, Connection: close, a body that ends with the
  // connection, or fields that do not fit a bodyless answer.
  [[nodiscard]] bool must_close() const { return must_close_; }
  // After kMalformed.
  [[nodiscard]] const char* why() const { return why_; }

  [[nodiscard]] bool done() const { return done_; }
  // A status line was read, and its fields' end not yet.
  [[nodiscard]] bool in_fields() const { return in_fields_; }
  // Whether any byte of a head came.
  [[nodiscard]] bool began() const { return size_ > 0; }

 private:
  Event malformed(const char* why);
  Event read_status_line(std::string_view line);
  Event end_of_head();
  Event decide_framing();

  const std::size_t max_size_;
  storage::ResponseHead head_;
  std::size_t size_ = 0;
  int minor_version_ = 1;
  bool head_request_ = false;
  bool in_fields_ = false;
  bool done_ = false;
  bool must_close_ = false;
  BodyFraming framing_ = BodyFraming::kNone;
  std::optional<std::uint64_t> body_size_;
  const char* why_ = "";
};

}  // namespace freshet::revalidate
