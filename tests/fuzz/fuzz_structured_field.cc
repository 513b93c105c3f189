// Any bytes are parsed or refused; a string that we write is read back.
#include <cstdint>
#include <string>

#include "storage/base/check.h"
#include "storage/http/structured_field.h"

using namespace freshet::storage;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_sf_list(text));
  static_cast<void>(parse_sf_dictionary(text));
  static_cast<void>(parse_sf_item(text));
  std::string written;
  append_sf_string(written, text);
  const auto read = parse_sf_item(written);
  FRESHET_CHECK(read && read->value.text.size() == text.size());
  return 0;
}
