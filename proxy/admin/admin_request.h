// What an endpoint of the admin plane sees and answers. The plane speaks a small HTTP/1.1: one request on a
// connection, GET and HEAD, no body; admin_server.h has the wire.
//
// Values; an endpoint runs on the admin plane's loop and must not wait.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace freshet::proxy {

struct AdminRequest {
  std::string method;
  std::string path;   // without the query
  std::string query;  // without the question mark
};

struct AdminReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

using AdminEndpoint = std::function<AdminReply(const AdminRequest&)>;

// Reads a whole head, up to and with its empty line. Returns 0, or the status to refuse it with: 400, 405
// (with `request` filled), 505.
[[nodiscard]] int parse_admin_head(std::string_view head, AdminRequest& request);

// The reply on the wire; for HEAD without its body.
[[nodiscard]] std::string admin_reply_text(const AdminReply& reply, bool head_only);

}  // namespace freshet::proxy
