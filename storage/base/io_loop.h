// IoLoop: what the layers below the front end may see of a worker's event loop: watch a descriptor, arm a
// timer, post a task. proxy/net implements it; revalidate/origin drives libcurl's sockets with it. It names
// no library.
//
// All calls but post() come from the loop's own thread. A handle's destructor ends the watch or the timer;
// after it no callback comes. Callbacks run on the loop's thread, never from inside watch() or arm().
#pragma once

#include <functional>
#include <memory>

#include "storage/base/clock.h"
#include "storage/base/executor.h"

namespace freshet::storage {

enum class IoInterest { kNone, kRead, kWrite, kReadWrite };

struct IoReady {
  bool readable = false;
  bool writable = false;
};

// Watching one descriptor, level-triggered; does not own the descriptor.
class IoWatch {
 public:
  virtual ~IoWatch() = default;
  virtual void set_interest(IoInterest interest) = 0;
};

// A one-shot timer.
class IoTimer {
 public:
  virtual ~IoTimer() = default;
  // Arms (or arms anew) to run once after `delay` (0: in the loop's next turn).
  virtual void arm(Milliseconds delay) = 0;
  virtual void cancel() = 0;
};

class IoLoop : public Executor {
 public:
  [[nodiscard]] virtual std::unique_ptr<IoWatch> watch(int descriptor, IoInterest interest,
                                                       std::function<void(IoReady)> ready) = 0;
  // A timer that is not armed yet.
  [[nodiscard]] virtual std::unique_ptr<IoTimer> timer(std::function<void()> fired) = 0;
};

}  // namespace freshet::storage
