// OriginUrl: where the origin is, as the operator wrote it: scheme, host, port and perhaps a path prefix that
// stands before every target. What an origin cannot have (a user, a query, a fragment) is refused with a
// reason fit for the start-up line. Plain data; RFC 3986, section 3; RFC 9110, section 4.2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace freshet::revalidate {

struct OriginUrl {
  bool tls = false;
  std::string host;  // lower case; an IPv6 address without its brackets
  std::uint16_t port = 80;
  std::string path_prefix;  // empty, or "/a/b" with no slash at its end

  // host[:port] as a Host field has it: IPv6 in brackets, the default port left out.
  [[nodiscard]] std::string authority() const;
  // "http://host:port", port always there.
  [[nodiscard]] std::string base() const;
};

// A slash at the end is dropped. The error says what is wrong, without repeating the setting's name.
[[nodiscard]] storage::Result<OriginUrl> parse_origin_url(std::string_view text);

}  // namespace freshet::revalidate
