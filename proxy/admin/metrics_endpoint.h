// What the process counts, in Prometheus' text format: every counter and histogram of storage/base/counters.h
// with the prefix freshet_, the build, and what process_metrics.h has. Also /healthz and /readyz.
//
// The texts are made on the admin plane's loop; they read atomic counters and /proc, and wait for nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proxy/admin/admin_request.h"
#include "storage/base/clock.h"
#include "storage/base/counters.h"

namespace freshet::proxy {

class AdminServer;

// A value that stands in no Counters, such as the access log's dropped lines.
struct ExtraMetric {
  std::string name;  // without the freshet_ prefix
  std::string type;  // counter | gauge
  std::string help;
  std::function<std::int64_t()> value;  // called on the admin plane's loop
  std::int64_t per = 1;                 // what is shown is the value divided by this power of ten
};

struct StandardEndpoints {
  const storage::CounterSet* counters = nullptr;  // outlives the server
  storage::WallTime started{};
  std::vector<ExtraMetric> extra;
  std::function<bool()> ready;  // none: always
};

[[nodiscard]] std::string metrics_text(const StandardEndpoints& what);

// Routes /metrics, /healthz (200 as long as the loop turns) and /readyz (503 until ready, and while
// draining).
void add_standard_endpoints(AdminServer& server, StandardEndpoints what);

}  // namespace freshet::proxy
