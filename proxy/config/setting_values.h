// The ways to write a value: sizes, durations, counts, ratios, addresses, origins. Each parse_ function takes
// the whole text or nothing; an error says what was wrong with it and shows a form that works, without the
// setting's name, which the caller adds. Each format_ function gives the shortest text that parses back to
// the same value.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/config/settings.h"
#include "storage/base/result.h"

namespace freshet::proxy {

using storage::Result;
using storage::Status;

// Bytes: 512, 64K, 256M, 10G, 2T, also KiB, MiB, GiB, TiB; the letters mean powers of 1024.
Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

// 250ms, 5s, 1m, 2h, 1d; 0 needs no unit. At most 36500d.
Result<SettingMs> parse_duration(std::string_view text);
std::string format_duration(SettingMs duration);

Result<std::uint64_t> parse_count(std::string_view text);
Result<double> parse_ratio(std::string_view text);
std::string format_ratio(double ratio);

// HOST:PORT or [IPV6]:PORT.
Result<HostPort> parse_host_port(std::string_view text);
std::string format_host_port(const HostPort& address);

// ADDRESS or ADDRESS/BITS, of IPv4 or IPv6, or `unix`.
Status check_network(std::string_view text);

// A token (RFC 9110, 5.6.2): a field's or a cookie's name.
Status check_name(std::string_view text);
// The name of a query parameter as it stands in a URL, or the beginning of one and `*`.
Status check_pattern(std::string_view text);

// A bearer token (RFC 6750, 2.1), long enough not to be guessed. The error does not repeat it.
Status check_token(std::string_view text);

// The text between quotation marks, control bytes made visible, at most 60 characters: for messages.
std::string in_quotes(std::string_view text);

}  // namespace freshet::proxy
