#include "proxy/observe/log_text.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace freshet::proxy {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// 1 for bytes that stand for themselves inside a JSON string.
constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}
constexpr std::array<bool, 256> kPlain = make_plain();

bool is_plain(char c) {
  return kPlain[static_cast<unsigned char>(c)];
}

// The length of the well-formed UTF-8 sequence (RFC 3629) at the front of `text`, which is not ASCII; 0:
// none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  // Overlong forms, surrogates and what is above U+10FFFF show in the second byte.
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

// What stands for itself, from the front of `text`.
char* take_plain(char* out, std::string_view& text) {
  std::size_t plain = 0;
  while (plain < text.size() && is_plain(text[plain])) ++plain;
  out = append_plain(out, text.substr(0, plain));
  text.remove_prefix(plain);
  return out;
}

char* append_escape(char* out, unsigned char c) {
  if (c == '"' || c == '\\') {
    *out++ = '\\';
    *out++ = static_cast<char>(c);
    return out;
  }
  out = append_plain(out, "\\u00");
  *out++ = kHex[c >> 4];
  *out++ = kHex[c & 15];
  return out;
}

char* append_three_digits(char* out, std::int64_t number) {
  *out++ = static_cast<char>('0' + number / 100);
  *out++ = static_cast<char>('0' + number / 10 % 10);
  *out++ = static_cast<char>('0' + number % 10);
  return out;
}

}  // namespace

char* append_ms(char* out, std::chrono::microseconds time) {
  const std::int64_t us = std::max<std::int64_t>(time.count(), 0);
  out = append_number(out, us / 1000);
  *out++ = '.';
  return append_three_digits(out, us % 1000);
}

char* append_hex(char* out, std::uint64_t number) {
  for (std::size_t i = 16; i > 0; number >>= 4) out[--i] = kHex[number & 15];
  return out + 16;
}

char* append_digest(char* out, const storage::Digest128& digest) {
  return append_hex(append_hex(out, digest.high), digest.low);
}

char* append_json_text(char* out, std::string_view text) {
  while (!text.empty()) {
    out = take_plain(out, text);
    if (text.empty()) break;
    const auto first = static_cast<unsigned char>(text.front());
    std::size_t taken = 1;
    if (first < 0x80) {
      out = append_escape(out, first);
    } else if (const std::size_t length = utf8_length(text); length > 0) {
      out = append_plain(out, text.substr(0, length));
      taken = length;
    } else {
      out = append_plain(out, kReplacement);
    }
    text.remove_prefix(taken);
  }
  return out;
}

char* append_log_text(char* out, std::string_view text) {
  while (!text.empty()) {
    out = take_plain(out, text);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    *out++ = '\\';
    if (c == '"' || c == '\\') {
      *out++ = static_cast<char>(c);
      continue;
    }
    *out++ = 'x';
    *out++ = kHex[c >> 4];
    *out++ = kHex[c & 15];
  }
  return out;
}

std::int64_t LogClock::look_at(storage::WallTime time) {
  const std::int64_t ms = std::max<std::int64_t>(time.time_since_epoch().count(), 0);
  const std::int64_t second = ms / 1000;
  if (second != second_) {
    static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t seconds = static_cast<std::time_t>(second);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 96> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.", parts.tm_year + 1900,
                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    std::memcpy(time_.data(), text.data(), time_.size());
    std::snprintf(text.data(), text.size(), "%02d/%s/%04d:%02d:%02d:%02d +0000", parts.tm_mday,
                  kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                  parts.tm_min, parts.tm_sec);
    std::memcpy(date_.data(), text.data(), date_.size());
    second_ = second;
  }
  return ms % 1000;
}

char* LogClock::append_time(char* out, storage::WallTime time) {
  const std::int64_t rest = look_at(time);
  out = append_plain(out, {time_.data(), time_.size()});
  out = append_three_digits(out, rest);
  *out++ = 'Z';
  return out;
}

char* LogClock::append_date(char* out, storage::WallTime time) {
  look_at(time);
  return append_plain(out, {date_.data(), date_.size()});
}

}  // namespace freshet::proxy
