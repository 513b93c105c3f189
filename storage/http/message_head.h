// RequestHead and ResponseHead: what stands before a body, parsed, whatever the protocol version it came by.
// Plain data, owned by the exchange, the flight or the stored response that it belongs to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/http/header_fields.h"
#include "storage/http/method.h"

namespace freshet::storage {

// What the request came by. Everything above HTTP/1.1 of the same major version is read as that (RFC
// 9110, 2.5).
enum class HttpVersion : std::uint8_t { kHttp10, kHttp11, kHttp2 };

// "HTTP/1.1", as logs have it; Via has what stands behind the slash.
[[nodiscard]] constexpr std::string_view http_version_text(HttpVersion version) {
  switch (version) {
    case HttpVersion::kHttp10:
      return "HTTP/1.0";
    case HttpVersion::kHttp11:
      break;
    case HttpVersion::kHttp2:
      return "HTTP/2.0";
  }
  return "HTTP/1.1";
}

// A request as the cache sees it. `fields` keeps what the client sent, Host included, until
// revalidate/policy/forwarding makes the origin's request from it.
struct RequestHead {
  Method method = Method::kGet;
  std::string method_text;  // as sent; case-sensitive
  std::string scheme;       // "http" or "https": how the client reached us
  std::string authority;    // host[:port] as sent in Host, :authority or an absolute-form target
  std::string target;       // origin-form: path and query byte for byte, or "*"
  HttpVersion version = HttpVersion::kHttp11;
  HeaderFields fields;

  void clear() {
    method = Method::kGet;
    method_text.clear();
    scheme.clear();
    authority.clear();
    target.clear();
    version = HttpVersion::kHttp11;
    fields.clear();
  }
};

struct ResponseHead {
  int status = 0;
  std::string reason;  // may be empty
  HeaderFields fields;
};

}  // namespace freshet::storage
