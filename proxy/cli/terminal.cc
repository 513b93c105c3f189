#include "proxy/cli/terminal.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace freshet::proxy {

namespace {

// Of a handler, which may do no more.
volatile std::sig_atomic_t ended = 0;
volatile std::sig_atomic_t resized = 0;
volatile std::sig_atomic_t stopped = 0;

void on_signal(int signal) {
  if (signal == SIGWINCH) {
    resized = 1;
  } else if (signal == SIGTSTP) {
    stopped = 1;
  } else {
    ended = 1;
  }
}

constexpr std::array kHandled = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};

// The alternate screen, without a cursor; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";

void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Without SA_RESTART: a wait ends.
void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

bool Terminal::there() {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

Terminal::Terminal() {
  ended = 0;
  resized = 0;
  stopped = 0;
  ::tcgetattr(STDIN_FILENO, &before_);
  for (const int signal : kHandled) handle(signal, &on_signal);
  enter();
}

Terminal::~Terminal() {
  leave();
  for (const int signal : kHandled) handle(signal, SIG_DFL);
}

void Terminal::enter() {
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  put(kEnter);
}

void Terminal::leave() {
  put(kLeave);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

// Stops as the shell expects, with the screen as it was.
void Terminal::suspend() {
  stopped = 0;
  leave();
  handle(SIGTSTP, SIG_DFL);
  ::raise(SIGTSTP);
  handle(SIGTSTP, &on_signal);
  enter();
}

Terminal::Size Terminal::size() {
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0) return {};
  return {window.ws_row, window.ws_col};
}

void Terminal::show(const std::vector<std::string>& lines) {
  std::string screen = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) screen += "\r\n";
    screen += lines[i] + "\x1b[K";
  }
  put(screen + "\x1b[J");
}

Terminal::Event Terminal::wait(std::chrono::milliseconds most, char& key) {
  pollfd keys{STDIN_FILENO, POLLIN, 0};
  const int ready = ended || resized || stopped ? 0 : ::poll(&keys, 1, static_cast<int>(most.count()));
  if (ended != 0) return Event::kEnd;
  if (stopped != 0) {
    suspend();
    return Event::kRedraw;
  }
  if (resized != 0) {
    resized = 0;
    return Event::kRedraw;
  }
  if (ready <= 0) return ready < 0 ? Event::kRedraw : Event::kTimeout;
  // No byte where there was something to read: the terminal has gone.
  return ::read(STDIN_FILENO, &key, 1) == 1 ? Event::kKey : Event::kEnd;
}

}  // namespace freshet::proxy
