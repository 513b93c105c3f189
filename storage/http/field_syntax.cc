#include "storage/http/field_syntax.h"

#include <array>
#include <limits>

namespace freshet::storage {

namespace {

constexpr std::array<bool, 256> make_token_chars() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}

constexpr std::array<bool, 256> kTokenChars = make_token_chars();

constexpr bool is_space(char c) {
  return c == ' ' || c == '\t';
}

}  // namespace

bool is_token_char(char c) {
  return kTokenChars[static_cast<unsigned char>(c)];
}

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}

bool is_field_value(std::string_view text) {
  for (const char c : text) {
    if (c == '\r' || c == '\n' || c == '\0') return false;
  }
  return text.empty() || (!is_space(text.front()) && !is_space(text.back()));
}

std::string_view trim_whitespace(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> parse_decimal(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (kMax - digit) / 10 ? kMax : value * 10 + digit;
  }
  return value;
}

std::optional<std::string> unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  const std::string_view inner = text.substr(1, text.size() - 2);
  std::string plain;
  plain.reserve(inner.size());
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] == '"') return std::nullopt;
    if (inner[i] == '\\' && ++i == inner.size()) return std::nullopt;
    plain.push_back(inner[i]);
  }
  return plain;
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

bool ListReader::next(std::string_view& element) {
  while (!rest_.empty()) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < rest_.size(); ++end) {
      const char c = rest_[end];
      if (quoted && c == '\\') {
        ++end;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (!quoted && c == separator_) {
        break;
      }
    }
    if (quoted) unbalanced_ = true;
    if (end > rest_.size()) end = rest_.size();
    element = trim_whitespace(rest_.substr(0, end));
    rest_.remove_prefix(end < rest_.size() ? end + 1 : end);
    if (!element.empty()) return true;
  }
  return false;
}

bool has_element(const HeaderFields& fields, FieldName name, std::string_view element) {
  bool found = false;
  for_each_element(fields, name,
                   [&](std::string_view each) { found |= equals_ignoring_case(each, element); });
  return found;
}

NameValue split_name_value(std::string_view element) {
  const std::size_t equals = element.find('=');
  if (equals == std::string_view::npos) return {element, std::nullopt};
  return {element.substr(0, equals), element.substr(equals + 1)};
}

}  // namespace freshet::storage
