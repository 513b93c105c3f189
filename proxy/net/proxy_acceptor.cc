#include "proxy/net/proxy_acceptor.h"

#include <array>
#include <cerrno>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace freshet::proxy {

using storage::Counter;
using storage::IoInterest;

struct ProxyAcceptor::Waiting {
  Waiting(Descriptor accepted, const SocketAddress& from, std::function<void()> expired)
      : socket(std::move(accepted)), peer(from), deadline(std::move(expired)) {}

  Descriptor socket;
  SocketAddress peer;
  ProxyHeader header;
  bool heard = false;
  std::unique_ptr<storage::IoWatch> watch;
  Deadline deadline;
};

ProxyAcceptor::ProxyAcceptor(EventLoop& loop, CoarseTimers& timers, storage::Counters& counters,
                             storage::Milliseconds timeout, Hooks hooks)
    : loop_(loop),
      timers_(timers),
      counters_(counters),
      deadlines_(&timers.list(timeout)),
      hooks_(std::move(hooks)) {}

ProxyAcceptor::~ProxyAcceptor() {
  while (!waiting_.empty()) end(waiting_.begin());
}

void ProxyAcceptor::accept(Descriptor socket, const SocketAddress& peer) {
  const auto made = std::make_shared<List::iterator>();
  waiting_.emplace_back(std::move(socket), peer, [this, made] { fail(*made, "it took too long"); });
  const auto waiting = *made = std::prev(waiting_.end());
  waiting->watch = loop_.watch(waiting->socket.get(), IoInterest::kRead,
                               [this, waiting](storage::IoReady) { read(waiting); });
  timers_.arm(waiting->deadline, *deadlines_, loop_.mono_time());
}

// Looks first, and takes what is the header's: all that is there, until the header is whole.
void ProxyAcceptor::read(List::iterator waiting) {
  std::array<char, 512> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  const int descriptor = waiting->socket.get();
  while (waiting->header.state() == ProxyHeader::State::kMore) {
    const ssize_t seen = ::recv(descriptor, bytes.data(), bytes.size(), MSG_PEEK);
    if (seen < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (seen <= 0 && !waiting->heard) return end(waiting);
    if (seen <= 0) return fail(waiting, "it broke off");
    waiting->heard = true;
    const std::size_t taken = waiting->header.take({bytes.data(), static_cast<std::size_t>(seen)});
    if (::recv(descriptor, bytes.data(), taken, 0) != static_cast<ssize_t>(taken)) {
      return fail(waiting, "it broke off");
    }
  }
  if (waiting->header.state() == ProxyHeader::State::kBad) return fail(waiting, waiting->header.error());
  hand_on(waiting);
}

void ProxyAcceptor::hand_on(List::iterator waiting) {
  const ProxyHeader& header = waiting->header;
  const SocketAddress client = header.is_local() ? waiting->peer
                               : header.source() ? *header.source()
                                                 : SocketAddress::of(sockaddr_storage{}, 0);
  waiting->watch.reset();
  Descriptor socket = std::move(waiting->socket);
  waiting_.erase(waiting);
  hooks_.told(std::move(socket), client);
}

void ProxyAcceptor::refuse(const SocketAddress& peer, std::string_view why) {
  counters_.add(Counter::kProxyRefused);
  const auto ip = peer.ip();
  log_.log(storage::LogLevel::kInfo,
           "PROXY header from " + (ip ? ip->text() : "a local client") + " refused: " + std::string(why));
}

void ProxyAcceptor::fail(List::iterator waiting, std::string_view why) {
  refuse(waiting->peer, why);
  end(waiting);
}

void ProxyAcceptor::end(List::iterator waiting) {
  waiting_.erase(waiting);
  hooks_.gone();
}

void ProxyAcceptor::drain() {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto waiting = next++;
    if (!waiting->heard) read(waiting);
  }
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto waiting = next++;
    if (!waiting->heard) end(waiting);
  }
}

}  // namespace freshet::proxy
