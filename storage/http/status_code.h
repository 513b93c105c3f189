// Status codes: the standard reason phrase, and which of them can have no body (RFC 9110, section 15;
// RFC 9112, section 6.3). A status is an int in 100..599 wherever it appears.
#pragma once

#include <string_view>

namespace freshet::storage {

// "Unknown" for a code that RFC 9110 does not list.
[[nodiscard]] std::string_view reason_phrase(int status);

// 1xx, 204 and 304 end with their head, whatever their fields say.
[[nodiscard]] constexpr bool status_has_no_body(int status) {
  return (status >= 100 && status < 200) || status == 204 || status == 304;
}

}  // namespace freshet::storage
