#include "proxy/http1/authority.h"

#include <arpa/inet.h>
#include <array>
#include <cstddef>

#include "proxy/http1/char_class.h"

namespace freshet::proxy {

namespace {

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return false;
  text.copy(copy.data(), text.size());
  in6_addr address{};
  return inet_pton(AF_INET6, copy.data(), &address) == 1;
}

// "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
bool is_future_ip(std::string_view text) {
  if (text.size() < 4 || (text[0] != 'v' && text[0] != 'V')) return false;
  const char* const end = text.data() + text.size();
  const char* const version = text.data() + 1;
  const char* p = skip_class(version, end, kHexDigit);
  if (p == version || p == end || *p != '.' || ++p == end) return false;
  for (; p != end; ++p) {
    if (!has_class(*p, kRegNameChar) && *p != ':') return false;
  }
  return true;
}

// What is percent-encoded may be read decoded by somebody behind us, and must not mean something else then:
// no delimiter, no space, no control character.
bool stands_for_host_char(char high, char low) {
  if (!has_class(high, kHexDigit) || !has_class(low, kHexDigit)) return false;
  const char decoded = static_cast<char>(hex_value(high) * 16 + hex_value(low));
  return (static_cast<unsigned char>(decoded) & 0x80U) != 0 || has_class(decoded, kHostChar);
}

// The length of the host at the beginning of `text`; 0 if there is none.
std::size_t host_size(std::string_view text) {
  if (!text.empty() && text[0] == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return 0;
    const std::string_view inside = text.substr(1, close - 1);
    return is_ipv6(inside) || is_future_ip(inside) ? close + 1 : 0;
  }
  const char* const end = text.data() + text.size();
  const char* p = skip_class(text.data(), end, kHostChar);
  while (p != end && *p == '%') {
    if (end - p < 3 || !stands_for_host_char(p[1], p[2])) return 0;
    p = skip_class(p + 3, end, kHostChar);
  }
  return static_cast<std::size_t>(p - text.data());
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  const std::size_t size = host_size(text);
  if (size == 0) return std::nullopt;
  Authority authority{text.substr(0, size), std::nullopt};
  if (size == text.size()) return authority;
  if (text[size] != ':') return std::nullopt;
  const std::string_view digits = text.substr(size + 1);
  if (digits.empty()) return authority;
  unsigned port = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    port = port * 10 + static_cast<unsigned>(c - '0');
    if (port > 65535) return std::nullopt;
  }
  authority.port = static_cast<std::uint16_t>(port);
  return authority;
}

}  // namespace freshet::proxy
