#include "revalidate/policy/proxy_status.h"

#include "revalidate/policy/policy_options.h"

namespace freshet::revalidate {

std::string_view proxy_error_type(Reason reason) {
  switch (reason) {
    // Refused, no name, no route, no handshake: the reason does not tell which.
    case Reason::kOriginUnreachable:
      return "destination_unavailable";
    case Reason::kOriginTimeout:
      return "http_response_timeout";
    case Reason::kOriginMalformed:
      return "http_protocol_error";
    case Reason::kOriginCut:
    case Reason::kIncomplete:
      return "http_response_incomplete";
    case Reason::kOriginBusy:
      return "connection_limit_reached";
    case Reason::kBadRequest:
      return "http_request_error";
    case Reason::kPurgeForbidden:
      return "http_request_denied";
    case Reason::kStoreFailure:
    case Reason::kPurgeNotDurable:
      return "proxy_internal_error";
    // Answered here without an attempt to ask.
    case Reason::kOnlyIfCached:
    case Reason::kOwnEntityTag:
    case Reason::kOverloaded:
      return "proxy_internal_response";
    default:
      return "";
  }
}

void append_proxy_status(std::string& out, Reason reason, int received_status) {
  out.append(kEdgeName);
  const std::string_view type = proxy_error_type(reason);
  if (!type.empty()) out.append("; error=").append(type);
  if (received_status != 0) out.append("; received-status=").append(std::to_string(received_status));
}

}  // namespace freshet::revalidate
