// The program that serves: `freshet run` goes on as it (proxy/cli/edge_program.h). The same command line, of
// which it takes `run` alone.
#include <csignal>
#include <cstdio>
#include <variant>

#include "proxy/cli/command_line.h"
#include "proxy/server.h"
#include "proxy/successor.h"

int main(int argc, char** argv) {
  using namespace freshet::proxy;
  // A client, an origin or a log reader that goes away is an error of that write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  const Command command = parse_command_line(argc, argv, read_surroundings());
  if (const auto* const run = std::get_if<RunCommand>(&command)) return run_server(run->settings);
  if (const auto* const failed = std::get_if<FailedCommand>(&command)) {
    if (const auto successor = Successor::from_environment(); successor && !failed->lines.empty())
      successor->fail(failed->lines.front());
    return report(*failed);
  }
  std::fputs("freshet: this is the program behind `freshet run`; the other commands are those of `freshet`\n",
             stderr);
  return kUsageExitStatus;
}
