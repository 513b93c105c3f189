#include "revalidate/origin/field_line.h"

#include <cstdint>
#include <limits>

namespace freshet::revalidate {

namespace {

// RFC 9110, 5.6.2.
bool is_token_character(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_whitespace(char c) {
  return c == ' ' || c == '\t';
}

FieldLine refused(const char* why) {
  return FieldLine{{}, {}, why};
}

}  // namespace

bool ends_cleanly(std::string_view line) {
  if (line.size() < 2 || line.substr(line.size() - 2) != "\r\n") return false;
  line.remove_suffix(2);
  return line.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

FieldLine parse_field_line(std::string_view line) {
  if (!ends_cleanly(line)) return refused("a field line with a bare CR, bare LF or NUL");
  line.remove_suffix(2);
  if (line.empty() || is_whitespace(line.front())) return refused("a folded field line");
  std::size_t colon = 0;
  while (colon < line.size() && is_token_character(line[colon])) ++colon;
  if (colon == line.size()) return refused("a field line without a colon");
  if (line[colon] != ':') {
    return refused(is_whitespace(line[colon]) ? "whitespace before a field's colon" : "a bad field name");
  }
  if (colon == 0 || colon > std::numeric_limits<std::uint16_t>::max()) return refused("a bad field name");
  FieldLine parsed{line.substr(0, colon), line.substr(colon + 1), nullptr};
  while (!parsed.value.empty() && is_whitespace(parsed.value.front())) parsed.value.remove_prefix(1);
  while (!parsed.value.empty() && is_whitespace(parsed.value.back())) parsed.value.remove_suffix(1);
  return parsed;
}

}  // namespace freshet::revalidate
