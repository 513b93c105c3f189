#include "storage/rocksdb/housekeeper.h"

#include <pthread.h>
#include <utility>

namespace freshet::storage {

Housekeeper::Housekeeper(Milliseconds interval, std::function<void()> round)
    : interval_(interval), round_(std::move(round)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "freshet-disk");
}

Housekeeper::~Housekeeper() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Housekeeper::run() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      const MonoTime next = mono_now() + interval_;
      while (!stopping_ && mono_now() < next) wake_.wait_for(mutex_, next - mono_now());
      if (stopping_) return;
    }
    round_();
  }
}

}  // namespace freshet::storage
