// Structured fields (RFC 8941 with the Date type of RFC 9651): lists and dictionaries of items with
// parameters, as Cache-Status, Cache-Groups and the targeted Cache-Control fields use them. Parsing is by
// the letter: one wrong byte and the whole field is no structured field (nothing is returned).
//
// Plain values that own their text; no thread rules. Repeated field lines are joined by ", " first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::storage {

struct SfBareItem {
  enum class Type { kInteger, kDecimal, kString, kToken, kBytes, kBoolean, kDate };
  Type type = Type::kBoolean;
  std::int64_t integer = 0;  // kInteger, kDate; kBoolean as 0 or 1
  double decimal = 0;        // kDecimal
  std::string text;          // kString, kToken; kBytes decoded

  [[nodiscard]] bool is_true() const { return type == Type::kBoolean && integer == 1; }
};

using SfParameters = std::vector<std::pair<std::string, SfBareItem>>;

struct SfItem {
  SfBareItem value;
  SfParameters parameters;
};

// A member of a list or a dictionary: an item, or an inner list of items.
struct SfMember {
  bool is_inner_list = false;
  SfItem item;                   // with is_inner_list, only its parameters count
  std::vector<SfItem> elements;  // of the inner list
};

using SfList = std::vector<SfMember>;
// In order; a key that comes again replaces the earlier value.
using SfDictionary = std::vector<std::pair<std::string, SfMember>>;

[[nodiscard]] std::optional<SfList> parse_sf_list(std::string_view text);
[[nodiscard]] std::optional<SfDictionary> parse_sf_dictionary(std::string_view text);
[[nodiscard]] std::optional<SfItem> parse_sf_item(std::string_view text);

// `text` as an sf-string: quotes and backslashes escaped, bytes outside printable ASCII as '?'.
void append_sf_string(std::string& out, std::string_view text);

}  // namespace freshet::storage
