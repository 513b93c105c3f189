// The command line: `freshet run`, `check`, `simulate`, `purge`, `reload`, `stats`, `upgrade`, `top`,
// `explain`,
// --help, --version. Flags come from the table of settings; a flag or a --set wins over the configuration
// file, which wins over the defaults.
//
// parse_command_line() reads the configuration file but prints nothing and ends nothing: it returns what main
// is to do. CLI11 is named in the .cc alone. Called at start, on the main thread.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "proxy/cli/edge_commands.h"
#include "proxy/cli/top_command.h"
#include "proxy/config/defaults.h"
#include "proxy/config/settings.h"
#include "proxy/simulate/simulation.h"

namespace freshet::proxy {

// Run the edge with these settings, which are complete and checked.
struct RunCommand {
  Settings settings;
};

// Simulate what these options say, and end.
struct SimulateCommand {
  SimulationOptions options;
};

// Print and end with exit status 0 (--help, --version, a file that `check` found right).
struct PrintCommand {
  std::string text;
};

inline constexpr int kUsageExitStatus = 2;

// Print each line on standard error and end with that exit status.
struct FailedCommand {
  std::vector<std::string> lines;
  int status = kUsageExitStatus;
};

// Does that; returns the exit status.
int report(const FailedCommand& command);

using Command = std::variant<RunCommand, SimulateCommand, PurgeCommand, ReloadCommand, StatsCommand,
                             TopCommand, UpgradeCommand, ExplainCommand, PrintCommand, FailedCommand>;

[[nodiscard]] Command parse_command_line(int argc, const char* const* argv, const Surroundings& surroundings);

}  // namespace freshet::proxy
