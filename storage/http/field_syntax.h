// Field syntax: the small grammar that most header fields share: tokens, quoted strings, comma lists,
// decimal numbers (RFC 9110, section 5.6). Pure functions over views; nothing here allocates unless it
// returns a std::string, nothing throws, and any bytes may be given. Malformed input is a value (false,
// nothing, or an element as it stands), never an error: each field's own rules say what follows from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/http/header_fields.h"

namespace freshet::storage {

// tchar; RFC 9110, 5.6.2.
[[nodiscard]] bool is_token_char(char c);
[[nodiscard]] bool is_token(std::string_view text);
// Without CR, LF and NUL, and without whitespace at either end: what HeaderFields::add() takes.
[[nodiscard]] bool is_field_value(std::string_view text);

// Without spaces and tabs at both ends; RFC 9110, 5.6.3.
[[nodiscard]] std::string_view trim_whitespace(std::string_view text);

// Digits only, nothing else. A number over 2^64-1 gives 2^64-1. Nothing for any other text, "" included.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view digits);

// What stands between the quotes of a quoted-string, escapes undone. Nothing if `text` is not exactly one
// quoted-string; RFC 9110, 5.6.4.
[[nodiscard]] std::optional<std::string> unquote(std::string_view text);
// `text` as a quoted-string.
void append_quoted(std::string& out, std::string_view text);

// Reads the elements of a list field value (RFC 9110, 5.6.1): separators inside quoted strings do not count,
// whitespace around an element is dropped, empty elements are skipped.
class ListReader {
 public:
  explicit ListReader(std::string_view value, char separator = ',') : rest_(value), separator_(separator) {}
  // False at the end.
  bool next(std::string_view& element);
  // Whether a quoted string was left open; known at the end.
  [[nodiscard]] bool unbalanced() const { return unbalanced_; }

 private:
  std::string_view rest_;
  char separator_;
  bool unbalanced_ = false;
};

// Calls `take(std::string_view element)` for each list element of each line of that name, in order.
template <typename Take>
void for_each_element(const HeaderFields& fields, FieldName name, Take take) {
  for (const HeaderFields::Line line : fields) {
    if (line.id != name) continue;
    ListReader reader(line.value);
    std::string_view element;
    while (reader.next(element)) take(element);
  }
}

// Whether a list field has that element, in any case.
[[nodiscard]] bool has_element(const HeaderFields& fields, FieldName name, std::string_view element);

// "name" or "name=value" of a directive or parameter; the value is left as it stands (perhaps quoted, perhaps
// with spaces where none should be).
struct NameValue {
  std::string_view name;
  std::optional<std::string_view> value;
};
[[nodiscard]] NameValue split_name_value(std::string_view element);

}  // namespace freshet::storage
