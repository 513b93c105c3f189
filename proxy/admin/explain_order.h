// ExplainOrder: the request that an operator asks about, in the words of /v1/explain:
//
//     {"url": "https://example.com/a?b", "method": "GET", "fields": ["Accept-Encoding: gzip"], "trusted":
//     false}
//
// `freshet explain` writes it; the edge reads it, and answers by explain_json.h. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"
#include "storage/http/message_head.h"

namespace freshet::proxy {

struct ExplainOrder {
  std::string url;
  std::string method = "GET";
  std::vector<std::string> fields;  // "Name: value", as curl's -H has them; Host overrides the URL's
  bool trusted = false;             // as if one of server.trusted_proxies had sent it
};

[[nodiscard]] std::string explain_order_json(const ExplainOrder& order);
// The error says which member is wrong and why; what is in them is looked at by request_of().
[[nodiscard]] storage::Result<ExplainOrder> parse_explain_order(std::string_view json);

// The request as the edge would have it from a client. The error names what is wrong.
[[nodiscard]] storage::Result<storage::RequestHead> request_of(const ExplainOrder& order);

}  // namespace freshet::proxy
