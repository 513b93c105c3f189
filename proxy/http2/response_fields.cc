#include "proxy/http2/response_fields.h"

#include <algorithm>
#include <charconv>

#include "storage/http/field_name.h"
#include "storage/http/status_code.h"

namespace freshet::proxy {

namespace {

// RFC 9113, 8.2.2. In lower case.
bool is_connection_field(std::string_view name) {
  switch (name.size()) {
    case 7:
      return name == "upgrade";
    case 10:
      return name == "connection" || name == "keep-alive";
    case 16:
      return name == "proxy-connection";
    case 17:
      return name == "transfer-encoding";
    default:
      return false;
  }
}

}  // namespace

const std::vector<nghttp2_nv>& ResponseFields::make(const ReplyHead& head) {
  begin(head.status);
  if (head.fields != nullptr) text_.append(head.fields->wire());
  text_.append(head.more);
  if (head.content_length && !storage::status_has_no_body(head.status)) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *head.content_length).ptr;
    text_.append("content-length: ").append(digits.data(), end).append("\r\n");
  }
  add_block(0);
  return lines_;
}

const std::vector<nghttp2_nv>& ResponseFields::make(const storage::ResponseHead& informational) {
  begin(informational.status);
  text_.append(informational.fields.wire());
  add_block(0);
  // Another head may follow before this one is written: the library copies it.
  for (nghttp2_nv& line : lines_) line.flags = NGHTTP2_NV_FLAG_NONE;
  return lines_;
}

const std::vector<nghttp2_nv>& ResponseFields::make_trailers(const storage::HeaderFields& trailers) {
  lines_.clear();
  text_.assign(trailers.wire());
  size_ = 0;
  add_block(0);
  return lines_;
}

void ResponseFields::release() {
  text_ = {};
  lines_ = {};
}

void ResponseFields::begin(int status) {
  lines_.clear();
  text_.clear();
  size_ = 0;
  std::to_chars(status_.data(), status_.data() + status_.size(), status);
  add(":status", {status_.data(), status_.size()});
}

// The lines of text_ ("Name: value\r\n" each), their names turned to lower case where they stand.
void ResponseFields::add_block(std::size_t from) {
  while (from < text_.size()) {
    const std::size_t colon = text_.find(':', from);
    const std::size_t end = text_.find("\r\n", colon);
    const auto name_begin = text_.begin() + static_cast<std::ptrdiff_t>(from);
    const auto name_end = text_.begin() + static_cast<std::ptrdiff_t>(colon);
    std::transform(name_begin, name_end, name_begin, storage::ascii_lower);
    const std::string_view line(text_.data() + from, end - from);
    const std::size_t value = std::min(colon - from + 2, line.size());
    const std::string_view name = line.substr(0, colon - from);
    if (!is_connection_field(name)) add(name, line.substr(value));
    from = end + 2;
  }
}

void ResponseFields::add(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    // The library takes it as const where it is told not to copy.
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // NOLINT
  };
  lines_.push_back({bytes(name), bytes(value), name.size(), value.size(),
                    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE});
  size_ += name.size() + value.size() + 4;
}

}  // namespace freshet::proxy
