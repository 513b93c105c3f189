#include "proxy/successor.h"

#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <utility>
#include <vector>

#include "proxy/upgrade.h"
#include "storage/base/log.h"

namespace freshet::proxy {

using storage::LogLevel;
using storage::Milliseconds;
using storage::Status;

namespace {

constexpr Milliseconds kRetry{100};        // of a directory that is locked
constexpr Milliseconds kSlowRetry{5'000};  // of one that does not open
constexpr std::string_view kKey = "key ";
constexpr std::string_view kTag = "tag ";
constexpr std::string_view kBegin = "begin ";

std::uint64_t number_in(std::string_view digits) {
  std::uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

bool is_locked(const std::string& error) {
  return error.find("in use by another process") != std::string::npos;
}

}  // namespace

std::unique_ptr<Successor> Successor::from_environment() {
  const char* const variable = std::getenv(kUpgradeVariable);  // NOLINT(concurrency-mt-unsafe): start-up
  if (variable == nullptr) return nullptr;
  const auto number = static_cast<int>(number_in(variable));
  ::unsetenv(kUpgradeVariable);  // NOLINT(concurrency-mt-unsafe): start-up, one thread
  if (::fcntl(number, F_SETFD, FD_CLOEXEC) != 0) return nullptr;
  std::unique_ptr<Successor> successor(new Successor(Descriptor{number}));
  return successor->receive_sockets() ? std::move(successor) : nullptr;
}

Successor::~Successor() {
  stop();
}

void Successor::stop() {
  watch_.reset();
  {
    const storage::MutexLock lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
  }
  if (attaching_.joinable()) attaching_.join();
}

bool Successor::receive_sockets() {
  std::vector<HandedSocket> sockets;
  UpgradeChannel::Message message;
  while (channel_.receive(message, true) == UpgradeChannel::Received::kMessage) {
    if (message.words == "all") {
      sockets_ = HandedSockets(std::move(sockets));
      return true;
    }
    std::size_t at = message.words.find('\n');
    for (Descriptor& socket : message.descriptors) {
      const std::size_t end = at == std::string::npos ? at : message.words.find('\n', at + 1);
      std::string name = at == std::string::npos ? "" : message.words.substr(at + 1, end - at - 1);
      sockets.push_back({std::move(name), std::move(socket)});
      at = end;
    }
  }
  return false;
}

PassedSockets Successor::passed() {
  std::vector<std::pair<std::string, Descriptor>> named;
  for (HandedSocket& each : sockets_.take_named()) named.emplace_back(each.name, std::move(each.socket));
  return PassedSockets::of(std::move(named));
}

void Successor::wait_for_go(SuccessorHooks hooks) {
  hooks_ = std::move(hooks);
  // What this process does not listen on is nobody's.
  sockets_ = HandedSockets();
  UpgradeChannel::Message message;
  while (!may_go_) {
    if (channel_.receive(message, true) != UpgradeChannel::Received::kMessage) {
      // Numbers go on above the log's, which is to be read before anything has one.
      if (!begun_) attach();
      closed_ = closed_ || !begun_;
      return closed();
    }
    on_message(message.words);
  }
}

void Successor::watch(storage::IoLoop& loop) {
  watch_ = loop.watch(channel_.descriptor(), storage::IoInterest::kRead,
                      [this](storage::IoReady /*ready*/) { on_readable(); });
}

void Successor::on_readable() {
  UpgradeChannel::Message message;
  for (;;) {
    switch (channel_.receive(message, false)) {
      case UpgradeChannel::Received::kNothing:
        return;
      case UpgradeChannel::Received::kGone:
        watch_.reset();
        return closed();
      case UpgradeChannel::Received::kMessage:
        on_message(message.words);
        break;
    }
  }
}

void Successor::on_message(const std::string& words) {
  const std::string_view text(words);
  if (text == "go") {
    may_go_ = true;
  } else if (text == "closed") {
    closed();
  } else if (text.starts_with(kBegin)) {
    begun_ = true;
    hooks_.begin(number_in(text.substr(kBegin.size())));
  } else {
    if (text.starts_with(kKey)) {
      const std::string key(text.substr(kKey.size()));
      hooks_.invalidate({key, storage::digest128(key)});
    } else if (text.starts_with(kTag)) {
      hooks_.invalidate_tag(text.substr(kTag.size()));
    } else {
      hooks_.invalidate_all();
    }
    (void)channel_.send("done");
  }
}

void Successor::closed() {
  if (std::exchange(closed_, true)) return;
  attaching_ = std::thread([this] { attach(); });
}

void Successor::attach() {
  for (;;) {
    const Status attached = hooks_.attach();
    if (attached) {
      storage::log_event(LogLevel::kInfo, "upgrade: the disk tier is open");
      (void)channel_.send("attached");
      return;
    }
    const bool locked = is_locked(attached.error());
    if (!locked) {
      storage::log_event(LogLevel::kError, "upgrade: serving without the disk tier: " + attached.error());
      hooks_.unavailable(attached.error());
    }
    const storage::MutexLock lock(mutex_);
    const storage::MonoTime until = storage::mono_now() + (locked ? kRetry : kSlowRetry);
    while (!stopping_ && storage::mono_now() < until) stopped_.wait_for(mutex_, until - storage::mono_now());
    if (stopping_) return;
  }
}

}  // namespace freshet::proxy
