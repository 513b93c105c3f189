// One exchange as one line of JSON, written into memory that the caller gives: no allocation, no locale, no
// printf. Whatever bytes a client sent, the line is valid JSON in UTF-8 and has no line break inside: a byte
// that is not part of valid UTF-8 becomes U+FFFD, and overlong texts are cut and end in "...".
//
// Pure but for the time of day, which is kept formatted for the second it was last asked for: one
// LineFormatter for each thread that writes.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "proxy/observe/exchange_record.h"

namespace freshet::proxy {

// Room that any line fits into, its line feed included.
inline constexpr std::size_t kLongestLogLine = 32 * 1024;

class LineFormatter {
 public:
  // Writes at `out`, where kLongestLogLine bytes are free; returns the end of what it wrote.
  char* format(char* out, const ExchangeRecord& record);

 private:
  char* append_time(char* out, storage::WallTime time);

  std::int64_t second_ = -1;
  std::array<char, 20> date_{};  // 2026-11-22T17:18:07.
};

// Writes `text` at `out` as the inside of a JSON string: at most 6 bytes for each of its bytes.
char* append_json_text(char* out, std::string_view text);

}  // namespace freshet::proxy
