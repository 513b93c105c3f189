// FlatJson: walks the members of one JSON object whose values are strings, numbers, true, false and null: a
// line of the access log. Values are what stands in the text, strings without their quotes and with their
// escapes: enough to compare and to read numbers. What is nested, and what is no JSON, is an error.
//
// Borrows the text; one thread.
#pragma once

#include <string>
#include <string_view>

namespace freshet::proxy {

class FlatJson {
 public:
  explicit FlatJson(std::string_view text);

  // The next member; false: there is none, or an error.
  bool next();
  [[nodiscard]] std::string_view name() const { return name_; }
  [[nodiscard]] std::string_view value() const { return value_; }
  // Empty: none.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  bool fail(const char* what);
  void skip_space();
  bool take(char c);
  bool take_string(std::string_view& out);
  bool take_value();

  std::string_view rest_;
  bool first_ = true;
  std::string_view name_;
  std::string_view value_;
  std::string error_;
};

}  // namespace freshet::proxy
