#include "storage/http/chunked_coding.h"

#include <algorithm>

#include "storage/http/field_syntax.h"

namespace freshet::storage {

namespace {

// Enough for any body there is, and far from overflow.
constexpr unsigned kMaxSizeDigits = 15;
constexpr std::size_t kMaxTrailers = 65535;

bool is_hex_digit(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'f');
}

// Of a digit.
unsigned hex_value(char c) {
  return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a') + 10;
}

// RFC 9110, 5.5: VCHAR, obs-text, space, tab.
bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}

}  // namespace

ChunkedCoding::ChunkedCoding(const ChunkedLimits& limits) : limits_(limits) {
  limits_.trailers = std::min(limits_.trailers, kMaxTrailers);
}

void ChunkedCoding::reset() {
  state_ = State::kSizeBegin;
  remaining_ = 0;
  total_overhead_ = 0;
  trailer_bytes_ = 0;
  trailer_line_.clear();
  trailers_.clear();
  why_ = "";
}

std::size_t ChunkedCoding::data_size(std::size_t available) const {
  if (state_ != State::kData) return 0;
  return static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, available));
}

void ChunkedCoding::took_data(std::size_t size) {
  remaining_ -= size;
  if (remaining_ == 0) state_ = State::kDataCr;
}

std::size_t ChunkedCoding::read_framing(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ != State::kData && state_ != State::kDone && state_ != State::kBad) {
    state_ = next(bytes[used]);
    ++used;
  }
  return used;
}

ChunkedCoding::State ChunkedCoding::bad(const char* why) {
  why_ = why;
  return State::kBad;
}

// One byte of framing.
ChunkedCoding::State ChunkedCoding::next(char c) {
  switch (state_) {
    case State::kSizeBegin:
      if (!is_hex_digit(c)) return bad("malformed chunk size");
      remaining_ = 0;
      digits_ = 0;
      line_overhead_ = 0;
      return size_digit(c);
    case State::kSize:
      if (is_hex_digit(c)) return size_digit(c);
      [[fallthrough]];
    case State::kExtensionName:
    case State::kExtensionValue:
    case State::kExtensionToken:
    case State::kExtensionQuoted:
    case State::kExtensionEscape:
    case State::kExtensionQuoteEnd:
      return extension(c);
    case State::kSizeLf:
      if (c != '\n') return bad("bare CR after a chunk size");
      return remaining_ > 0 ? State::kData : State::kTrailerLine;
    case State::kDataCr:
      return c == '\r' ? State::kDataLf : bad("chunk longer than its size");
    case State::kDataLf:
      return c == '\n' ? State::kSizeBegin : bad("bare CR after a chunk");
    case State::kTrailerLine:
      if (++trailer_bytes_ > limits_.trailers) return bad("trailer section too large");
      if (c == '\r') return State::kTrailerLf;
      if (!is_value_char(c)) return bad("malformed trailer");
      trailer_line_.push_back(c);
      return State::kTrailerLine;
    case State::kTrailerLf:
      return c == '\n' ? trailer_line_end() : bad("bare CR in the trailer section");
    case State::kData:
    case State::kDone:
    case State::kBad:
      break;
  }
  return state_;
}

ChunkedCoding::State ChunkedCoding::size_digit(char c) {
  if (++digits_ > kMaxSizeDigits) return bad("chunk size too large");
  remaining_ = remaining_ * 16 + hex_value(c);
  return State::kSize;
}

// What may follow the size: *( ";" name [ "=" ( token / quoted-string ) ] ) CR. Read for its syntax, then
// dropped.
ChunkedCoding::State ChunkedCoding::extension(char c) {
  const bool quoted = state_ == State::kExtensionQuoted || state_ == State::kExtensionEscape;
  const bool named = state_ != State::kExtensionName || name_begun_;
  const bool may_end = !quoted && state_ != State::kExtensionValue && named;
  if (c == '\r' && may_end) return State::kSizeLf;
  if (++line_overhead_ > limits_.line_overhead || ++total_overhead_ > limits_.total_overhead) {
    return bad("chunk extensions too large");
  }
  if (quoted) {
    if (!is_value_char(c)) return bad("malformed chunk extension");
    if (state_ == State::kExtensionEscape) return State::kExtensionQuoted;
    if (c == '\\') return State::kExtensionEscape;
    return c == '"' ? State::kExtensionQuoteEnd : State::kExtensionQuoted;
  }
  if (c == ';' && may_end) {
    name_begun_ = false;
    return State::kExtensionName;
  }
  if (state_ == State::kExtensionName && c == '=' && name_begun_) return State::kExtensionValue;
  if (state_ == State::kExtensionValue && c == '"') return State::kExtensionQuoted;
  const bool takes_token =
      state_ == State::kExtensionName || state_ == State::kExtensionValue || state_ == State::kExtensionToken;
  if (!takes_token || !is_token_char(c)) return bad("malformed chunk size or extension");
  name_begun_ = true;
  return state_ == State::kExtensionName ? State::kExtensionName : State::kExtensionToken;
}

// A whole trailer line, or the empty one that ends the body.
ChunkedCoding::State ChunkedCoding::trailer_line_end() {
  ++trailer_bytes_;
  if (trailer_line_.empty()) return State::kDone;
  const std::string_view line = trailer_line_;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return bad("malformed trailer");
  if (trailers_.size() == limits_.trailer_fields) return bad("too many trailers");
  trailers_.add(line.substr(0, colon), trim_whitespace(line.substr(colon + 1)));
  trailer_line_.clear();
  return State::kTrailerLine;
}

}  // namespace freshet::storage
