// GET /v1/stats: what each tier holds and what has become of it, as JSON, and the same as a table for people
// (`freshet stats`). ONE table of rows in the .cc names them, with their units.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/counters.h"
#include "storage/base/result.h"

namespace freshet::proxy {

class AdminServer;

struct StatsEndpoint {
  const storage::CounterSet* counters = nullptr;  // outlives the server
  storage::WallTime started{};
  std::uint64_t memory_budget = 0;
  std::uint64_t disk_budget = 0;
  std::uint64_t workers = 0;
};

[[nodiscard]] std::string stats_json(const StatsEndpoint& what, storage::WallTime now);
// From the JSON, of this version or another: what is not known of is left out.
[[nodiscard]] storage::Result<std::string> stats_table(std::string_view json);

void add_stats_endpoint(AdminServer& server, const StatsEndpoint& what);

}  // namespace freshet::proxy
