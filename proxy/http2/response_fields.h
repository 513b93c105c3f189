// ResponseFields: a response's head as the field lines of an HTTP/2 HEADERS frame: :status first, names in
// lower case, nothing that belongs to a connection (RFC 9113, 8.2 and 8.3.2).
//
// The lines point into a text of their own, so that the frame library need not copy them: it has to stay
// until the frame is written. Owned by a stream, used again for each of its heads; its buffers are kept.
#pragma once

#include <array>
#include <nghttp2/nghttp2.h>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange/response_sink.h"
#include "storage/http/header_fields.h"

namespace freshet::proxy {

class ResponseFields {
 public:
  // What make() gives is valid until the next call of any of them.
  const std::vector<nghttp2_nv>& make(const ReplyHead& head);
  const std::vector<nghttp2_nv>& make(const storage::ResponseHead& informational);
  const std::vector<nghttp2_nv>& make_trailers(const storage::HeaderFields& trailers);

  // Bytes of the lines, before compression.
  [[nodiscard]] std::size_t size() const { return size_; }
  void release();

 private:
  void begin(int status);
  void add_block(std::size_t from);
  void add(std::string_view name, std::string_view value);

  std::string text_;
  std::vector<nghttp2_nv> lines_;
  std::array<char, 3> status_{};
  std::size_t size_ = 0;
};

}  // namespace freshet::proxy
