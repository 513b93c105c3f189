// Proxy-Status (RFC 9209): what went wrong between this edge and the origin, on the answers that the edge
// makes itself. Error types are registered ones, and of two that would fit the one that claims less. Writes
// into a given string.
#pragma once

#include <string>
#include <string_view>

#include "revalidate/policy/reason.h"

namespace freshet::revalidate {

// The type of RFC 9209, 2.3; empty where the reason is no error.
[[nodiscard]] std::string_view proxy_error_type(Reason reason);

// "freshet; error=http_response_timeout". `received_status`: what the origin answered, if it did; 0: left
// out. For a reason that is no error: "freshet" and no more.
void append_proxy_status(std::string& out, Reason reason, int received_status = 0);

}  // namespace freshet::revalidate
