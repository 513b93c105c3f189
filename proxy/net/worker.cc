#include "proxy/net/worker.h"

#include <csignal>
#include <pthread.h>
#include <sched.h>
#include <system_error>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/log.h"

namespace freshet::proxy {

int core_for(std::size_t index, const std::vector<int>& allowed) {
  return allowed[index % allowed.size()];
}

std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {};
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(static_cast<std::size_t>(core), &set)) cores.push_back(core);
  }
  return cores;
}

namespace {

void pin_this_thread(std::size_t index) {
  const std::vector<int> allowed = allowed_cores();
  if (allowed.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core_for(index, allowed)), &set);
  if (const int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set); error != 0) {
    storage::log_event(storage::LogLevel::kWarning,
                       "a worker cannot be pinned to its core: " + std::system_category().message(error));
  }
}

}  // namespace

Worker::Worker(std::string_view name) : name_(name.substr(0, 15)) {}

Worker::~Worker() {
  stop();
  join();
}

void Worker::start(std::function<void()> begin, std::function<void()> end, std::optional<std::size_t> pin) {
  FRESHET_CHECK(!thread_.joinable());
  // A thread inherits the mask of the one that makes it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, pin, begin = std::move(begin), end = std::move(end)]() mutable {
    if (pin) pin_this_thread(*pin);
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
