// run_server(): puts the parts together and serves until SIGINT or SIGTERM. Start-up errors (a busy port, an
// unreadable directory, an unknown format version) are one line on standard error each and exit status 2.
// On SIGHUP, and on POST /v1/reload, it reads the configuration anew (reload.h). On SIGINT or SIGTERM it
// drains: stops accepting, answers what has been accepted, closes, and returns 0.
#pragma once

#include "proxy/config/settings.h"
#include "proxy/reload.h"

namespace freshet::proxy {

// On the main thread, which becomes the admin plane's. Returns the process's exit status.
// `read` says what they are by now, for a reload.
int run_server(const Settings& settings, ReadSettings read);

}  // namespace freshet::proxy
