#include "revalidate/origin/chunked_reader.h"

#include <algorithm>

#include "revalidate/origin/field_line.h"

namespace freshet::revalidate {

void ChunkedReader::reset() {
  state_ = State::kSize;
  left_ = 0;
  digits_ = 0;
  framing_ = 0;
  line_.clear();
  trailers_.clear();
  why_ = "";
}

std::size_t ChunkedReader::data_size(std::size_t available) const {
  if (state_ != State::kData) return 0;
  return static_cast<std::size_t>(std::min<std::uint64_t>(left_, available));
}

void ChunkedReader::took_data(std::size_t size) {
  left_ -= size;
  if (left_ == 0) state_ = State::kDataCr;
}

std::size_t ChunkedReader::read_framing(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ != State::kData && state_ != State::kEnd && state_ != State::kFailed) {
    read_byte(bytes[used]);
    ++used;
  }
  return used;
}

void ChunkedReader::fail(const char* why) {
  state_ = State::kFailed;
  why_ = why;
}

void ChunkedReader::read_byte(char c) {
  if (++framing_ > max_framing_) return fail("chunk framing over the limit");
  switch (state_) {
    case State::kSize:
      return read_size(c);
    case State::kExtension:
      if (c == '\r') {
        state_ = State::kSizeEnd;
      } else if (c == '\n' || c == '\0') {
        fail("bare LF or NUL in a chunk extension");
      }
      return;
    case State::kSizeEnd:
      return c == '\n' ? size_line_ended() : fail("bare CR after a chunk size");
    case State::kDataCr:
      if (c != '\r') return fail("chunk data without CRLF");
      state_ = State::kDataLf;
      return;
    case State::kDataLf:
      if (c != '\n') return fail("chunk data without CRLF");
      state_ = State::kSize;
      framing_ = 0;
      return;
    case State::kTrailer:
      return read_trailer(c);
    case State::kData:
    case State::kEnd:
    case State::kFailed:
      return;
  }
}

void ChunkedReader::read_size(char c) {
  int digit = -1;
  if (c >= '0' && c <= '9') digit = c - '0';
  if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
  if (digit >= 0) {
    ++digits_;
    if (left_ > (std::uint64_t{1} << 58)) return fail("chunk size over the limit");
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    return;
  }
  if (digits_ == 0) return fail("no chunk size");
  if (c == ';') {
    state_ = State::kExtension;
  } else if (c == '\r') {
    state_ = State::kSizeEnd;
  } else {
    fail("a chunk size is not hexadecimal");
  }
}

void ChunkedReader::size_line_ended() {
  state_ = left_ > 0 ? State::kData : State::kTrailer;
  digits_ = 0;
  framing_ = 0;
}

void ChunkedReader::read_trailer(char c) {
  line_ += c;
  if (c != '\n') return;
  if (line_ == "\r\n") {
    state_ = State::kEnd;
    return;
  }
  const FieldLine parsed = parse_field_line(line_);
  if (parsed.why != nullptr) return fail(parsed.why);
  trailers_.add(parsed.name, parsed.value);
  line_.clear();
}

}  // namespace freshet::revalidate
