// What the service manager is told of this process (sd_notify(3)): one datagram to the socket that
// NOTIFY_SOCKET names, without libsystemd. Where there is no such variable nobody is told, and no harm done.
//
// Any thread; the variable is read at each call.
#pragma once

#include <string_view>

namespace freshet::proxy {

// `state`: "READY=1", "STOPPING=1", ... False: nobody was told.
bool tell_service_manager(std::string_view state);
// The same to `socket`: a path, or one in the abstract namespace that begins with @.
bool tell_service_manager(std::string_view state, std::string_view socket);

}  // namespace freshet::proxy
