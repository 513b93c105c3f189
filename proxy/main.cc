// The program that is called: reads the command line and does what it says. Where that is to serve, it goes
// on as the program that serves (edge_main.cc).
#include <csignal>
#include <cstdio>
#include <variant>

#include "proxy/cli/command_line.h"
#include "proxy/cli/edge_program.h"
#include "proxy/simulate/simulation.h"

namespace {

using namespace freshet::proxy;

struct Execute {
  char** argv;

  int operator()(const PrintCommand& command) const {
    std::fputs(command.text.c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  int operator()(const FailedCommand& command) const { return report(command); }
  int operator()(const PurgeCommand& command) const { return run_purge(command); }
  int operator()(const ReloadCommand& command) const { return run_reload(command); }
  int operator()(const StatsCommand& command) const { return run_stats(command); }
  int operator()(const UpgradeCommand& command) const { return run_upgrade(command); }
  int operator()(const TopCommand& command) const { return run_top(command); }
  int operator()(const ExplainCommand& command) const { return run_explain(command); }
  int operator()(const SimulateCommand& command) const { return run_simulation(command.options); }
  int operator()(const RunCommand& /*command*/) const { return become_edge(argv); }
};

}  // namespace

int main(int argc, char** argv) {
  // An edge or a reader that goes away is an error of that write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  return std::visit(Execute{argv}, parse_command_line(argc, argv, read_surroundings()));
}
