// POST /v1/reload: the edge reads its configuration anew and applies it, or refuses it whole: 200 when it
// holds on every worker, 409 with all that is wrong. Its content, JSON, says nothing yet: {}.
//
// The reply: {"applied": true, "changed": ["cache.heuristic_max"]} or {"applied": false, "errors": ["..."]}.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace freshet::proxy {

class AdminServer;

struct ReloadReply {
  bool applied = false;
  std::vector<std::string> changed;  // names of settings
  std::vector<std::string> errors;   // one line each
};

[[nodiscard]] std::string reload_reply_json(const ReloadReply& reply);
[[nodiscard]] storage::Result<ReloadReply> parse_reload_reply(std::string_view json);

using ReloadDone = std::function<void(const ReloadReply&)>;
// `who`: for the event log. On the server's loop; `done` is called there, once, now or later.
using ReloadAction = std::function<void(const std::string& who, ReloadDone done)>;

void add_reload_endpoint(AdminServer& server, ReloadAction reload);

}  // namespace freshet::proxy
