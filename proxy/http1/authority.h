// The authority of a request: uri-host [ ":" port ], as Host, :authority and an absolute-form target carry
// it. User information is refused, and so is an empty host (RFC 9110, 4.2.1, 4.2.4, 7.2; RFC 3986, 3.2.2).
// Stricter than the grammar in two things: no comma, which is how two joined Host lines look, and nothing
// percent-encoded that would be a delimiter or a control character.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace freshet::proxy {

struct Authority {
  std::string_view host;              // with the brackets of an IP literal; as written
  std::optional<std::uint16_t> port;  // nothing: none given, or given empty ("host:")
};

// Nothing if `text` is not an authority. The host is a view into `text`.
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

}  // namespace freshet::proxy
