// A simulation as it is asked for: a trace, policies, sizes; and what came of it. `freshet simulate` is
// run_simulation(); the command line fills the options and has checked them.
//
// Beside the policies of storage/eviction there are three that know the future: `belady`, `belady-size` and
// `bound` (offline.h). Blocks; called on the main thread, which has nothing else to do then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/simulate/generator.h"
#include "proxy/simulate/simulator.h"
#include "proxy/simulate/trace_reader.h"

namespace freshet::proxy {

// Bytes, or a part of the trace's footprint.
struct SizeWish {
  std::string text;  // as it was given
  std::uint64_t bytes = 0;
  double percent = 0;  // 0: `bytes` holds
};

struct SimulationOptions {
  TraceOptions trace;
  std::optional<GeneratorOptions> generator;  // instead of the trace
  bool print = false;                         // the generated trace itself, as CSV
  bool json = false;
  std::vector<std::string> policies;
  std::vector<SizeWish> sizes;
  std::uint64_t overhead = 0;
};

// Those of storage/eviction, then the three that know the future.
[[nodiscard]] std::vector<std::string_view> simulation_policy_names();

struct SimulationRow {
  std::string policy;
  std::string size;  // as it was given
  CacheSize cache;
  SimulationResult result;
};

// One row for each size and policy, sizes first.
[[nodiscard]] std::vector<SimulationRow> simulate_all(const Trace& trace, const SimulationOptions& options);

// Prints what was asked for on standard output, and complaints on standard error. Returns the exit status: 0,
// or 2 with a line that says why.
[[nodiscard]] int run_simulation(const SimulationOptions& options);

}  // namespace freshet::proxy
