// Which bytes may stand where in an HTTP/1 message, as one table, and the scans in which the parser spends
// its time. Pure functions; any thread. RFC 9110, 5.5 and 5.6.2; RFC 3986, 2 and 3.2.2.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "storage/base/byte_scan.h"

namespace freshet::proxy {

enum CharClass : std::uint8_t {
  kTokenChar = 1,    // RFC 9110, 5.6.2
  kTargetChar = 2,   // in a request target: everything but controls, space and '#'
  kRegNameChar = 4,  // unreserved and sub-delims (RFC 3986); '%' is looked at apart
  kValueChar = 8,    // in a field value: VCHAR, obs-text, space, tab
  kHexDigit = 16,
  kHostChar = 32,  // kRegNameChar but for the comma
};

namespace detail {

constexpr bool is_one_of(std::string_view set, char c) {
  return set.find(c) != std::string_view::npos;
}

constexpr std::array<std::uint8_t, 256> make_char_table() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool digit = byte >= '0' && byte <= '9';
    const unsigned lower = byte | 0x20U;
    const bool alphanumeric = digit || (lower >= 'a' && lower <= 'z');
    unsigned classes = 0;
    if (alphanumeric || (byte != 0 && is_one_of("!#$%&'*+-.^_`|~", c))) classes |= kTokenChar;
    if (byte > 0x20 && byte != 0x7f && c != '#') classes |= kTargetChar;
    if (alphanumeric || (byte != 0 && is_one_of("-._~!$&'()*+,;=", c))) classes |= kRegNameChar;
    if ((classes & kRegNameChar) != 0 && c != ',') classes |= kHostChar;
    if ((byte >= 0x20 && byte != 0x7f) || c == '\t') classes |= kValueChar;
    if (digit || (lower >= 'a' && lower <= 'f')) classes |= kHexDigit;
    table[byte] = static_cast<std::uint8_t>(classes);
  }
  return table;
}

inline constexpr std::array<std::uint8_t, 256> kCharTable = make_char_table();

}  // namespace detail

[[nodiscard]] constexpr bool has_class(char c, CharClass wanted) {
  return (detail::kCharTable[static_cast<unsigned char>(c)] & wanted) != 0;
}

// Of a digit of kHexDigit.
[[nodiscard]] constexpr unsigned hex_value(char c) {
  return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>((c | 0x20) - 'a') + 10;
}

// The first byte in [p, end) that is not of that class, or `end`.
[[nodiscard]] inline const char* skip_class(const char* p, const char* end, CharClass wanted) {
  while (p != end && has_class(*p, wanted)) ++p;
  return p;
}

// What ends a field value: a control character but for tab, and DEL.
struct NotValue {
  template <typename Block>
  static Block match(Block b) {
    return b.below(0x20).and_not(b.equal('\t')) | b.equal('\x7f');
  }
};

// What ends a request target: a control character, space, '#' and DEL.
struct NotTarget {
  template <typename Block>
  static Block match(Block b) {
    return b.below(0x21) | b.equal('#') | b.equal('\x7f');
  }
};

// The same as skip_class() with kValueChar and kTargetChar, sixteen bytes at a time.
[[nodiscard]] inline const char* skip_value(const char* p, const char* end) {
  return storage::find_class<NotValue>(p, end);
}
[[nodiscard]] inline const char* skip_target(const char* p, const char* end) {
  return storage::find_class<NotTarget>(p, end);
}

}  // namespace freshet::proxy
