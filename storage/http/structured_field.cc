#include "storage/http/structured_field.h"

#include <array>
#include <cstddef>
#include <cstdlib>

#include "storage/http/field_syntax.h"

namespace freshet::storage {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_alpha(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}

std::array<int, 256> make_base64_values() {
  std::array<int, 256> values{};
  values.fill(-1);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int>(i);
  }
  return values;
}

std::optional<std::string> decode_base64(std::string_view text) {
  static const std::array<int, 256> kValues = make_base64_values();
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    buffer = (buffer << 6 | static_cast<unsigned>(value)) & 0xfff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>(buffer >> bits & 0xff));
    }
  }
  return bytes;
}

// The parsing algorithms of RFC 8941, section 4.2; each takes from the left of `in_` and says whether it
// could.
class Parser {
 public:
  explicit Parser(std::string_view text) : in_(text) {}

  void skip_spaces() {
    while (!in_.empty() && in_.front() == ' ') in_.remove_prefix(1);
  }
  [[nodiscard]] bool at_end() const { return in_.empty(); }

  bool list(SfList& out) {
    while (!in_.empty()) {
      SfMember parsed;
      if (!member(parsed)) return false;
      out.push_back(std::move(parsed));
      if (!separator()) return false;
    }
    return true;
  }

  bool dictionary(SfDictionary& out) {
    while (!in_.empty()) {
      std::string name;
      if (!key(name)) return false;
      SfMember parsed;
      if (take('=')) {
        if (!member(parsed)) return false;
      } else {
        parsed.item.value.integer = 1;
        if (!parameters(parsed.item.parameters)) return false;
      }
      assign(out, std::move(name), std::move(parsed));
      if (!separator()) return false;
    }
    return true;
  }

  bool item(SfItem& out) { return bare_item(out.value) && parameters(out.parameters); }

 private:
  bool take(char c) {
    if (in_.empty() || in_.front() != c) return false;
    in_.remove_prefix(1);
    return true;
  }
  void skip_whitespace() {
    while (!in_.empty() && (in_.front() == ' ' || in_.front() == '\t')) in_.remove_prefix(1);
  }

  // Between members: the end, or a comma with something behind it.
  bool separator() {
    skip_whitespace();
    if (in_.empty()) return true;
    if (!take(',')) return false;
    skip_whitespace();
    return !in_.empty();
  }

  template <typename Value>
  static void assign(std::vector<std::pair<std::string, Value>>& out, std::string name, Value value) {
    for (auto& each : out) {
      if (each.first == name) {
        each.second = std::move(value);
        return;
      }
    }
    out.emplace_back(std::move(name), std::move(value));
  }

  bool member(SfMember& out) {
    if (in_.empty() || in_.front() != '(') return item(out.item);
    in_.remove_prefix(1);
    out.is_inner_list = true;
    while (!in_.empty()) {
      skip_spaces();
      if (take(')')) return parameters(out.item.parameters);
      SfItem element;
      if (!item(element)) return false;
      out.elements.push_back(std::move(element));
      if (in_.empty() || (in_.front() != ' ' && in_.front() != ')')) return false;
    }
    return false;
  }

  bool parameters(SfParameters& out) {
    while (take(';')) {
      skip_spaces();
      std::string name;
      if (!key(name)) return false;
      SfBareItem value;
      value.integer = 1;
      if (take('=')) {
        value = {};
        if (!bare_item(value)) return false;
      }
      assign(out, std::move(name), std::move(value));
    }
    return true;
  }

  bool key(std::string& out) {
    if (in_.empty() || !(is_lower(in_.front()) || in_.front() == '*')) return false;
    std::size_t size = 1;
    while (size < in_.size() && (is_lower(in_[size]) || is_digit(in_[size]) ||
                                 std::string_view("_-.*").find(in_[size]) != std::string_view::npos)) {
      ++size;
    }
    out.assign(in_.substr(0, size));
    in_.remove_prefix(size);
    return true;
  }

  bool bare_item(SfBareItem& out) {
    if (in_.empty()) return false;
    const char c = in_.front();
    if (c == '-' || is_digit(c)) return number(out);
    if (c == '"') return string(out);
    if (c == '*' || is_alpha(c)) return token(out);
    if (c == ':') return bytes(out);
    if (c == '?') return boolean(out);
    return c == '@' && date(out);
  }

  bool number(SfBareItem& out) {
    const bool negative = take('-');
    std::size_t digits = 0;
    while (digits < in_.size() && is_digit(in_[digits])) ++digits;
    if (digits == 0 || digits > 15) return false;
    std::size_t size = digits;
    const bool decimal = size < in_.size() && in_[size] == '.';
    if (decimal) {
      std::size_t fraction = 0;
      while (size + 1 + fraction < in_.size() && is_digit(in_[size + 1 + fraction])) ++fraction;
      if (digits > 12 || fraction == 0 || fraction > 3) return false;
      size += 1 + fraction;
    }
    const std::string text(in_.substr(0, size));
    in_.remove_prefix(size);
    if (decimal) {
      out.type = SfBareItem::Type::kDecimal;
      out.decimal = std::strtod(text.c_str(), nullptr) * (negative ? -1 : 1);
    } else {
      out.type = SfBareItem::Type::kInteger;
      out.integer = std::strtoll(text.c_str(), nullptr, 10) * (negative ? -1 : 1);
    }
    return true;
  }

  bool string(SfBareItem& out) {
    out.type = SfBareItem::Type::kString;
    in_.remove_prefix(1);
    while (!in_.empty()) {
      char c = in_.front();
      in_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\') {
        if (in_.empty() || (in_.front() != '"' && in_.front() != '\\')) return false;
        c = in_.front();
        in_.remove_prefix(1);
      } else if (c < 0x20 || c > 0x7e) {
        return false;
      }
      out.text.push_back(c);
    }
    return false;
  }

  bool token(SfBareItem& out) {
    out.type = SfBareItem::Type::kToken;
    std::size_t size = 1;
    while (size < in_.size() && (is_token_char(in_[size]) || in_[size] == ':' || in_[size] == '/')) ++size;
    out.text.assign(in_.substr(0, size));
    in_.remove_prefix(size);
    return true;
  }

  bool bytes(SfBareItem& out) {
    out.type = SfBareItem::Type::kBytes;
    in_.remove_prefix(1);
    const std::size_t end = in_.find(':');
    if (end == std::string_view::npos) return false;
    std::optional<std::string> decoded = decode_base64(in_.substr(0, end));
    if (!decoded) return false;
    out.text = std::move(*decoded);
    in_.remove_prefix(end + 1);
    return true;
  }

  bool boolean(SfBareItem& out) {
    out.type = SfBareItem::Type::kBoolean;
    in_.remove_prefix(1);
    out.integer = !in_.empty() && in_.front() == '1' ? 1 : 0;
    return take('0') || take('1');
  }

  bool date(SfBareItem& out) {
    in_.remove_prefix(1);
    if (!number(out) || out.type != SfBareItem::Type::kInteger) return false;
    out.type = SfBareItem::Type::kDate;
    return true;
  }

  std::string_view in_;
};

}  // namespace

std::optional<SfList> parse_sf_list(std::string_view text) {
  Parser parser(text);
  parser.skip_spaces();
  SfList out;
  if (!parser.list(out)) return std::nullopt;
  return out;
}

std::optional<SfDictionary> parse_sf_dictionary(std::string_view text) {
  Parser parser(text);
  parser.skip_spaces();
  SfDictionary out;
  if (!parser.dictionary(out)) return std::nullopt;
  return out;
}

std::optional<SfItem> parse_sf_item(std::string_view text) {
  Parser parser(text);
  parser.skip_spaces();
  SfItem out;
  if (!parser.item(out)) return std::nullopt;
  parser.skip_spaces();
  if (!parser.at_end()) return std::nullopt;
  return out;
}

void append_sf_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c >= 0x20 && c <= 0x7e ? c : '?');
  }
  out.push_back('"');
}

}  // namespace freshet::storage
