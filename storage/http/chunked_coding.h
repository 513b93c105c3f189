// ChunkedCoding: the framing of the chunked transfer coding, incrementally, strict by RFC 9112, section 7.1;
// of a client's request and of an origin's response alike. It does no I/O and keeps no byte of the body: it
// tells which of the bytes it is shown are chunk data, and gathers the trailer section.
//
// Refused, since another reader could see something else: a bare LF or CR, a chunk size that is not one to
// fifteen hexadecimal digits, chunk data without its CRLF, a malformed extension or trailer line. Stricter
// than the grammar in one thing: no whitespace in a chunk's first line outside a quoted string, since
// recipients have disagreed about it. Owned by one message; used on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "storage/http/header_fields.h"

namespace freshet::storage {

struct ChunkedLimits {
  std::size_t line_overhead = 1024;    // bytes of chunk extensions in one chunk
  std::size_t total_overhead = 65536;  // and in all chunks of a body
  std::size_t trailers = 8192;         // bytes of the trailer section (at most 65535)
  std::size_t trailer_fields = 32;
};

class ChunkedCoding {
 public:
  explicit ChunkedCoding(const ChunkedLimits& limits);
  void reset();

  // How many of `available` bytes that come next are chunk data; 0 while framing is expected.
  [[nodiscard]] std::size_t data_size(std::size_t available) const;
  // That many bytes of chunk data were used up.
  void took_data(std::size_t size);
  // Reads framing from the front of `bytes`; returns how many bytes it used. Stops where data begins, at the
  // end of the body, or when it fails. Call it while data_size() is 0.
  std::size_t read_framing(std::string_view bytes);

  [[nodiscard]] bool at_end() const { return state_ == State::kDone; }
  [[nodiscard]] bool failed() const { return state_ == State::kBad; }
  // After it failed; a literal.
  [[nodiscard]] const char* why() const { return why_; }
  // Once at_end(): checked for syntax only; not to be merged into the head (RFC 9110, 6.5.1).
  [[nodiscard]] const HeaderFields& trailers() const { return trailers_; }
  [[nodiscard]] HeaderFields take_trailers() { return std::move(trailers_); }

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
  [[nodiscard]] State bad(const char* why);

  ChunkedLimits limits_;
  State state_ = State::kSizeBegin;
  std::uint64_t remaining_ = 0;  // of the chunk's data
  unsigned digits_ = 0;
  std::size_t line_overhead_ = 0;
  std::size_t total_overhead_ = 0;
  bool name_begun_ = false;
  std::size_t trailer_bytes_ = 0;
  std::string trailer_line_;
  HeaderFields trailers_;
  const char* why_ = "";
};

}  // namespace freshet::storage
