// POST /v1/upgrade: has the program on disk take over from this process. Answered when it has, with its
// process id, or when it was refused (409), and why; then nothing has changed.
#pragma once

#include <functional>
#include <string>
#include <sys/types.h>

#include "storage/base/result.h"

namespace freshet::proxy {

class AdminServer;

// The process that serves now, or why it is still this one.
using UpgradeAnswer = std::function<void(pid_t next, const std::string& error)>;

void add_upgrade_endpoint(AdminServer& server, std::function<void(UpgradeAnswer)> upgrade);

// What the endpoint answered: the process id, or the reason why not.
[[nodiscard]] storage::Result<pid_t> parse_upgrade_reply(const std::string& json);

}  // namespace freshet::proxy
