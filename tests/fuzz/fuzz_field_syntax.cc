// List elements lie inside the value, have no outer whitespace, and what is quoted reads back.
#include <cstdint>
#include <string>

#include "storage/base/check.h"
#include "storage/http/field_syntax.h"

using namespace freshet::storage;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char separator : {',', ';'}) {
    ListReader reader(text, separator);
    std::string_view element;
    while (reader.next(element)) {
      FRESHET_CHECK(!element.empty() && trim_whitespace(element) == element);
      FRESHET_CHECK(element.data() >= text.data() && element.data() + element.size() <= text.data() + size);
      static_cast<void>(split_name_value(element));
      static_cast<void>(unquote(element));
    }
  }
  std::string quoted;
  append_quoted(quoted, text);
  FRESHET_CHECK(unquote(quoted) == text);
  static_cast<void>(parse_decimal(text));
  return 0;
}
