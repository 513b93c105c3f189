// RequestBuilder: the decoded field lines of one HTTP/2 request become a storage::RequestHead, with the same
// limits and the same readings as an HTTP/1 head. What RFC 9113 calls malformed (8.1.1) is told apart from
// what is only refused: the former ends the stream with PROTOCOL_ERROR, the latter is answered.
//
// Checked here whatever the frame library has checked already: names in lower case, pseudo-header fields each
// once and in front, no connection-specific field, TE only "trailers" (8.2.2), :authority without user
// information and equal to Host (8.3.1), one Content-Length. Cookie crumbs are joined (8.2.3). Pure, no I/O;
// used again for each request of a stream object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http1/request_parser.h"
#include "storage/http/message_head.h"

namespace freshet::proxy {

class RequestBuilder {
 public:
  enum class Outcome { kDone, kRefused, kMalformed };

  // `head` is cleared; the same object until finish(). Borrows `limits`, whose scheme is the connection's. A
  // client that is `trusted` may name the other: it speaks for a client of its own.
  void begin(const RequestParserOptions& limits, bool trusted, storage::RequestHead& head);
  // One field line, in order.
  void add(std::string_view name, std::string_view value, storage::RequestHead& head);
  // A line that could not be decoded as one.
  void add_malformed() { malformed("malformed field line"); }
  [[nodiscard]] Outcome finish(storage::RequestHead& head);

  // After kRefused: 400, 414, 421 or 431; after both, what was wrong.
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] std::string_view reason() const { return reason_; }

  [[nodiscard]] std::optional<std::uint64_t> content_length() const { return content_length_; }
  [[nodiscard]] bool expects_continue() const { return expects_continue_; }
  // The client takes trailers (RFC 9110, 10.1.4).
  [[nodiscard]] bool takes_trailers() const { return takes_trailers_; }

 private:
  void malformed(std::string_view reason);
  void refuse(int status, std::string_view reason);
  void pseudo(std::string_view name, std::string_view value, storage::RequestHead& head);
  void regular(std::string_view name, std::string_view value, storage::RequestHead& head);
  // False: not to be kept.
  bool notice(storage::FieldName id, std::string_view value);
  void content_length(std::string_view value);
  void check_line(storage::RequestHead& head);
  void check_authority(storage::RequestHead& head);

  const RequestParserOptions* limits_ = nullptr;
  bool malformed_ = false;
  int status_ = 0;
  std::string_view reason_;
  std::size_t size_ = 0;  // as an HTTP/1 head would have
  std::size_t lines_ = 0;
  bool has_method_ = false;
  bool has_scheme_ = false;
  bool has_path_ = false;
  bool has_authority_ = false;
  bool has_host_ = false;
  bool in_fields_ = false;
  bool scheme_is_ours_ = false;
  bool trusted_ = false;
  bool expects_continue_ = false;
  bool takes_trailers_ = false;
  std::optional<std::uint64_t> content_length_;
  std::string host_;
  std::string cookies_;
};

}  // namespace freshet::proxy
