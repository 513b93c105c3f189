// Terminal: standard output as a screen of its own, and keys as they are pressed. What was there before
// stands there again at the end, however that comes: by the destructor, by a signal that ends the program
// (INT, TERM, HUP, QUIT: key() says so, nothing dies in between), or while it is stopped (TSTP). One at a
// time, on the main thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <termios.h>
#include <vector>

namespace freshet::proxy {

class Terminal {
 public:
  // Whether both standard input and output are terminals.
  static bool there();

  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  struct Size {
    std::size_t rows = 24;
    std::size_t columns = 80;
  };
  [[nodiscard]] static Size size();

  // The whole screen.
  void show(const std::vector<std::string>& lines);

  enum class Event { kKey, kTimeout, kRedraw, kEnd };
  // Waits for a key, a change that asks for drawing again, the end, or nothing for so long.
  Event wait(std::chrono::milliseconds most, char& key);

 private:
  void enter();
  void leave();
  void suspend();

  termios before_{};
};

}  // namespace freshet::proxy
