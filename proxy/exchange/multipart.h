// Multipart: the framing of a 206 with several parts, multipart/byteranges (RFC 9110, 14.6 and 15.3.7.2; RFC
// 2046, 5.1). It knows the parts' places and what stands between them; their bytes are the pump's business.
// The boundary is drawn anew for each response, so that no content can hold it on purpose.
//
// A plain value, made for one response; walked once: next_part() for each part, then closing().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/http/byte_range.h"

namespace freshet::proxy {

// 32 characters that no content could have foreseen.
[[nodiscard]] std::string random_boundary();

class Multipart {
 public:
  // `size`: the representation's. `part_type`: its Content-Type, if it has one.
  Multipart(std::vector<storage::ByteRange> parts, std::uint64_t size,
            std::optional<std::string_view> part_type, std::string boundary = random_boundary());

  [[nodiscard]] std::string content_type() const;
  // Of all parts and what stands around them.
  [[nodiscard]] std::uint64_t content_length() const;

  // The next part and the text that goes before its bytes; nothing after the last.
  struct Part {
    storage::ByteRange range;
    std::string head;
  };
  [[nodiscard]] std::optional<Part> next_part();
  // What ends the content.
  [[nodiscard]] std::string closing() const;

 private:
  [[nodiscard]] std::string head_of(std::size_t part) const;

  std::vector<storage::ByteRange> parts_;
  std::uint64_t size_;
  std::string part_type_;  // a whole line, or empty
  std::string boundary_;
  std::size_t next_ = 0;
};

}  // namespace freshet::proxy
