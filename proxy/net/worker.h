// Worker: a thread that runs one event loop. Owned by main; its members are called from the thread that owns
// it, except loop().post() and loop().stop().
//
// Life: made (the loop exists, posts already queue), start(), stop(), join(). What lives on the loop is made
// in `begin` and destroyed in `end`, both on the worker's thread: `begin` before the first turn, `end` after
// the last, when posts are dropped already. The thread takes no signals; main does.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proxy/net/event_loop.h"

namespace freshet::proxy {

// The core for the `index`-th of several threads that share `allowed` (not empty) evenly.
[[nodiscard]] int core_for(std::size_t index, const std::vector<int>& allowed);
// The cores that the process may use.
[[nodiscard]] std::vector<int> allowed_cores();

class Worker {
 public:
  // `name` shows in ps and gdb, cut to 15 bytes.
  explicit Worker(std::string_view name);
  // Stops and joins.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] EventLoop& loop() { return loop_; }

  // Once. `pin`: the thread stays on one core, the `pin`-th of those that the process may use, counted round.
  void start(std::function<void()> begin, std::function<void()> end, std::optional<std::size_t> pin = {});
  void stop() { loop_.stop(); }
  // Waits until the thread has ended; again is harmless.
  void join();

 private:
  const std::string name_;
  EventLoop loop_;
  std::thread thread_;
};

}  // namespace freshet::proxy
