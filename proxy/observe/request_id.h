// Who a request is, from one program to the next: an id, made here or taken from a proxy that is trusted, and
// the trace that W3C Trace Context (`traceparent`) says it belongs to.
//
// RequestIds belongs to one worker. Its ids are unique, not secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace freshet::proxy {

inline constexpr std::string_view kRequestIdField = "X-Request-Id";
inline constexpr std::string_view kTraceparentField = "traceparent";

class RequestIds {
 public:
  // Begins at a place of its own in 2^128.
  RequestIds();

  // 32 hex digits.
  void make(std::string& id);

 private:
  std::uint64_t state_[2];
};

// 1 to 128 letters, digits and any of "-_.:/+=@": as UUIDs, numbers, base64 and what load balancers make.
[[nodiscard]] bool is_sane_request_id(std::string_view id);

// The trace id of a traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"; empty where it is
// none (W3C Trace Context, 3.2).
[[nodiscard]] std::string_view trace_id_of(std::string_view traceparent);

}  // namespace freshet::proxy
