// ChunkedDecoder: the body of an HTTP/1.1 request in chunked transfer coding, incrementally, strict by RFC
// 9112, section 7.1. It hands out views of the body's bytes as they stand in the input and copies only
// trailer lines. Stricter than the grammar in one thing: no whitespace in a chunk's first line outside a
// quoted string, since recipients have disagreed about it.
//
// No I/O; owned by one session, used on its thread. Life: decode() again and again until kDone or kBad.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/http/header_fields.h"

namespace freshet::proxy {

struct ChunkedDecoderOptions {
  std::size_t max_line_overhead = 1024;    // bytes of chunk extensions in one chunk
  std::size_t max_total_overhead = 65536;  // and in all chunks of a body
  std::size_t max_trailers = 8192;         // bytes of the trailer section (at most 65535)
  std::size_t max_trailer_fields = 32;
};

class ChunkedDecoder {
 public:
  enum class Outcome {
    kNeedMore,  // all of `input` is consumed
    kData,      // `data` is the next piece of the body, never empty; call again with what is left
    kDone,      // the body has ended; what is left of `input` is the next request
    kBad,       // not chunked coding: answer 400 and close
  };

  explicit ChunkedDecoder(const ChunkedDecoderOptions& options);

  // Takes `consumed` bytes from the front of `input`; `data` is a view into them.
  [[nodiscard]] Outcome decode(std::string_view input, std::size_t& consumed, std::string_view& data);

  // After kDone: checked for syntax only; not to be merged into the head (RFC 9110, 6.5.1).
  [[nodiscard]] const storage::HeaderFields& trailers() const { return trailers_; }
  [[nodiscard]] std::string_view bad_reason() const { return bad_reason_; }

  void reset();

 private:
  enum class State {
    kSizeBegin,
    kSize,
    kExtensionName,
    kExtensionValue,
    kExtensionToken,
    kExtensionQuoted,
    kExtensionEscape,
    kExtensionQuoteEnd,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerLine,
    kTrailerLf,
    kDone,
    kBad,
  };

  [[nodiscard]] State next(char c);
  [[nodiscard]] State size_digit(char c);
  [[nodiscard]] State extension(char c);
  [[nodiscard]] State trailer_line_end();
  [[nodiscard]] State bad(std::string_view reason);

  ChunkedDecoderOptions options_;
  State state_ = State::kSizeBegin;
  std::uint64_t remaining_ = 0;  // of the chunk's data
  unsigned digits_ = 0;
  std::size_t line_overhead_ = 0;
  std::size_t total_overhead_ = 0;
  bool name_begun_ = false;
  std::size_t trailer_bytes_ = 0;
  std::string trailer_line_;
  storage::HeaderFields trailers_;
  std::string_view bad_reason_;
};

}  // namespace freshet::proxy
