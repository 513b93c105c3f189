// The scans of sixteen bytes at a time find what their plain twins and the table find, and read nothing
// outside; a name is interned as a comparison letter by letter would have it.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "proxy/http1/char_class.h"
#include "storage/base/byte_scan.h"
#include "storage/base/check.h"
#include "storage/http/field_name.h"

namespace {

using namespace freshet;

void check_scans(const char* p, const char* end) {
  FRESHET_CHECK(proxy::skip_value(p, end) == proxy::skip_class(p, end, proxy::kValueChar));
  FRESHET_CHECK(proxy::skip_target(p, end) == proxy::skip_class(p, end, proxy::kTargetChar));
  FRESHET_CHECK((storage::find_class<proxy::NotValue, storage::PlainBlock>(p, end)) ==
                proxy::skip_value(p, end));
  FRESHET_CHECK((storage::find_class<proxy::NotTarget, storage::PlainBlock>(p, end)) ==
                proxy::skip_target(p, end));
}

bool same(std::string_view a, std::string_view b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i) {
    equal = storage::ascii_lower(a[i]) == storage::ascii_lower(b[i]);
  }
  return equal;
}

void check_name(std::string_view name) {
  storage::FieldName expected = storage::FieldName::kOther;
  for (unsigned id = 1; id < static_cast<unsigned>(storage::FieldName::kCount); ++id) {
    const auto each = static_cast<storage::FieldName>(id);
    FRESHET_CHECK(storage::equals_ignoring_case(storage::field_name_text(each), name) ==
                  same(storage::field_name_text(each), name));
    if (same(storage::field_name_text(each), name)) expected = each;
  }
  FRESHET_CHECK(storage::intern_field_name(name) == expected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 256) return 0;
  // Of its exact size, so that the sanitizer sees a read outside.
  const std::vector<char> copy(data, data + size);
  const char* const end = copy.data() + size;
  for (std::size_t i = 0; i <= size; ++i) check_scans(copy.data() + i, end);
  check_name({copy.data(), size});
  const std::string_view text(copy.data(), size);
  check_name(text.substr(0, text.find(':')));
  return 0;
}
