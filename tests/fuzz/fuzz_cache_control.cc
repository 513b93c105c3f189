// Any bytes give directives within their bounds, as a response's, a request's and a targeted field's.
#include <cstdint>
#include <string>

#include "revalidate/policy/cache_control.h"
#include "storage/base/check.h"
#include "storage/http/field_syntax.h"

using namespace freshet;

namespace {

void check_bounds(const std::optional<storage::Seconds>& value) {
  FRESHET_CHECK(!value || (value->count() >= 0 && *value <= revalidate::kForever));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text =
      storage::trim_whitespace(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!storage::is_field_value(text)) return 0;
  const revalidate::PolicyOptions options;
  for (const std::string_view name : {"Cache-Control", "CDN-Cache-Control", "Surrogate-Control", "Pragma"}) {
    storage::HeaderFields fields;
    fields.add(name, text);
    const auto response = revalidate::parse_response_directives(fields, options);
    check_bounds(response.max_age);
    check_bounds(response.s_maxage);
    check_bounds(response.stale_while_revalidate);
    check_bounds(response.stale_if_error);
    for (const auto& field : response.no_cache_fields) FRESHET_CHECK(storage::is_token(field));
    const auto request = revalidate::parse_request_directives(fields);
    check_bounds(request.max_age);
    check_bounds(request.min_fresh);
    check_bounds(request.max_stale);
  }
  return 0;
}
