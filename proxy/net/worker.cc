#include "proxy/net/worker.h"

#include <csignal>
#include <pthread.h>
#include <utility>

#include "storage/base/check.h"

namespace freshet::proxy {

Worker::Worker(std::string_view name) : name_(name.substr(0, 15)) {}

Worker::~Worker() {
  stop();
  join();
}

void Worker::start(std::function<void()> begin, std::function<void()> end) {
  FRESHET_CHECK(!thread_.joinable());
  // A thread inherits the mask of the one that makes it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, begin = std::move(begin), end = std::move(end)]() mutable {
    pthread_setname_np(pthread_self(), name_.c_str());
    if (begin) begin();
    begin = nullptr;
    loop_.run();
    if (end) end();
    end = nullptr;  // what the two hold goes on this thread
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace freshet::proxy
