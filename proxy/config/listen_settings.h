// What is wrong between the addresses of server.listen and tls.listen that are each right.
//
// Called at start, on the main thread; opens nothing.
#pragma once

#include <string>
#include <vector>

#include "proxy/config/settings.h"

namespace freshet::proxy {

// As "key: reason".
[[nodiscard]] std::vector<std::string> check_listen_settings(const Settings& settings);

}  // namespace freshet::proxy
