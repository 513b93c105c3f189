// The program: reads the command line and does what it says. Everything else is behind run_server().
#include <csignal>
#include <cstdio>
#include <string>
#include <variant>

#include "proxy/cli/command_line.h"
#include "proxy/server.h"
#include "proxy/simulate/simulation.h"

namespace {

using namespace freshet::proxy;

int execute(const PrintCommand& command) {
  std::fputs(command.text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int execute(const FailedCommand& command) {
  for (const std::string& line : command.lines) std::fprintf(stderr, "%s\n", line.c_str());
  return kUsageExitStatus;
}

int execute(const PurgeCommand& command) {
  return run_purge(command);
}

int execute(const StatsCommand& command) {
  return run_stats(command);
}

int execute(const RunCommand& command) {
  return run_server(command.settings);
}

int execute(const SimulateCommand& command) {
  return run_simulation(command.options);
}

}  // namespace

int main(int argc, char** argv) {
  // A client, an origin or a log reader that goes away is an error of that write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  return std::visit([](const auto& command) { return execute(command); },
                    parse_command_line(argc, argv, read_surroundings()));
}
