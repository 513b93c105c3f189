#include "proxy/net/tls_connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <system_error>
#include <utility>

#include "proxy/net/tls_context.h"
#include "storage/base/check.h"

namespace freshet::proxy {

namespace {

// What another use of the library on this thread (the origin client) has left would be taken for ours.
void forget_old_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// The bytes of `pieces`, from `offset` of the first on, that the next record carries: where they stand if
// they fill it or are all there is, else put together in the scratch.
std::string_view next_record(const iovec* pieces, std::size_t count, std::size_t offset,
                             std::array<char, TlsWorker::kRecord>& scratch) {
  const char* const first = static_cast<const char*>(pieces[0].iov_base) + offset;
  const std::size_t left = pieces[0].iov_len - offset;
  if (left >= TlsWorker::kRecord || count == 1) return {first, std::min(left, TlsWorker::kRecord)};
  std::memcpy(scratch.data(), first, left);
  std::size_t size = left;
  for (std::size_t i = 1; i < count && size < TlsWorker::kRecord; ++i) {
    const std::size_t take = std::min(pieces[i].iov_len, TlsWorker::kRecord - size);
    std::memcpy(scratch.data() + size, pieces[i].iov_base, take);
    size += take;
  }
  return {scratch.data(), size};
}

}  // namespace

void TlsConnection::Release::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

TlsWorker::TlsWorker(EventLoop& loop, CoarseTimers& timers, storage::Milliseconds idle)
    : loop_(loop), timers_(timers), looks_(timers.list(idle)), next_look_([this] { look(); }) {}

void TlsWorker::look() {
  for (std::size_t i = holding_.size(); i > 0; --i) {
    TlsConnection& connection = *holding_[i - 1];
    if (std::exchange(connection.used_, false)) continue;
    // Not while half a record waits in them.
    if (SSL_free_buffers(connection.ssl_.get()) == 1) connection.leave_holding();
  }
  if (!holding_.empty()) timers_.arm(next_look_, looks_, loop_.mono_time());
}

TlsConnection::TlsConnection(std::shared_ptr<const TlsContext> context, TlsWorker& worker, int descriptor)
    : context_(std::move(context)), worker_(worker), ssl_(SSL_new(context_->handle())) {
  FRESHET_CHECK(ssl_ != nullptr);
  FRESHET_CHECK(SSL_set_fd(ssl_.get(), descriptor) == 1);
  SSL_set_accept_state(ssl_.get());
  FRESHET_CHECK(SSL_set_app_data(ssl_.get(), this) == 1);
  SSL_set_info_callback(ssl_.get(), &TlsConnection::heard_message);
}

TlsConnection::~TlsConnection() {
  if (place_ != kNowhere) leave_holding();
}

// Before whatever may make the library take its buffers.
void TlsConnection::use_buffers() {
  used_ = true;
  if (place_ != kNowhere) return;
  place_ = worker_.holding_.size();
  worker_.holding_.push_back(this);
  if (!worker_.next_look_.armed()) {
    worker_.timers_.arm(worker_.next_look_, worker_.looks_, worker_.loop_.mono_time());
  }
}

void TlsConnection::leave_holding() {
  TlsConnection* const last = worker_.holding_.back();
  worker_.holding_[place_] = last;
  last->place_ = place_;
  worker_.holding_.pop_back();
  place_ = kNowhere;
}

bool TlsConnection::heard() const {
  return BIO_number_read(SSL_get_rbio(ssl_.get())) > 0;
}

bool TlsConnection::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

std::string_view TlsConnection::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

TransportOutcome TlsConnection::outcome_of(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  switch (error) {
    case SSL_ERROR_WANT_READ:
      return TransportOutcome::kBlocked;
    case SSL_ERROR_WANT_WRITE:
      waits_for_room_ = true;
      return TransportOutcome::kBlocked;
    case SSL_ERROR_ZERO_RETURN:
      return TransportOutcome::kEnd;
    default:
      broken_ = true;
      note_failure(error);
      ERR_clear_error();
      return TransportOutcome::kBroken;
  }
}

void TlsConnection::note_failure(int error) {
  const int system_error = errno;
  const unsigned long first = ERR_peek_error();
  const bool is_ssl = error == SSL_ERROR_SSL && ERR_GET_LIB(first) == ERR_LIB_SSL;
  plain_http_ = is_ssl && ERR_GET_REASON(first) == SSL_R_HTTP_REQUEST;
  if (is_ssl && ERR_GET_REASON(first) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    failure_ = std::string("the client's certificate: ") +
               X509_verify_cert_error_string(SSL_get_verify_result(ssl_.get()));
  } else if (const char* reason = ERR_reason_error_string(first); reason != nullptr) {
    failure_ = reason;
  } else {
    failure_ = system_error == 0 ? "the client left" : std::system_category().message(system_error);
  }
}

TransportOutcome TlsConnection::handshake() {
  if (broken_) return TransportOutcome::kBroken;
  waits_for_room_ = false;
  use_buffers();
  forget_old_errors();
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    // What came behind the client's last word.
    holds_input_ = SSL_has_pending(ssl_.get()) == 1;
    established_ = true;
    return TransportOutcome::kDone;
  }
  const TransportOutcome outcome = outcome_of(result);
  return outcome == TransportOutcome::kBroken && !heard() ? TransportOutcome::kEnd : outcome;
}

void TlsConnection::heard_message(const SSL* ssl, int where, int /*result*/) {
  if ((where & SSL_CB_LOOP) != 0) static_cast<TlsConnection*>(SSL_get_app_data(ssl))->count_message();
}

void TlsConnection::count_message() {
  if (!established_) return;
  const storage::MonoTime now = worker_.loop_.mono_time();
  if (now - messages_since_ >= kMessageSpan) {
    messages_since_ = now;
    messages_ = 0;
  }
  ++messages_;
}

TransportOutcome TlsConnection::read(char* buffer, std::size_t capacity, std::size_t& got) {
  got = 0;
  holds_input_ = waits_for_room_ = false;
  if (broken_) return TransportOutcome::kBroken;
  use_buffers();
  forget_old_errors();
  while (got < capacity) {
    std::size_t some = 0;
    const int result = SSL_read_ex(ssl_.get(), buffer + got, capacity - got, &some);
    if (messages_ > kMostMessages) {
      broken_ = true;
      failure_ = "too many messages of TLS itself";
      ERR_clear_error();
      return TransportOutcome::kBroken;
    }
    if (result != 1) {
      const TransportOutcome outcome = outcome_of(result);
      if (got == 0) return outcome;
      // The next call tells it.
      holds_input_ = outcome != TransportOutcome::kBlocked;
      return TransportOutcome::kDone;
    }
    got += some;
    // Several records may have come in one read of the socket.
    if (SSL_has_pending(ssl_.get()) == 0) return TransportOutcome::kDone;
  }
  holds_input_ = true;
  return TransportOutcome::kDone;
}

TransportOutcome TlsConnection::write(const iovec* pieces, std::size_t count, std::size_t& written) {
  written = 0;
  if (broken_) return TransportOutcome::kBroken;
  use_buffers();
  forget_old_errors();
  std::size_t offset = 0;
  while (count > 0) {
    if (pieces->iov_len == offset) {
      ++pieces;
      --count;
      offset = 0;
      continue;
    }
    // After kBlocked the library wants the same bytes again, and no fewer; ours are what stands first in the
    // output, which only grows.
    const std::string_view record = next_record(pieces, count, offset, worker_.scratch_);
    std::size_t took = 0;
    const int result = SSL_write_ex(ssl_.get(), record.data(), record.size(), &took);
    if (result != 1) {
      const bool reading_waits = waits_for_room_;
      const TransportOutcome outcome = outcome_of(result);
      waits_for_room_ = reading_waits;
      return outcome == TransportOutcome::kBlocked ? outcome : TransportOutcome::kBroken;
    }
    written += took;
    for (took += offset; count > 0 && took >= pieces->iov_len; --count) took -= (pieces++)->iov_len;
    offset = took;
  }
  return TransportOutcome::kDone;
}

TransportOutcome TlsConnection::say_end() {
  if (broken_) return TransportOutcome::kBroken;
  use_buffers();
  forget_old_errors();
  const int result = SSL_shutdown(ssl_.get());
  if (result >= 0) return TransportOutcome::kDone;  // 0: the client has not said it yet, and need not
  const bool reading_waits = waits_for_room_;
  const TransportOutcome outcome = outcome_of(result);
  waits_for_room_ = reading_waits;
  return outcome == TransportOutcome::kEnd ? TransportOutcome::kDone : outcome;
}

}  // namespace freshet::proxy
