// The program that serves: `freshet run` goes on as it (proxy/cli/edge_program.h). The same command line, of
// which it takes `run` alone.
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "proxy/cli/command_line.h"
#include "proxy/server.h"
#include "proxy/successor.h"

namespace {

using namespace freshet::proxy;

// Of a line that goes to standard error.
constexpr std::string_view kLinePrefix = "freshet: ";

// What the command line says by now: the configuration file may have changed.
std::variant<Settings, std::vector<std::string>> read_again(int argc, char** argv) {
  Command command = parse_command_line(argc, argv, read_surroundings());
  if (auto* const run = std::get_if<RunCommand>(&command)) return std::move(run->settings);
  const auto* const failed = std::get_if<FailedCommand>(&command);
  if (failed == nullptr) return std::vector<std::string>{"the command line is not that of `freshet run`"};
  std::vector<std::string> errors = failed->lines;
  for (std::string& error : errors) {
    if (error.starts_with(kLinePrefix)) error.erase(0, kLinePrefix.size());
  }
  return errors;
}

}  // namespace

int main(int argc, char** argv) {
  // A client, an origin or a log reader that goes away is an error of that write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  const Command command = parse_command_line(argc, argv, read_surroundings());
  if (const auto* const run = std::get_if<RunCommand>(&command)) {
    return run_server(run->settings, [argc, argv] { return read_again(argc, argv); });
  }
  if (const auto* const failed = std::get_if<FailedCommand>(&command)) {
    if (const auto successor = Successor::from_environment(); successor && !failed->lines.empty())
      successor->fail(failed->lines.front());
    return report(*failed);
  }
  std::fputs("freshet: this is the program behind `freshet run`; the other commands are those of `freshet`\n",
             stderr);
  return kUsageExitStatus;
}
