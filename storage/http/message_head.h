// RequestHead and ResponseHead: what stands before a body, parsed, whatever the protocol version it came by.
// Plain data, owned by the exchange, the flight or the stored response that it belongs to.
#pragma once

#include <string>
#include <string_view>

#include "storage/http/header_fields.h"
#include "storage/http/method.h"

namespace freshet::storage {

// A request as the cache sees it. `fields` keeps what the client sent, Host included, until
// revalidate/policy/forwarding makes the origin's request from it.
struct RequestHead {
  Method method = Method::kGet;
  std::string method_text;  // as sent; case-sensitive
  std::string scheme;       // "http" or "https": how the client reached us
  std::string authority;    // host[:port] as sent in Host, :authority or an absolute-form target
  std::string target;       // origin-form: path and query byte for byte, or "*"
  int minor_version = 1;    // HTTP/1.x; 1 for HTTP/2
  HeaderFields fields;

  void clear() {
    method = Method::kGet;
    method_text.clear();
    scheme.clear();
    authority.clear();
    target.clear();
    minor_version = 1;
    fields.clear();
  }
};

struct ResponseHead {
  int status = 0;
  std::string reason;  // may be empty
  HeaderFields fields;
};

}  // namespace freshet::storage
