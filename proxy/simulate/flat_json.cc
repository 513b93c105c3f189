#include "proxy/simulate/flat_json.h"

#include <algorithm>

namespace freshet::proxy {

FlatJson::FlatJson(std::string_view text) : rest_(text) {
  if (!take('{')) fail("is not a JSON object");
}

bool FlatJson::fail(const char* what) {
  error_ = what;
  return false;
}

void FlatJson::skip_space() {
  rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
}

bool FlatJson::take(char c) {
  skip_space();
  if (rest_.substr(0, 1) != std::string_view(&c, 1)) return false;
  rest_.remove_prefix(1);
  return true;
}

bool FlatJson::take_string(std::string_view& out) {
  if (!take('"')) return false;
  for (std::size_t i = 0; i < rest_.size(); ++i) {
    if (rest_[i] == '\\') {
      ++i;
    } else if (rest_[i] == '"') {
      out = rest_.substr(0, i);
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool FlatJson::take_value() {
  skip_space();
  if (rest_.substr(0, 1) == "\"") return take_string(value_);
  value_ = rest_.substr(0, rest_.find_first_of(",} \t\r\n"));
  rest_.remove_prefix(value_.size());
  constexpr std::string_view kWordBytes = "+-.0123456789Eaeflnrstu";  // of numbers, true, false, null
  return !value_.empty() && value_.find_first_not_of(kWordBytes) == value_.npos;
}

bool FlatJson::next() {
  if (!error_.empty()) return false;
  if (take('}')) {
    skip_space();
    return rest_.empty() ? false : fail("has something behind its JSON object");
  }
  if (!first_ && !take(',')) return fail("is a JSON object that does not end");
  first_ = false;
  if (!take_string(name_)) return fail("has a JSON member without a name");
  if (!take(':') || !take_value())
    return fail("has a JSON member whose value is no string, number, true, false or null");
  return true;
}

}  // namespace freshet::proxy
