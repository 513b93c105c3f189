#include "proxy/net/tls_acceptor.h"

#include <array>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace freshet::proxy {

using storage::Counter;
using storage::IoInterest;
using storage::LogLevel;

namespace {

// After which a connection's buffers are given back.
constexpr storage::Milliseconds kIdle{1000};

constexpr std::string_view kPlainHttpAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 51\r\n"
    "Connection: close\r\n\r\nThis port speaks HTTPS, and the request was in HTTP";

// Input left unread would make the kernel take the answer back.
void answer_plain_http(int descriptor) {
  static_cast<void>(::send(descriptor, kPlainHttpAnswer.data(), kPlainHttpAnswer.size(), MSG_NOSIGNAL));
  ::shutdown(descriptor, SHUT_WR);
  std::array<char, 16 * 1024> unread;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  static_cast<void>(::recv(descriptor, unread.data(), unread.size(), MSG_DONTWAIT));
}

}  // namespace

class TlsAcceptor::Handshake {
 public:
  Handshake(Descriptor accepted, const SocketAddress& from, std::function<void()> expired)
      : socket(std::move(accepted)), peer(from), deadline(std::move(expired)) {}

  Descriptor socket;
  SocketAddress peer;
  std::unique_ptr<TlsConnection> tls;
  std::unique_ptr<storage::IoWatch> watch;
  Deadline deadline;
  bool waits = false;  // for a turn
};

TlsAcceptor::TlsAcceptor(EventLoop& loop, CoarseTimers& timers, const TlsCredentials& credentials,
                         storage::Counters& counters, storage::Milliseconds timeout, Hooks hooks)
    : loop_(loop),
      timers_(timers),
      credentials_(credentials),
      counters_(counters),
      deadlines_(&timers.list(timeout)),
      hooks_(std::move(hooks)),
      worker_(loop, timers, kIdle) {}

TlsAcceptor::~TlsAcceptor() {
  while (!moving_.empty()) end(moving_.begin());
  while (!waiting_.empty()) end(waiting_.begin());
}

void TlsAcceptor::accept(Descriptor socket, const SocketAddress& peer) {
  const auto made = std::make_shared<Handshakes::iterator>();
  moving_.emplace_back(std::move(socket), peer, [this, made] { fail(*made); });
  const auto handshake = *made = std::prev(moving_.end());
  counters_.add(Counter::kTlsHandshaking);
  handshake->tls = std::make_unique<TlsConnection>(credentials_.current(), worker_, handshake->socket.get());
  handshake->watch = loop_.watch(handshake->socket.get(), IoInterest::kRead,
                                 [this, handshake](storage::IoReady) { on_ready(handshake); });
  timers_.arm(handshake->deadline, *deadlines_, loop_.mono_time());
}

bool TlsAcceptor::empty() const {
  return moving_.empty() && waiting_.empty();
}

void TlsAcceptor::on_ready(Handshakes::iterator handshake) {
  if (handshake->waits) return;
  if (waiting_.empty() && may_step()) return step(handshake);
  handshake->waits = true;
  handshake->watch->set_interest(IoInterest::kNone);
  waiting_.splice(waiting_.end(), moving_, handshake);
  run_waiting_later();
}

bool TlsAcceptor::may_step() {
  if (turn_ != loop_.turn()) {
    turn_ = loop_.turn();
    steps_left_ = kStepsPerTurn;
  }
  return steps_left_ > 0;
}

void TlsAcceptor::run_waiting_later() {
  if (std::exchange(posted_, true)) return;
  loop_.post([this, alive = std::weak_ptr<const bool>(alive_)] {
    if (!alive.expired()) run_waiting();
  });
}

void TlsAcceptor::run_waiting() {
  posted_ = false;
  while (!waiting_.empty() && may_step()) {
    const auto next = waiting_.begin();
    next->waits = false;
    moving_.splice(moving_.end(), waiting_, next);
    step(next);
  }
  if (!waiting_.empty()) run_waiting_later();
}

void TlsAcceptor::step(Handshakes::iterator handshake) {
  --steps_left_;
  TlsConnection& tls = *handshake->tls;
  switch (tls.handshake()) {
    case TransportOutcome::kBlocked:
      handshake->watch->set_interest(tls.handshake_waits_for_room() ? IoInterest::kWrite : IoInterest::kRead);
      return;
    case TransportOutcome::kEnd:
      return end(handshake);  // a probe of the port, or a connection made in advance
    case TransportOutcome::kBroken:
      return fail(handshake);
    case TransportOutcome::kDone:
      break;
  }
  counters_.add(Counter::kTlsHandshakes);
  if (tls.resumed()) counters_.add(Counter::kTlsResumed);
  counters_.add(Counter::kTlsHandshaking, -1);
  handshake->watch.reset();
  const std::string protocol(tls.protocol());
  const SocketAddress peer = handshake->peer;
  Transport transport(std::move(handshake->socket), std::move(handshake->tls));
  moving_.erase(handshake);
  hooks_.established(std::move(transport), peer, protocol);
}

// It failed, or took too long.
void TlsAcceptor::fail(Handshakes::iterator handshake) {
  const TlsConnection& tls = *handshake->tls;
  counters_.add(Counter::kTlsFailed);
  if (tls.is_plain_http()) answer_plain_http(handshake->socket.get());
  const auto ip = handshake->peer.ip();
  log_.log(LogLevel::kInfo, "TLS handshake with " + (ip ? ip->text() : "a local client") +
                                " failed: " + (tls.failure().empty() ? "it took too long" : tls.failure()));
  end(handshake);
}

void TlsAcceptor::end(Handshakes::iterator handshake) {
  counters_.add(Counter::kTlsHandshaking, -1);
  Handshakes& list = handshake->waits ? waiting_ : moving_;
  list.erase(handshake);
  hooks_.gone();
}

void TlsAcceptor::drain() {
  for (auto next = moving_.begin(); next != moving_.end();) {
    const auto handshake = next++;
    if (!handshake->tls->heard()) step(handshake);
  }
  for (auto next = moving_.begin(); next != moving_.end();) {
    const auto handshake = next++;
    if (!handshake->tls->heard()) end(handshake);
  }
}

}  // namespace freshet::proxy
