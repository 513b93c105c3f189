// The answer of /v1/explain (explain_json.h) as a page for a terminal: what would happen and why first, what
// it was decided by beneath. Pure.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/result.h"

namespace freshet::proxy {

[[nodiscard]] storage::Result<std::string> explain_page(std::string_view json);

}  // namespace freshet::proxy
