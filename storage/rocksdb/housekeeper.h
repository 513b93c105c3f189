// Housekeeper: a thread that calls one function every so often, from its making to its end. The store uses
// it to sync its log within the loss bound and to follow what RocksDB drops; nothing is woken by it.
#pragma once

#include <functional>
#include <thread>

#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace freshet::storage {

class Housekeeper {
 public:
  Housekeeper(Milliseconds interval, std::function<void()> round);
  // Waits for a round in progress.
  ~Housekeeper();
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

 private:
  void run();

  const Milliseconds interval_;
  const std::function<void()> round_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace freshet::storage
