// The pieces of a line of the access log, written into memory that the caller gives: no allocation, no
// locale, no printf. Each returns the end of what it wrote. Pure, but for LogClock.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/hash.h"

namespace freshet::proxy {

inline char* append_plain(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

// At most 24 bytes.
template <typename Integer>
char* append_number(char* out, Integer value) {
  return std::to_chars(out, out + 24, value).ptr;
}

// Milliseconds with three decimals: 0.021. At most 24 bytes.
char* append_ms(char* out, std::chrono::microseconds time);

// 16 and 32 hex digits.
char* append_hex(char* out, std::uint64_t number);
char* append_digest(char* out, const storage::Digest128& digest);

// The inside of a JSON string: at most 6 bytes for each of its bytes. Valid UTF-8 stays; a byte that is not
// part of any becomes U+FFFD.
char* append_json_text(char* out, std::string_view text);

// As the common log format has it between quotes: \" and \\, and \xHH for what is not printable ASCII. At
// most 4 bytes for each byte.
char* append_log_text(char* out, std::string_view text);

// The time of day, kept formatted for the second it was last asked for: one for each thread that writes.
class LogClock {
 public:
  // 2026-11-22T17:18:07.007Z
  char* append_time(char* out, storage::WallTime time);
  // 22/Nov/2026:17:18:07 +0000
  char* append_date(char* out, storage::WallTime time);

 private:
  // Milliseconds beyond the second.
  std::int64_t look_at(storage::WallTime time);

  std::int64_t second_ = -1;
  std::array<char, 20> time_{};  // 2026-11-22T17:18:07.
  std::array<char, 26> date_{};
};

}  // namespace freshet::proxy
