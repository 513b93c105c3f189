// What an endpoint of the admin plane sees and answers. The plane speaks a small HTTP/1.1: one request on a
// connection, GET and HEAD without content, POST with JSON; admin_server.h has the wire.
//
// Values; an endpoint runs on the admin plane's loop and must not wait. An action (POST) may answer later.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/http/header_fields.h"

namespace freshet::proxy {

struct AdminRequest {
  std::string method;
  std::string path;   // without the query
  std::string query;  // without the question mark
  storage::HeaderFields fields;
  std::string body;    // of a POST
  std::string client;  // for the event log: an address, or "uid 0" on the unix socket
};

struct AdminReply {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow = "GET, HEAD";  // said with 405
};

using AdminEndpoint = std::function<AdminReply(const AdminRequest&)>;
// Called once, on the loop's thread; does nothing where the client has left.
using AdminAnswer = std::function<void(AdminReply)>;
using AdminAction = std::function<void(const AdminRequest&, AdminAnswer)>;

// Reads a whole head, up to and with its empty line. Returns 0, or the status to refuse it with: 400, 405
// (with `request` filled), 505.
[[nodiscard]] int parse_admin_head(std::string_view head, AdminRequest& request);

// How long a POST's content is, into `size`; 0, or the status to refuse it with: 400, 411 (no length, or one
// that is only known at its end), 413 (longer than `most`), 415 (not application/json).
[[nodiscard]] int admin_content_size(const AdminRequest& request, std::size_t most, std::size_t& size);

// How a listener of the admin plane tells friend from foe.
struct AdminAccess {
  bool local_socket = false;  // a unix socket: its mode has let in who may
  std::string token;          // empty: none is asked for
};

// Nothing where the request may be answered, else the refusal: 401 without the token, and, where none is
// asked for, 403 for what a web page in the operator's browser may have sent: a Host that is no loopback name
// or address (a name that was bound to it afterwards), an Origin of elsewhere.
[[nodiscard]] std::optional<AdminReply> admin_refusal(const AdminRequest& request, const AdminAccess& access);

[[nodiscard]] AdminReply plain_admin_reply(int status, std::string text);

// The reply on the wire; for HEAD without its body.
[[nodiscard]] std::string admin_reply_text(const AdminReply& reply, bool head_only);

}  // namespace freshet::proxy
