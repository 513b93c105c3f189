// GET /v1/top: the targets that are asked for most, as JSON; see top_targets.h. Asking makes the workers
// count for the next ten seconds, so the first answer is empty.
#pragma once

#include <string>

#include "proxy/observe/top_targets.h"

namespace freshet::proxy {

class AdminServer;

// {"targets": [{"target", "requests", "overcount", "hits", "bytes", "seconds"}, ...]}
[[nodiscard]] std::string top_json(const std::vector<TargetUse>& targets);

// `targets` outlives the server.
void add_top_endpoint(AdminServer& server, TopTargets& targets);

}  // namespace freshet::proxy
