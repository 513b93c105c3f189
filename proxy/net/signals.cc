#include "proxy/net/signals.h"

#include <csignal>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace freshet::proxy {

namespace {

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGUSR2);
  return set;
}

Descriptor open_descriptor() {
  const sigset_t set = handled();
  return Descriptor(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

}  // namespace

void block_signals() {
  const sigset_t set = handled();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Signals::Signals(storage::IoLoop& loop, std::function<void(int signal)> received)
    : received_(std::move(received)),
      descriptor_(open_descriptor()),
      watch_(loop.watch(descriptor_.get(), storage::IoInterest::kRead,
                        [this](storage::IoReady) { read_one(); })) {}

void Signals::read_one() {
  signalfd_siginfo info{};
  if (::read(descriptor_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    received_(static_cast<int>(info.ssi_signo));
  }
}

}  // namespace freshet::proxy
