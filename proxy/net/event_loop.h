// EventLoop: one worker's event loop, over libevent (which this header does not name): descriptors, timers,
// and tasks that other threads hand over. Owned by its Worker, or by main; made and destroyed by one thread
// and run by one.
//
// Life: made, run() until stop(), destroyed. post() and stop() may be called from any thread at any time
// before the destructor; everything else belongs to the thread that runs the loop (or will run it). Handles
// (IoWatch, IoTimer) must be gone before the loop is; each may be destroyed inside its own callback.
//
// A turn is one wait and all callbacks that follow from it. Time is read at most once a turn, so that serving
// a hit reads no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "storage/base/clock.h"
#include "storage/base/io_loop.h"

namespace freshet::proxy {

class EventLoop final : public storage::IoLoop {
 public:
  EventLoop();
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Serves until stop(). Once.
  void run();

  // Any thread. Tasks that were posted before still run; then run() returns. Tasks that come later are
  // destroyed unrun, inside post().
  void stop();

  // Any thread. A burst of posts wakes the loop once.
  void post(storage::Task task) override;

  // `ready` tells readability and writability in two calls when both are there.
  [[nodiscard]] std::unique_ptr<storage::IoWatch> watch(int descriptor, storage::IoInterest interest,
                                                        std::function<void(storage::IoReady)> ready) override;
  [[nodiscard]] std::unique_ptr<storage::IoTimer> timer(std::function<void()> fired) override;

  // The time at which this turn began (outside a turn: now).
  [[nodiscard]] storage::WallTime wall_time();
  [[nodiscard]] storage::MonoTime mono_time();

  // The number of this turn: what may be done so often a turn is counted by it.
  [[nodiscard]] std::uint64_t turn() const;

  // Whether the caller is inside run() of this loop.
  [[nodiscard]] bool on_loop_thread() const;

  // The longest turn since the loop began or since the last take, its wait not counted (guarantee G7).
  // Any thread.
  [[nodiscard]] std::chrono::nanoseconds longest_turn() const;
  std::chrono::nanoseconds take_longest_turn();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet::proxy
