// Signals as events of a loop: SIGINT, SIGTERM, SIGHUP and SIGUSR2 are blocked in every thread and read from
// a descriptor, so that what they cause runs as an ordinary callback and not inside a handler.
//
// block_signals() before any thread is started; Signals is owned by main, on its loop's thread.
#pragma once

#include <functional>
#include <memory>

#include "proxy/net/descriptor.h"
#include "storage/base/io_loop.h"

namespace freshet::proxy {

void block_signals();

class Signals {
 public:
  Signals(storage::IoLoop& loop, std::function<void(int signal)> received);

 private:
  void read_one();

  const std::function<void(int)> received_;
  Descriptor descriptor_;
  std::unique_ptr<storage::IoWatch> watch_;
};

}  // namespace freshet::proxy
