// Resolved ranges lie inside the representation, and a Content-Range that we write is read back.
#include <cstdint>
#include <string>

#include "storage/base/check.h"
#include "storage/http/byte_range.h"

using namespace freshet::storage;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_content_range(text));
  for (const std::uint64_t length :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, ~std::uint64_t{0}}) {
    const ResolvedRanges resolved = resolve_ranges(text, length);
    FRESHET_CHECK(resolved.ranges.empty() == (resolved.outcome != RangeOutcome::kPartial));
    FRESHET_CHECK(resolved.ranges.size() <= kMaxRanges);
    for (const ByteRange& range : resolved.ranges) {
      FRESHET_CHECK(range.first <= range.last && range.last < length);
      std::string written;
      append_content_range(written, range, length);
      const auto read = parse_content_range(written);
      FRESHET_CHECK(read && read->range == range && read->size == length);
    }
  }
  return 0;
}
