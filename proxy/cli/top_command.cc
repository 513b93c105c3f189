#include "proxy/cli/top_command.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>

#include "proxy/cli/edge_commands.h"
#include "proxy/cli/terminal.h"

namespace freshet::proxy {

using storage::Error;
using storage::Result;

namespace {

Result<std::string> ask(const EdgePlace& edge, const std::string& path) {
  auto answer = ask_edge(edge, path);
  if (!answer) return Error{answer.error()};
  if (answer->status == 200) return std::move(answer->body);
  return Error{"the edge at " + edge.text() + " refuses (" + std::to_string(answer->status) +
               "): " + answer->body.substr(0, answer->body.find('\n'))};
}

Result<TopLook> look(const EdgePlace& edge) {
  const auto stats = ask(edge, "/v1/stats");
  if (!stats) return Error{stats.error()};
  const auto top = ask(edge, "/v1/top");
  if (!top) return Error{top.error()};
  return read_top_look(stats.value(), top.value(), storage::mono_now());
}

int fail(const std::string& reason) {
  std::fprintf(stderr, "freshet: %s\n", reason.c_str());
  return kEdgeFailedExitStatus;
}

int print_once(const TopCommand& command) {
  auto before = look(command.edge);
  if (!before) return fail(before.error());
  std::this_thread::sleep_for(command.interval);
  auto now = look(command.edge);
  if (!now) return fail(now.error());
  for (const std::string& line : top_view(*before, *now, {command.sort, SIZE_MAX, SIZE_MAX})) {
    std::printf("%s\n", line.c_str());
  }
  return std::fflush(stdout) == 0 ? 0 : kEdgeFailedExitStatus;
}

// The screen, until q.
class Screen {
 public:
  Screen(const TopCommand& command, TopLook first)
      : command_(command), sort_(command.sort), before_(first), now_(std::move(first)) {}

  // The reason for which it ended, or nothing.
  std::string run() {
    Terminal terminal;
    for (;;) {
      draw(terminal);
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(now_.at + command_.interval - storage::mono_now());
      char key = 0;
      switch (terminal.wait(std::max(left, std::chrono::milliseconds{0}), key)) {
        case Terminal::Event::kEnd:
          return "";
        case Terminal::Event::kRedraw:
          continue;
        case Terminal::Event::kKey:
          if (key == 'q' || key == 'Q') return "";
          if (press(key)) continue;
          break;
        case Terminal::Event::kTimeout:
          break;
      }
      auto next = look(command_.edge);
      if (!next) return next.error();
      before_ = std::exchange(now_, next.take());
    }
  }

 private:
  void draw(Terminal& terminal) const {
    const Terminal::Size size = Terminal::size();
    terminal.show(top_view(before_, now_, {sort_, size.rows, size.columns}));
  }

  // False: look at the edge, now.
  bool press(char key) {
    if (key == 'r') sort_ = TopSort::kRequests;
    if (key == 'b') sort_ = TopSort::kBytes;
    if (key == 'm') sort_ = TopSort::kMisses;
    if (key == 't') sort_ = TopSort::kTime;
    return key != ' ';
  }

  const TopCommand& command_;
  TopSort sort_;
  TopLook before_;
  TopLook now_;
};

}  // namespace

int run_top(const TopCommand& command) {
  if (command.once || !Terminal::there()) return print_once(command);
  auto first = look(command.edge);
  if (!first) return fail(first.error());
  const std::string reason = Screen(command, first.take()).run();
  return reason.empty() ? 0 : fail(reason);
}

}  // namespace freshet::proxy
