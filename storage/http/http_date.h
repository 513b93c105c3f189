// HTTP dates: the three forms that must be read and the one that may be written (RFC 9110, section 5.6.7).
// Pure; a date that has a second reading (one-digit day, another zone, trailing text) is none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/base/clock.h"

namespace freshet::storage {

// The grammar to the letter, which a condition has to keep (RFC 9110, 13.1.3: otherwise it MUST be ignored).
// `now` resolves the two-digit year of the obsolete RFC 850 form: a date more than 50 years ahead is in the
// past. A leap second (:60) is read as :59.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text, WallTime now);

// As a cache reads the dates of a response: in any case, and the zone may be called UTC (RFC 9111, 4.2).
[[nodiscard]] std::optional<WallTime> parse_cache_date(std::string_view text, WallTime now);

// "Sun, 06 Nov 1994 08:49:37 GMT"; milliseconds are cut off.
void append_http_date(std::string& out, WallTime time);
[[nodiscard]] std::string format_http_date(WallTime time);

}  // namespace freshet::storage
