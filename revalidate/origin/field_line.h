// One field line of a response head or trailer section, read strictly (RFC 9112, section 5). What RFC 9112
// lets a recipient repair (obs-fold, bare LF) is refused: an origin that sends it is misread by somebody.
// Pure; any thread.
#pragma once

#include <string_view>

namespace freshet::revalidate {

struct FieldLine {
  std::string_view name;
  std::string_view value;     // without the whitespace around it
  const char* why = nullptr;  // set if the line is refused
};

// `line` with its line end; the views point into it.
[[nodiscard]] FieldLine parse_field_line(std::string_view line);

// Ends with CRLF and has no other CR, no NUL.
[[nodiscard]] bool ends_cleanly(std::string_view line);

}  // namespace freshet::revalidate
