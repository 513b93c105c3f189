#include "revalidate/origin/field_line.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "storage/http/field_syntax.h"

namespace freshet::revalidate {

namespace {

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
  return std::none_of(line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

FieldLine parse_field_line(std::string_view line) {
  if (!ends_cleanly(line)) return refused("a field line with a bare CR, bare LF or NUL");
  line.remove_suffix(2);
  if (line.empty() || is_whitespace(line.front())) return refused("a folded field line");
  std::size_t colon = 0;
  while (colon < line.size() && storage::is_token_char(line[colon])) ++colon;
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
