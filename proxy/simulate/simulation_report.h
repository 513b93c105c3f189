// A simulation's results as text: a table for people, JSON for programs. Pure.
#pragma once

#include <string>
#include <vector>

#include "proxy/simulate/simulation.h"

namespace freshet::proxy {

// What the trace is, then a line for each row; ratios in percent.
[[nodiscard]] std::string simulation_table(const LoadedTrace& loaded, const std::vector<SimulationRow>& rows);

// {"trace": {...}, "shipped": POLICY, "results": [{...}]}; bytes and counts are whole numbers, ratios 0 to 1.
[[nodiscard]] std::string simulation_json(const LoadedTrace& loaded, const std::vector<SimulationRow>& rows);

// 1.5 GiB, 12 KiB, 7 B: three digits at least.
[[nodiscard]] std::string readable_bytes(std::uint64_t bytes);

}  // namespace freshet::proxy
