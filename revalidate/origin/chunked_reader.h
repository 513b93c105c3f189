// ChunkedReader: the chunked transfer coding, read strictly (RFC 9112, section 7.1). It does no I/O and keeps
// no body byte: it tells which of the bytes it is shown are chunk data and gathers the trailer section.
//
// Refused, since another reader could see something else: a bare LF or CR, whitespace around a chunk size, no
// size, a size over 2^62, chunk data without its CRLF, a malformed trailer line. A chunk extension is
// skipped. Owned by one transfer; used on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/http/header_fields.h"

namespace freshet::revalidate {

class ChunkedReader {
 public:
  // `max_framing`: bytes of one chunk line, and of the whole trailer section.
  explicit ChunkedReader(std::size_t max_framing) : max_framing_(max_framing) {}
  void reset();

  // How many of `available` bytes that come next are chunk data; 0 while framing is expected.
  [[nodiscard]] std::size_t data_size(std::size_t available) const;
  // That many bytes of chunk data were used up.
  void took_data(std::size_t size);
  // Reads framing from the front of `bytes`; returns how many bytes it used. Stops where data begins, at the
  // end of the body, or when it fails. Call it while data_size() is 0.
  std::size_t read_framing(std::string_view bytes);

  [[nodiscard]] bool at_end() const { return state_ == State::kEnd; }
  [[nodiscard]] bool failed() const { return state_ == State::kFailed; }
  [[nodiscard]] const char* why() const { return why_; }
  // Once at_end().
  [[nodiscard]] storage::HeaderFields take_trailers() { return std::move(trailers_); }

 private:
  enum class State { kSize, kExtension, kSizeEnd, kData, kDataCr, kDataLf, kTrailer, kEnd, kFailed };

  void fail(const char* why);
  void read_byte(char c);
  void read_size(char c);
  void size_line_ended();
  void read_trailer(char c);

  const std::size_t max_framing_;
  State state_ = State::kSize;
  std::uint64_t left_ = 0;  // of the chunk
  std::size_t digits_ = 0;
  std::size_t framing_ = 0;  // bytes of the line, or of the trailer section, so far
  std::string line_;         // the trailer line so far
  storage::HeaderFields trailers_;
  const char* why_ = "";
};

}  // namespace freshet::revalidate
