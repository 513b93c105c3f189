// RequestContent: the content of one HTTP/1 request, decoded from the connection's input as the origin client
// asks for it. It counts what is left (Content-Length) or decodes chunks; it never reads past the content's
// end, where the next request begins. Owned by a session, used again for each request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proxy/http1/chunked_decoder.h"
#include "proxy/http1/request_parser.h"

namespace freshet::proxy {

class RequestContent {
 public:
  enum class Outcome { kData, kNeedMore, kEnd, kBad };

  RequestContent() : decoder_(storage::ChunkedLimits{}) {}

  void begin(const RequestFraming& framing);
  // Copies up to `capacity` decoded bytes to `buffer`; `consumed` bytes of `input` are used up.
  [[nodiscard]] Outcome take(std::string_view input, char* buffer, std::size_t capacity,
                             std::size_t& consumed, std::size_t& size);
  // All of it has been taken (or there was none).
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  Outcome take_counted(std::string_view input, char* buffer, std::size_t capacity, std::size_t& consumed,
                       std::size_t& size);
  Outcome take_chunked(std::string_view input, char* buffer, std::size_t capacity, std::size_t& consumed,
                       std::size_t& size);

  ChunkedDecoder decoder_;
  bool chunked_ = false;
  bool complete_ = true;
  std::uint64_t left_ = 0;
};

}  // namespace freshet::proxy
