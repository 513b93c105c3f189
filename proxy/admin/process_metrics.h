// What the process itself is like, under the names that Prometheus' client libraries use: start time, CPU
// time, memory, descriptors. Read from /proc and the kernel at the time of the call; what cannot be read is
// 0.
#pragma once

#include "proxy/admin/metrics_writer.h"
#include "storage/base/clock.h"

namespace freshet::proxy {

void append_process_metrics(MetricsWriter& out, storage::WallTime started);

}  // namespace freshet::proxy
