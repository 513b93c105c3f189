#include "proxy/http1/chunked_decoder.h"

#include <algorithm>

#include "proxy/http1/char_class.h"

namespace freshet::proxy {

namespace {

// Enough for any body there is, and far from overflow.
constexpr unsigned kMaxSizeDigits = 15;
// HeaderFields keeps a name's length in 16 bits.
constexpr std::size_t kMaxTrailers = 65535;

}  // namespace

ChunkedDecoder::ChunkedDecoder(const ChunkedDecoderOptions& options) : options_(options) {
  options_.max_trailers = std::min(options_.max_trailers, kMaxTrailers);
}

ChunkedDecoder::Outcome ChunkedDecoder::decode(std::string_view input, std::size_t& consumed,
                                               std::string_view& data) {
  consumed = 0;
  data = {};
  for (;;) {
    if (state_ == State::kDone) return Outcome::kDone;
    if (state_ == State::kBad) return Outcome::kBad;
    if (consumed == input.size()) return Outcome::kNeedMore;
    if (state_ != State::kData) {
      state_ = next(input[consumed++]);
      continue;
    }
    data = input.substr(consumed, remaining_);
    consumed += data.size();
    remaining_ -= data.size();
    if (remaining_ == 0) state_ = State::kDataCr;
    return Outcome::kData;
  }
}

void ChunkedDecoder::reset() {
  state_ = State::kSizeBegin;
  remaining_ = 0;
  total_overhead_ = 0;
  trailer_bytes_ = 0;
  trailer_line_.clear();
  trailers_.clear();
  bad_reason_ = {};
}

ChunkedDecoder::State ChunkedDecoder::bad(std::string_view reason) {
  bad_reason_ = reason;
  return State::kBad;
}

// One byte of framing.
ChunkedDecoder::State ChunkedDecoder::next(char c) {
  switch (state_) {
    case State::kSizeBegin:
      if (!has_class(c, kHexDigit)) return bad("malformed chunk size");
      remaining_ = 0;
      digits_ = 0;
      line_overhead_ = 0;
      return size_digit(c);
    case State::kSize:
      if (has_class(c, kHexDigit)) return size_digit(c);
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
      if (++trailer_bytes_ > options_.max_trailers) return bad("trailer section too large");
      if (c == '\r') return State::kTrailerLf;
      if (!has_class(c, kValueChar)) return bad("malformed trailer");
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

ChunkedDecoder::State ChunkedDecoder::size_digit(char c) {
  if (++digits_ > kMaxSizeDigits) return bad("chunk size too large");
  remaining_ = remaining_ * 16 + hex_value(c);
  return State::kSize;
}

// What may follow the size: *( ";" name [ "=" ( token / quoted-string ) ] ) CR. Read for its syntax, then
// dropped.
ChunkedDecoder::State ChunkedDecoder::extension(char c) {
  const bool quoted = state_ == State::kExtensionQuoted || state_ == State::kExtensionEscape;
  const bool named = state_ != State::kExtensionName || name_begun_;
  const bool may_end = !quoted && state_ != State::kExtensionValue && named;
  if (c == '\r' && may_end) return State::kSizeLf;
  if (++line_overhead_ > options_.max_line_overhead || ++total_overhead_ > options_.max_total_overhead) {
    return bad("chunk extensions too large");
  }
  if (quoted) {
    if (!has_class(c, kValueChar)) return bad("malformed chunk extension");
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
  if (!takes_token || !has_class(c, kTokenChar)) return bad("malformed chunk size or extension");
  name_begun_ = true;
  return state_ == State::kExtensionName ? State::kExtensionName : State::kExtensionToken;
}

// A whole trailer line, or the empty one that ends the body.
ChunkedDecoder::State ChunkedDecoder::trailer_line_end() {
  ++trailer_bytes_;
  if (trailer_line_.empty()) return State::kDone;
  const std::string_view line = trailer_line_;
  const char* const end = line.data() + line.size();
  const char* const colon = skip_class(line.data(), end, kTokenChar);
  if (colon == line.data() || colon == end || *colon != ':') return bad("malformed trailer");
  if (trailers_.size() == options_.max_trailer_fields) return bad("too many trailers");
  std::string_view value = line.substr(static_cast<std::size_t>(colon + 1 - line.data()));
  const std::size_t first = std::min(value.find_first_not_of(" \t"), value.size());
  value.remove_prefix(first);
  value = value.substr(0, value.find_last_not_of(" \t") + 1);
  trailers_.add(line.substr(0, static_cast<std::size_t>(colon - line.data())), value);
  trailer_line_.clear();
  return State::kTrailerLine;
}

}  // namespace freshet::proxy
