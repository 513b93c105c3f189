// OriginOptions: what every client of the origin has to know: where it is and how long it may take. Plain
// data; the operator's settings, the same for all workers.
#pragma once

#include <cstddef>
#include <string>

#include "revalidate/origin/origin_url.h"
#include "storage/base/clock.h"

namespace freshet::revalidate {

struct OriginOptions {
  OriginUrl origin;
  std::string ca_file;                             // PEM; empty: the system's
  storage::Milliseconds connect_timeout{5'000};    // name, TCP and TLS together
  storage::Milliseconds response_timeout{60'000};  // from request sent to final head; uploads restart it
  storage::Milliseconds progress_timeout{0};       // between two body bytes; 0: none, for event streams
  storage::Milliseconds idle_timeout{4'000};       // below the 5 s after which Node closes
  std::size_t max_head = std::size_t{64}
                         << 10;  // all heads of one request, and its trailers; at most 256 KiB
  std::size_t max_idle_connections = 256;
};

}  // namespace freshet::revalidate
