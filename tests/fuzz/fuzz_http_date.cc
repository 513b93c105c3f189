// A date that is read can be written, and reads the same again.
#include <cstdint>
#include <string_view>

#include "storage/base/check.h"
#include "storage/http/http_date.h"

using namespace freshet::storage;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const WallTime now = wall_from_seconds(1700000000);
  if (const auto time = parse_http_date(text, now)) {
    FRESHET_CHECK(parse_http_date(format_http_date(*time), now) == time);
    FRESHET_CHECK(parse_cache_date(text, now) == time);
  }
  static_cast<void>(parse_cache_date(text, now));
  return 0;
}
