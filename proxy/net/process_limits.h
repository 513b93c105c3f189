// What the process may have of the system. Called at start, on the main thread.
#pragma once

#include <cstdint>

namespace freshet::proxy {

// Raises the soft limit on open descriptors to the hard one, for each connection is one: many systems start
// services with 1,024 of 524,288. Returns the limit that is in force then.
std::uint64_t raise_descriptor_limit();

}  // namespace freshet::proxy
