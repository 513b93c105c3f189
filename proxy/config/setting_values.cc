#include "proxy/config/setting_values.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "storage/http/field_syntax.h"

namespace freshet::proxy {

namespace {

using storage::Error;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Larger units first: the first one that divides a value writes it shortest.
constexpr std::array kSizeUnits{
    Unit{"T", 1024 * kGiB},   Unit{"G", kGiB},   Unit{"M", kMiB},   Unit{"K", kKiB},
    Unit{"TiB", 1024 * kGiB}, Unit{"GiB", kGiB}, Unit{"MiB", kMiB}, Unit{"KiB", kKiB},
};
constexpr std::array kTimeUnits{
    Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000}, Unit{"ms", 1},
};
constexpr std::uint64_t kLongestDuration = 36'500ULL * 86'400'000ULL;

struct Split {
  std::uint64_t number = 0;
  std::string_view unit;
};

// Digits, then at most one blank, then the unit. False: no digits, or too many of them.
bool split_number(std::string_view text, Split& split) {
  const char* const end = text.data() + text.size();
  const auto [rest, fault] = std::from_chars(text.data(), end, split.number);
  if (fault != std::errc{}) return false;
  split.unit = std::string_view(rest, static_cast<std::size_t>(end - rest));
  if (split.unit.size() > 1 && split.unit.front() == ' ') split.unit.remove_prefix(1);
  return true;
}

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
  const auto found = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  return found == units.end() ? nullptr : &*found;
}

template <std::size_t N>
std::string format_in_units(const std::array<Unit, N>& units, std::uint64_t value, std::string_view zero) {
  if (value == 0) return std::string(zero);
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.name);
  }
  return std::to_string(value);
}

bool is_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == '_';
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}

// Digits and dots alone must be an address: 127.0.0.256 is a slip, not a name.
bool is_host(const std::string& text) {
  if (text.empty() || text.size() > 253 || !std::all_of(text.begin(), text.end(), is_host_byte)) return false;
  const bool numeric = text.find_first_not_of("0123456789.") == std::string::npos;
  return !numeric || is_ipv4(text);
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const char* const end = text.data() + text.size();
  const auto [rest, fault] = std::from_chars(text.data(), end, port);
  return fault == std::errc{} && rest == end;
}

struct HostAndRest {
  std::string host;
  std::string_view rest;  // ":PORT", or empty
};

// A host, in brackets where it is IPv6, and what follows it.
bool split_host(std::string_view text, HostAndRest& parts) {
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    parts.host = std::string(text.substr(1, close - 1));
    parts.rest = text.substr(close + 1);
    return is_ipv6(parts.host);
  }
  const std::size_t colon = text.find(':');
  parts.host = std::string(text.substr(0, colon));
  parts.rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  return is_host(parts.host);
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, kMost))
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  if (text.size() > kMost) out += "...";
  return out + '"';
}

Result<std::uint64_t> parse_size(std::string_view text) {
  Split split;
  const Error not_a_size{in_quotes(text) + " is not a size (try 256M)"};
  if (!split_number(text, split)) return not_a_size;
  if (split.unit.empty()) return split.number;
  const Unit* const unit = find_unit(kSizeUnits, split.unit);
  if (unit == nullptr) return not_a_size;
  if (split.number > std::numeric_limits<std::uint64_t>::max() / unit->factor) {
    return Error{in_quotes(text) + " is more bytes than can be counted"};
  }
  return split.number * unit->factor;
}

std::string format_size(std::uint64_t bytes) {
  return format_in_units(kSizeUnits, bytes, "0");
}

Result<SettingMs> parse_duration(std::string_view text) {
  Split split;
  const Error not_a_duration{in_quotes(text) + " is not a duration (try 500ms, 10s, 5m, 2h or 1d)"};
  if (!split_number(text, split)) return not_a_duration;
  if (split.unit.empty() && split.number == 0) return SettingMs{0};
  const Unit* const unit = find_unit(kTimeUnits, split.unit);
  if (unit == nullptr) return not_a_duration;
  if (split.number > kLongestDuration / unit->factor)
    return Error{in_quotes(text) + " is longer than 36500d"};
  return SettingMs{static_cast<std::int64_t>(split.number * unit->factor)};
}

std::string format_duration(SettingMs duration) {
  return format_in_units(kTimeUnits, static_cast<std::uint64_t>(duration.count()), "0s");
}

Result<std::uint64_t> parse_count(std::string_view text) {
  Split split;
  if (!split_number(text, split) || !split.unit.empty()) {
    return Error{in_quotes(text) + " is not a whole number (try 100)"};
  }
  return split.number;
}

Result<double> parse_ratio(std::string_view text) {
  double ratio = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, fault] = std::from_chars(text.data(), end, ratio, std::chars_format::fixed);
  if (fault != std::errc{} || rest != end || !std::isfinite(ratio)) {
    return Error{in_quotes(text) + " is not a ratio (try 0.1)"};
  }
  return ratio;
}

std::string format_ratio(double ratio) {
  std::array<char, 64> buffer{};
  const auto written =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), ratio, std::chars_format::fixed);
  std::string text(buffer.data(), written.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

Result<HostPort> parse_host_port(std::string_view text) {
  HostAndRest parts;
  HostPort address;
  if (!split_host(text, parts)) {
    return Error{in_quotes(text) + " is not HOST:PORT (try 127.0.0.1:8080 or [::1]:8080)"};
  }
  if (parts.rest.empty()) return Error{in_quotes(text) + " names no port (try 127.0.0.1:8080)"};
  if (parts.rest.front() != ':' || !parse_port(parts.rest.substr(1), address.port)) {
    return Error{in_quotes(text) + " has no port from 0 to 65535 behind the colon"};
  }
  address.host = std::move(parts.host);
  return address;
}

std::string format_host_port(const HostPort& address) {
  if (address.empty()) return "";
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Status check_network(std::string_view text) {
  if (text == "unix") return {};
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  const unsigned most = is_ipv4(address) ? 32 : is_ipv6(address) ? 128 : 0;
  std::uint16_t bits = 0;
  const bool bits_good =
      slash == std::string_view::npos || (parse_port(text.substr(slash + 1), bits) && bits <= most);
  if (most == 0 || !bits_good) {
    return Error{in_quotes(text) + " is not an address or network (try 10.0.0.0/8)"};
  }
  return {};
}

Status check_name(std::string_view text) {
  if (storage::is_token(text)) return {};
  return Error{in_quotes(text) + " is not the name of a field or cookie (try X-Device)"};
}

Status check_token(std::string_view text) {
  constexpr std::size_t kLeast = 16;
  const std::size_t padding = std::min(text.find('='), text.size());
  const auto is_padding = [](char c) { return c == '='; };
  const bool good =
      std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(padding), [](char c) {
        return c != '=' && (storage::is_token_char(c) || c == '/') &&
               std::string_view("!#$%&'*^`|").find(c) == std::string_view::npos;
      });
  if (!good || !std::all_of(text.begin() + static_cast<std::ptrdiff_t>(padding), text.end(), is_padding)) {
    return Error{
        "a token has letters, digits and -._~+/ only, with = at its end (try `openssl rand -base64 24`)"};
  }
  if (padding < kLeast) return Error{"is shorter than 16 characters (try `openssl rand -base64 24`)"};
  return {};
}

Status check_pattern(std::string_view text) {
  const std::string_view name = text.ends_with('*') ? text.substr(0, text.size() - 1) : text;
  const bool good = !text.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("&=#*?").find(c) == std::string_view::npos;
  });
  if (good) return {};
  return Error{in_quotes(text) + " is not the name of a query parameter (try fbclid or utm_*)"};
}

}  // namespace freshet::proxy
