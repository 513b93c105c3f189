#include "revalidate/origin/origin_url.h"

#include <algorithm>

#include "storage/http/field_name.h"

namespace freshet::revalidate {

namespace {

using storage::Error;
using storage::Result;

Error refuse(std::string_view text, std::string_view why) {
  std::string message = "\"";
  for (const char c : text.substr(0, 200)) message += c >= 0x20 && c < 0x7f ? c : '?';
  return Error{message.append("\" is no origin: ").append(why)};
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_address_character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

bool is_path_character(char c) {
  return c > 0x20 && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\';
}

// Digits only, 1 to 65535; 0 for anything else.
std::uint16_t parse_port(std::string_view text) {
  unsigned value = 0;
  if (text.empty() || text.size() > 5) return 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= 65535 ? static_cast<std::uint16_t>(value) : std::uint16_t{0};
}

// Splits "host", "host:port", "[address]" or "[address]:port". False: the brackets do not match.
bool split_authority(std::string_view authority, std::string_view& host, std::string_view& port,
                     bool& has_port) {
  std::size_t host_end = authority.find(':');
  std::size_t after = host_end;
  host = authority.substr(0, host_end);
  if (!authority.empty() && authority.front() == '[') {
    host_end = authority.find(']');
    if (host_end == std::string_view::npos) return false;
    host = authority.substr(1, host_end - 1);
    after = host_end + 1 < authority.size() ? host_end + 1 : std::string_view::npos;
    if (after != std::string_view::npos && authority[after] != ':') return false;
    if (host.find(':') == std::string_view::npos) return false;
  }
  has_port = after != std::string_view::npos;
  port = has_port ? authority.substr(after + 1) : std::string_view{};
  return true;
}

bool take_scheme(std::string_view& rest, bool& tls) {
  const std::size_t colon = rest.find("://");
  if (colon == std::string_view::npos) return false;
  const std::string_view scheme = rest.substr(0, colon);
  tls = storage::equals_ignoring_case(scheme, "https");
  if (!tls && !storage::equals_ignoring_case(scheme, "http")) return false;
  rest.remove_prefix(colon + 3);
  return true;
}

}  // namespace

std::string OriginUrl::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text.append(":").append(std::to_string(port));
  return text;
}

std::string OriginUrl::base() const {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return (tls ? "https://" : "http://") + shown + ":" + std::to_string(port);
}

Result<OriginUrl> parse_origin_url(std::string_view text) {
  OriginUrl url;
  std::string_view rest = text;
  if (!take_scheme(rest, url.tls)) return refuse(text, "it must begin with http:// or https://");
  if (rest.find('#') != std::string_view::npos) return refuse(text, "a fragment (#) has no place here");
  if (rest.find('?') != std::string_view::npos) return refuse(text, "a query (?) has no place here");
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view path = rest.substr(slash);
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    return refuse(text, "a user name or password has no place here");
  }
  std::string_view host;
  std::string_view port;
  bool has_port = false;
  if (!split_authority(authority, host, port, has_port))
    return refuse(text, "the address in brackets is malformed");
  if (host.empty()) return refuse(text, "there is no host");
  std::transform(host.begin(), host.end(), std::back_inserter(url.host), storage::ascii_lower);
  const bool is_address = url.host.find(':') != std::string::npos;
  if (!std::all_of(url.host.begin(), url.host.end(), is_address ? is_address_character : is_host_character)) {
    return refuse(text, "the host has a character that no host has");
  }
  url.port = has_port ? parse_port(port) : static_cast<std::uint16_t>(url.tls ? 443 : 80);
  if (url.port == 0) return refuse(text, "the port must be a number from 1 to 65535");
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  if (!std::all_of(path.begin(), path.end(), is_path_character)) {
    return refuse(text, "the path has a character that must be percent-encoded");
  }
  url.path_prefix = path;
  return url;
}

}  // namespace freshet::revalidate
