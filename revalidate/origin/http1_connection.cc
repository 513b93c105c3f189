#include "revalidate/origin/http1_connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "revalidate/origin/http1_call.h"
#include "storage/base/check.h"
#include "storage/http/method.h"

namespace freshet::revalidate {

namespace {

using storage::Counter;
using storage::IoInterest;
using storage::Milliseconds;
using storage::MonoTime;

// A 4 KiB response in one read, and a large one in few.
constexpr std::size_t kReceiveBuffer = std::size_t{256} << 10;
constexpr int kKeepAliveSeconds = 20;

std::string text_of(int os_error) {
  return std::generic_category().message(os_error);
}

bool is_local(int os_error) {
  return os_error == EMFILE || os_error == ENFILE || os_error == ENOMEM || os_error == ENOBUFS ||
         os_error == EADDRNOTAVAIL;
}

void set_option(int descriptor, int level, int name, int value) {
  // Nothing that the connection could not do without.
  static_cast<void>(::setsockopt(descriptor, level, name, &value, sizeof(value)));
}

const sockaddr* generic(const sockaddr_storage& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

// The head as one write takes it. The lines of `request` are in wire form already.
void serialise(const OriginRequest& request, const OriginUrl& origin, std::string& text) {
  text.clear();
  text.append(request.method).append(" ");
  if (request.target != "*") text.append(origin.path_prefix);
  text.append(request.target).append(" HTTP/1.1\r\n");
  text.append(request.fields.wire()).append("\r\n");
}

}  // namespace

Http1Owner::Http1Owner(storage::IoLoop& its_loop, OriginOptions its_options, storage::Counters& its_counters,
                       OriginAddresses::Resolve resolve)
    : loop(its_loop),
      options(std::move(its_options)),
      counters(its_counters),
      addresses(
          its_loop, options.origin,
          [this](const OriginAddresses::List& list, const std::string& why) { addresses_known(list, why); },
          std::move(resolve)),
      received(kReceiveBuffer) {}

Http1Connection::Http1Connection(Http1Owner& owner)
    : owner_(owner),
      reader_(owner.options.max_head),
      timer_(owner.loop.timer([this] { look_at_deadline(); })) {}

Http1Connection::~Http1Connection() {
  close_descriptor();
}

// ---- up ----

void Http1Connection::open(Http1Call& call) {
  FRESHET_CHECK(state_ == State::kClosed);
  call_ = &call;
  call.connection = this;
  kept_ = send_failed_ = paused_ = false;
  next_address_ = 0;
  connect_error_ = 0;
  give_up_connecting_ = storage::mono_now() + owner_.options.connect_timeout;
  state_ = State::kNaming;
  addresses_ = owner_.addresses.list();
  if (addresses_ != nullptr) return try_next_address();
  set_deadline(give_up_connecting_);
}

void Http1Connection::take_addresses(const OriginAddresses::List& list, const std::string& why) {
  addresses_ = list;
  if (addresses_ == nullptr) return fail(OriginFailure::kConnect, why);
  try_next_address();
}

// Each address has its share of the time that is left, so that one that does not answer leaves some to the
// next.
void Http1Connection::try_next_address() {
  state_ = State::kConnecting;
  while (next_address_ < addresses_->size()) {
    const auto left = static_cast<int>(addresses_->size() - next_address_);
    const MonoTime now = storage::mono_now();
    if (now >= give_up_connecting_) connect_error_ = ETIMEDOUT;
    if (now >= give_up_connecting_) break;
    if (next_address_ == 1) owner_.addresses.first_failed(addresses_);
    const SocketEnd& end = (*addresses_)[next_address_++];
    if (!try_address(end)) continue;
    if (state_ == State::kConnecting) set_deadline(now + (give_up_connecting_ - now) / left);
    return;
  }
  connect_failed();
}

bool Http1Connection::try_address(const SocketEnd& end) {
  descriptor_ = ::socket(end.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) {
    connect_error_ = errno;
    return false;
  }
  set_option(descriptor_, IPPROTO_TCP, TCP_NODELAY, 1);
  // An origin that is gone without a word in the middle of a body; a silent stream has no other bound.
  set_option(descriptor_, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor_, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
  set_option(descriptor_, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveSeconds / 4);
  const bool up = ::connect(descriptor_, generic(end.address), end.size) == 0;
  if (!up && errno != EINPROGRESS) {
    connect_error_ = errno;
    close_descriptor();
    return false;
  }
  watch_ = owner_.loop.watch(descriptor_, up ? IoInterest::kRead : IoInterest::kWrite,
                             [this](storage::IoReady ready) { on_ready(ready); });
  if (up) connected();
  return true;
}

void Http1Connection::connected() {
  owner_.counters.add(Counter::kOriginConnections);
  addresses_ = nullptr;
  begin_request(*call_);
}

void Http1Connection::connect_failed() {
  owner_.addresses.all_failed();
  const bool late = connect_error_ == ETIMEDOUT;
  const OriginFailure failure = is_local(connect_error_) ? OriginFailure::kLocal
                                : late                   ? OriginFailure::kTimeout
                                                         : OriginFailure::kConnect;
  const OriginUrl& origin = owner_.options.origin;
  fail(failure, "Failed to connect to " + origin.host + " port " + std::to_string(origin.port) + ": " +
                    text_of(connect_error_));
}

// ---- request ----

void Http1Connection::send(Http1Call& call) {
  FRESHET_CHECK(state_ == State::kIdle);
  call_ = &call;
  call.connection = this;
  begin_request(call);
}

void Http1Connection::begin_request(Http1Call& call) {
  state_ = State::kBusy;
  reader_.begin(call.request.method == "HEAD", *call.handler);
  line_.clear();
  if (!std::exchange(call.announced, true)) {
    call.handler->on_sent();
    if (call_ == nullptr) return;
  }
  write_request();
}

void Http1Connection::write_request() {
  std::string& text = owner_.request_text;
  serialise(call_->request, owner_.options.origin, text);
  ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    // Who has closed may have said why; reading finds that out.
    send_failed_ = errno == EPIPE || errno == ECONNRESET;
    const bool later = errno == EAGAIN || errno == EINTR;
    if (!send_failed_ && !later) return fail(OriginFailure::kLocal, "Send failure: " + text_of(errno));
    sent = send_failed_ ? static_cast<ssize_t>(text.size()) : 0;
  }
  unsent_.assign(text, static_cast<std::size_t>(sent));
  update_interest();
  response_clock_starts();
}

void Http1Connection::write_rest() {
  const ssize_t sent = ::send(descriptor_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
  if (sent >= 0) {
    unsent_.erase(0, static_cast<std::size_t>(sent));
  } else if (errno != EAGAIN && errno != EINTR) {
    send_failed_ = true;
    unsent_.clear();
  }
  update_interest();
}

// ---- response ----

void Http1Connection::on_ready(storage::IoReady ready) {
  if (state_ == State::kConnecting) {
    socklen_t size = sizeof(connect_error_);
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &connect_error_, &size);
    if (connect_error_ == 0) return connected();
    close_descriptor();
    return try_next_address();
  }
  if (ready.writable && !unsent_.empty()) write_rest();
  if (ready.readable) read();
}

// Once for each time that there is something: what a fast origin has more waits for the loop's next turn, as
// everybody does.
void Http1Connection::read() {
  const ssize_t size = ::recv(descriptor_, owner_.received.data(), owner_.received.size(), 0);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return stream_broken(errno);
  }
  if (size == 0) return stream_ended();
  if (state_ == State::kIdle) {  // it speaks unasked
    close();
    return owner_.ended_idle(*this);
  }
  if (reader_.has_head() && owner_.options.progress_timeout.count() > 0) {
    set_deadline(storage::mono_now() + owner_.options.progress_timeout);
  }
  take({owner_.received.data(), static_cast<std::size_t>(size)});
}

void Http1Connection::take(std::string_view bytes) {
  while (!reader_.has_head()) {
    if (!take_line(bytes)) return;
  }
  if (!bytes.empty()) take_body(bytes);
}

bool Http1Connection::take_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) {
    line_.append(bytes);
    const auto step = line_.empty() ? ResponseReader::Step::kMore : reader_.check_partial_line(line_);
    if (step == ResponseReader::Step::kFailed) {
      OriginError error = reader_.take_error();
      fail(error.failure, std::move(error.detail));
    }
    return false;
  }
  std::string_view line = bytes.substr(0, end + 1);
  bytes.remove_prefix(end + 1);
  if (!line_.empty()) line = line_.append(line);
  const auto step = reader_.read_line(line, bytes.size());
  line_.clear();
  switch (step) {
    case ResponseReader::Step::kMore:
      return true;
    case ResponseReader::Step::kInformational:
      response_clock_starts();
      return true;
    case ResponseReader::Step::kHead:
      if (reader_.has_no_body()) {
        whole(bytes.empty());
        return false;
      }
      head_taken();
      return true;
    case ResponseReader::Step::kFailed: {
      OriginError error = reader_.take_error();
      fail(error.failure, std::move(error.detail));
      return false;
    }
    default:
      return false;
  }
}

void Http1Connection::head_taken() {
  due_.reset();
  if (owner_.options.progress_timeout.count() > 0) {
    set_deadline(storage::mono_now() + owner_.options.progress_timeout);
  }
}

void Http1Connection::take_body(std::string_view bytes) {
  std::size_t used = 0;
  switch (reader_.read_body(bytes, used)) {
    case ResponseReader::Step::kPaused:
      paused_ = true;
      held_.assign(bytes.substr(used));
      return update_interest();
    case ResponseReader::Step::kWhole:
      return whole(used == bytes.size());
    case ResponseReader::Step::kFailed: {
      OriginError error = reader_.take_error();
      return fail(error.failure, std::move(error.detail));
    }
    default:
      return;
  }
}

void Http1Connection::resume() {
  if (!paused_) return;
  paused_ = false;
  if (due_) set_deadline(storage::mono_now() + owner_.options.progress_timeout);
  const std::string held = std::exchange(held_, {});
  take_body(held);
  if (watch_ != nullptr) update_interest();
}

// ---- the end ----

Http1Call& Http1Connection::detach() {
  Http1Call& call = *std::exchange(call_, nullptr);
  call.connection = nullptr;
  if (state_ == State::kBusy) {
    owner_.counters.add(Counter::kOriginBodyBytes, static_cast<std::int64_t>(reader_.received()));
    reader_.let_go();
  }
  return call;
}

// `clean`: nothing came behind it.
void Http1Connection::whole(bool clean) {
  Http1Call& call = detach();
  if (clean && !reader_.must_close() && !send_failed_ && unsent_.empty() &&
      owner_.options.idle_timeout.count() > 0) {
    state_ = State::kIdle;
    kept_ = true;
    idle_since_ = storage::mono_now();
    set_deadline(idle_since_ + owner_.options.idle_timeout);
  } else {
    close();
  }
  owner_.completed(*this, call, reader_.take_trailers());
}

void Http1Connection::stream_ended() {
  if (state_ == State::kIdle) {
    close();
    return owner_.ended_idle(*this);
  }
  if (kept_ && !reader_.began() && line_.empty()) return died();
  if (auto missing = reader_.missing_at_end()) return fail(missing->failure, std::move(missing->detail));
  whole(false);
}

void Http1Connection::stream_broken(int os_error) {
  if (state_ == State::kIdle) {
    close();
    return owner_.ended_idle(*this);
  }
  if (kept_ && !reader_.began() && line_.empty()) return died();
  fail(reader_.broken(), "Recv failure: " + text_of(os_error));
}

// A kept connection, before any byte of an answer.
void Http1Connection::died() {
  const std::string& method = call_->request.method;
  if (!storage::is_idempotent(storage::method_from(method))) {
    return fail(OriginFailure::kReset, "the kept connection died; " + method + " is not sent twice");
  }
  Http1Call& call = detach();
  close();
  owner_.was_dead(*this, call);
}

void Http1Connection::fail(OriginFailure failure, std::string detail) {
  Http1Call& call = detach();
  close();
  owner_.failed(*this, call, OriginError{failure, std::move(detail)});
}

void Http1Connection::let_go() {
  detach();
  close();
}

void Http1Connection::close() {
  close_descriptor();
  state_ = State::kClosed;
  addresses_ = nullptr;
  due_.reset();
  paused_ = false;
  unsent_.clear();
  held_.clear();
}

void Http1Connection::close_descriptor() {
  watch_.reset();
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

bool Http1Connection::is_fit() const {
  if (storage::mono_now() - idle_since_ >= owner_.options.idle_timeout) return false;
  char byte = 0;
  return ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void Http1Connection::update_interest() {
  const bool write = !unsent_.empty();
  if (paused_) {
    watch_->set_interest(write ? IoInterest::kWrite : IoInterest::kNone);
  } else {
    watch_->set_interest(write ? IoInterest::kReadWrite : IoInterest::kRead);
  }
}

// ---- time ----

void Http1Connection::response_clock_starts() {
  set_deadline(storage::mono_now() + owner_.options.response_timeout);
}

void Http1Connection::set_deadline(MonoTime due) {
  due_ = due;
  if (timer_due_ && *timer_due_ <= due) return;
  timer_due_ = due;
  const auto left = std::chrono::ceil<Milliseconds>(due - storage::mono_now());
  timer_->arm(std::max(left, Milliseconds{0}));
}

void Http1Connection::look_at_deadline() {
  timer_due_.reset();
  if (!due_) return;
  if (storage::mono_now() < *due_) return set_deadline(*due_);
  due_.reset();
  expired();
}

void Http1Connection::expired() {
  switch (state_) {
    case State::kClosed:
      return;
    case State::kNaming:
      return fail(OriginFailure::kTimeout, "Resolving " + owner_.options.origin.host + " took too long");
    case State::kConnecting:
      connect_error_ = ETIMEDOUT;
      close_descriptor();
      return try_next_address();
    case State::kBusy:
      // The clock stands still while the delay is ours.
      if (paused_) return set_deadline(storage::mono_now() + owner_.options.progress_timeout);
      return fail(OriginFailure::kTimeout,
                  reader_.has_head() ? "the response body stands still" : "no response in time");
    case State::kIdle:
      close();
      return owner_.ended_idle(*this);
  }
}

}  // namespace freshet::revalidate
