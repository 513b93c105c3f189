#include "revalidate/origin/curl_transfer.h"

#include <algorithm>
#include <cerrno>
#include <unistd.h>
#include <utility>

#include "storage/base/check.h"
#include "storage/http/method.h"

namespace freshet::revalidate {

namespace {

using storage::Counter;

constexpr long kKeepAliveSeconds = 20;
constexpr long kReceiveBuffer = 256L << 10;

OriginFailure failure_from(CURLcode code, bool has_head, long os_error) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return os_error == EMFILE || os_error == ENFILE || os_error == ENOMEM || os_error == EADDRNOTAVAIL
                 ? OriginFailure::kLocal
                 : OriginFailure::kConnect;
    case CURLE_OPERATION_TIMEDOUT:
      return OriginFailure::kTimeout;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
      return OriginFailure::kTls;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // not HTTP/1.x
    case CURLE_FILESIZE_EXCEEDED:     // a Content-Length over 2^63
    case CURLE_BAD_CONTENT_ENCODING:
      return OriginFailure::kMalformed;
    case CURLE_OUT_OF_MEMORY:  // also how curl says "a field line over 100 KiB"
      return has_head ? OriginFailure::kLocal : OriginFailure::kTooLarge;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_PARTIAL_FILE:
      return has_head ? OriginFailure::kTruncated : OriginFailure::kReset;
    default:
      return OriginFailure::kLocal;
  }
}

}  // namespace

CurlTransfer::CurlTransfer(const CurlClient::Options& options, storage::IoLoop& loop, IdleConnections& idle,
                           storage::Counters& counters, std::function<void(CurlTransfer&)> timed_out)
    : options_(options),
      idle_(idle),
      counters_(counters),
      timed_out_(std::move(timed_out)),
      watchdog_(loop.timer([this] { watch_progress(); })),
      easy_(curl_easy_init()),
      reader_(options.max_head) {
  FRESHET_CHECK(easy_ != nullptr);
  set_constants(options);
}

CurlTransfer::~CurlTransfer() {
  curl_easy_cleanup(easy_);
}

template <typename Value>
void CurlTransfer::set(CURLoption option, Value value) {
  FRESHET_CHECK(curl_easy_setopt(easy_, option, value) == CURLE_OK);
}

void CurlTransfer::set_constants(const CurlClient::Options& options) {
  set(CURLOPT_URL, options.origin.base().append("/").c_str());
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_ERRORBUFFER, error_text_.data());
  set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_HTTP_TRANSFER_DECODING, 0L);  // chunked_reader does it, strictly
  set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // else a call that is ended waits for its name's resolution
  set(CURLOPT_PROXY, "");       // whatever the environment says
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options.ca_file.empty()) {
    set(CURLOPT_CAINFO, options.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));  // that file alone
  }
  // An origin that is gone without a word in the middle of a body; a silent stream has no other bound.
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  set(CURLOPT_TCP_KEEPINTVL, kKeepAliveSeconds / 4);
  if (options.idle_timeout.count() == 0) set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_MAXAGE_CONN, std::max(1L, static_cast<long>(options.idle_timeout.count() / 1000)));
  set(CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &CurlTransfer::on_write);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_READFUNCTION, &CurlTransfer::on_read);
  set(CURLOPT_READDATA, this);
  set(CURLOPT_PREREQFUNCTION, &CurlTransfer::on_request);
  set(CURLOPT_PREREQDATA, this);
  set(CURLOPT_DEBUGFUNCTION, &CurlTransfer::on_text);
  set(CURLOPT_DEBUGDATA, this);
  set(CURLOPT_VERBOSE, options.origin.tls ? 1L : 0L);
  set(CURLOPT_CLOSESOCKETFUNCTION, &CurlTransfer::on_close);
  set(CURLOPT_CLOSESOCKETDATA, &idle_);
}

void CurlTransfer::begin(OriginRequest request, OriginHandler& handler, UploadSource* upload) {
  request_ = std::move(request);
  upload_ = upload;
  reader_.begin(request_.method == "HEAD", handler);
  error_text_[0] = '\0';
  error_.reset();
  whole_ = want_fresh_ = close_notified_ = allowed_to_send_ = receive_paused_ = send_paused_ = false;
  upload_done_ = !request_.has_body;
  connects_ = 0;
  uploaded_ = 0;
  handed_on_ = 0;
  set_method();
  const bool whole_target = options_.origin.path_prefix.empty() || request_.target == "*";
  set(CURLOPT_REQUEST_TARGET,
      whole_target ? request_.target.c_str() : (options_.origin.path_prefix + request_.target).c_str());
  set(CURLOPT_HTTPHEADER, header_list_.build(request_.fields));
}

void CurlTransfer::set_method() {
  const bool is_head = request_.method == "HEAD";
  if (request_.has_body) {
    set(CURLOPT_UPLOAD, 1L);
    const auto size = request_.body_size ? static_cast<curl_off_t>(*request_.body_size) : curl_off_t{-1};
    set(CURLOPT_INFILESIZE_LARGE, size);
  } else if (is_head) {
    set(CURLOPT_UPLOAD, 0L);
    set(CURLOPT_NOBODY, 1L);
  } else {
    set(CURLOPT_HTTPGET, 1L);
  }
  const bool by_itself = !request_.has_body && (is_head || request_.method == "GET");
  set(CURLOPT_CUSTOMREQUEST, by_itself ? nullptr : request_.method.c_str());
}

void CurlTransfer::begin_again() {
  error_.reset();
  want_fresh_ = false;
  connects_ = 0;
  fresh_connect_ = true;
  set(CURLOPT_FRESH_CONNECT, 1L);
}

void CurlTransfer::abandon() {
  reader_.let_go();
  upload_ = nullptr;
  call = nullptr;
  watchdog_->cancel();
}

void CurlTransfer::end() {
  abandon();
  unpause_receive = unpause_send = false;
  if (has_head() && !options_.origin.tls) set(CURLOPT_VERBOSE, 0L);
  if (forbids_reuse_) set(CURLOPT_FORBID_REUSE, options_.idle_timeout.count() == 0 ? 1L : 0L);
  if (fresh_connect_) set(CURLOPT_FRESH_CONNECT, 0L);
  forbids_reuse_ = fresh_connect_ = false;
  counters_.add(Counter::kOriginBodyBytes, static_cast<std::int64_t>(reader_.received()));
}

void CurlTransfer::unpause(bool receive, bool send) {
  if (receive) receive_paused_ = false;
  if (send) send_paused_ = false;
  last_activity_ = storage::mono_now();
  const int still = (receive_paused_ ? CURLPAUSE_RECV : 0) | (send_paused_ ? CURLPAUSE_SEND : 0);
  curl_easy_pause(easy_, still);  // an error comes again as the transfer's
}

// ---- what curl calls ----

std::size_t CurlTransfer::on_header(char* bytes, std::size_t one, std::size_t size, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (transfer.handler() == nullptr) return 0;
  return transfer.header_line({bytes, one * size}) ? one * size : 0;
}

std::size_t CurlTransfer::on_write(char* bytes, std::size_t one, std::size_t size, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (transfer.handler() == nullptr) return 0;
  switch (transfer.body_bytes({bytes, one * size})) {
    case Taken::kAll:
      return one * size;
    case Taken::kPaused:
      return CURL_WRITEFUNC_PAUSE;
    case Taken::kStop:
      break;
  }
  return 0;
}

std::size_t CurlTransfer::on_read(char* buffer, std::size_t one, std::size_t capacity, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (transfer.handler() == nullptr) return CURL_READFUNC_ABORT;
  return transfer.upload_bytes(buffer, one * capacity);
}

int CurlTransfer::on_request(void* self, char* ip, char* local_ip, int /*port*/, int local_port) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  transfer.ends_.assign(ip).append(" ").append(local_ip).append(" ").append(std::to_string(local_port));
  return transfer.handler() != nullptr && transfer.may_send() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

// Two things curl tells in words alone: that bytes followed a bodyless answer (it would use the connection
// again), and that TLS was closed properly (it takes any end of the connection for the end of a body). Words
// cost time, so with plain TCP they are switched on only once the final head has come.
int CurlTransfer::on_text(CURL* /*easy*/, curl_infotype type, char* text, std::size_t size, void* self) {
  if (type != CURLINFO_TEXT) return 0;
  auto& transfer = *static_cast<CurlTransfer*>(self);
  const std::string_view said(text, size);
  if (said.find("Excess found") != std::string_view::npos) transfer.forbid_reuse();
  if (said.find("(IN), TLS alert, close notify") != std::string_view::npos) transfer.close_notified_ = true;
  return 0;
}

int CurlTransfer::on_close(void* idle, curl_socket_t descriptor) {
  static_cast<IdleConnections*>(idle)->closed(descriptor);
  ::close(descriptor);
  return 0;
}

// ---- request ----

// The connection is there. False: do not send on it.
bool CurlTransfer::may_send() {
  const bool again = std::exchange(allowed_to_send_, true);
  if (again && !storage::is_idempotent(storage::method_from(request_.method))) {
    return fail(OriginFailure::kReset, "the kept connection died; " + request_.method + " is not sent twice");
  }
  long connects = 0;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &connects);
  const bool fresh = connects > connects_;
  connects_ = connects;
  if (fresh) {
    counters_.add(Counter::kOriginConnections);
  } else if (!idle_.take(ends_)) {
    allowed_to_send_ = again;
    want_fresh_ = true;
    return false;
  }
  if (!again) {
    handler()->on_sent();
    if (handler() == nullptr) return false;
  }
  last_activity_ = storage::mono_now();
  watchdog_->arm(options_.response_timeout);
  return true;
}

std::size_t CurlTransfer::upload_bytes(char* buffer, std::size_t capacity) {
  if (request_.body_size) {
    capacity = static_cast<std::size_t>(std::min<std::uint64_t>(capacity, *request_.body_size - uploaded_));
    if (capacity == 0) {
      upload_done_ = true;
      return 0;
    }
  }
  std::size_t size = 0;
  const auto next = upload_ != nullptr ? upload_->next(buffer, capacity, size) : UploadSource::Next::kEnd;
  if (handler() == nullptr) return CURL_READFUNC_ABORT;
  last_activity_ = storage::mono_now();
  switch (next) {
    case UploadSource::Next::kData:
      FRESHET_CHECK(size > 0 && size <= capacity);
      uploaded_ += size;
      upload_done_ = request_.body_size == uploaded_;
      return size;
    case UploadSource::Next::kWait:
      send_paused_ = true;
      return CURL_READFUNC_PAUSE;
    case UploadSource::Next::kEnd:
      upload_done_ = true;
      if (!request_.body_size) return 0;
      fail(OriginFailure::kUploadFailed, "the request body is shorter than announced");
      return CURL_READFUNC_ABORT;
    case UploadSource::Next::kFailed:
      break;
  }
  fail(OriginFailure::kUploadFailed, "the request body broke off");
  return CURL_READFUNC_ABORT;
}

// ---- response ----

bool CurlTransfer::header_line(std::string_view line) {
  switch (reader_.read_line(line)) {
    case ResponseReader::Step::kMore:
      return true;
    case ResponseReader::Step::kInformational:
      last_activity_ = storage::mono_now();
      return true;
    case ResponseReader::Step::kHead:
      return final_head();
    case ResponseReader::Step::kFailed:
      error_ = reader_.take_error();
      return false;
    default:
      return false;
  }
}

bool CurlTransfer::final_head() {
  last_activity_ = storage::mono_now();
  if (!options_.origin.tls) set(CURLOPT_VERBOSE, 1L);
  if (reader_.must_close()) forbid_reuse();
  if (options_.progress_timeout.count() > 0) {
    watchdog_->arm(options_.progress_timeout);
  } else {
    watchdog_->cancel();
  }
  if (!reader_.has_no_body()) return true;
  if (response_is_whole()) return false;
  // Where the framing fields do not fit a bodyless answer curl might wait for a body.
  whole_ = reader_.must_close() || (request_.has_body && request_.method == "HEAD");
  return !whole_;
}

// Every byte of the response is there. True if curl must be stopped, since it would go on sending the
// request.
bool CurlTransfer::response_is_whole() {
  if (upload_done_) return false;
  whole_ = true;
  return true;
}

CurlTransfer::Taken CurlTransfer::body_bytes(std::string_view bytes) {
  last_activity_ = storage::mono_now();
  if (!has_head()) {
    fail(OriginFailure::kMalformed, "a body without a head");
    return Taken::kStop;
  }
  const std::size_t again = std::min(handed_on_, bytes.size());  // shown before, up to where we paused
  handed_on_ -= again;
  const std::string_view rest = bytes.substr(again);
  std::size_t used = 0;
  switch (reader_.read_body(rest, used)) {
    case ResponseReader::Step::kPaused:
      receive_paused_ = true;
      handed_on_ += again + used;
      return Taken::kPaused;
    case ResponseReader::Step::kWhole:
      if (used < rest.size()) forbid_reuse();
      return response_is_whole() ? Taken::kStop : Taken::kAll;
    case ResponseReader::Step::kFailed:
      error_ = reader_.take_error();
      return Taken::kStop;
    case ResponseReader::Step::kGone:
      return Taken::kStop;
    default:
      return Taken::kAll;
  }
}

// ---- the end ----

bool CurlTransfer::fail(OriginFailure failure, std::string detail) {
  if (!error_) error_ = OriginError{failure, std::move(detail)};
  return false;
}

void CurlTransfer::forbid_reuse() {
  forbids_reuse_ = true;
  set(CURLOPT_FORBID_REUSE, 1L);
}

// The clock stands still while the delay is ours: a paused body, or an upload that waits for its client.
void CurlTransfer::watch_progress() {
  const storage::Milliseconds limit = has_head() ? options_.progress_timeout : options_.response_timeout;
  const bool ours = has_head() ? receive_paused_ : send_paused_;
  const auto silent = std::chrono::duration_cast<storage::Milliseconds>(storage::mono_now() - last_activity_);
  if (ours) return watchdog_->arm(limit);
  if (silent < limit) return watchdog_->arm(limit - silent);
  fail(OriginFailure::kTimeout, has_head() ? "the response body stands still" : "no response in time");
  timed_out_(*this);
}

OriginError CurlTransfer::error_from(CURLcode code) const {
  long os_error = 0;
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error);
  OriginError error;
  error.failure = failure_from(code, has_head(), os_error);
  error.detail = error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code);
  return error;
}

CurlTransfer::Verdict CurlTransfer::verdict(CURLcode code) {
  Verdict verdict;
  const bool unsealed =
      reader_.framing() == BodyFraming::kUntilClose && options_.origin.tls && !close_notified_;
  if (want_fresh_) {
    verdict.end = End::kAgain;
  } else if (error_) {
    verdict.error = std::move(*error_);
  } else if (!whole_ && code != CURLE_OK) {
    verdict.error = error_from(code);
  } else if (has_head() && unsealed) {
    verdict.error = OriginError{OriginFailure::kTruncated, "the connection ended without TLS close_notify"};
  } else if (auto missing = reader_.missing_at_end()) {
    verdict.error = std::move(*missing);
  } else {
    verdict.end = End::kComplete;
    verdict.trailers = reader_.take_trailers();
  }
  if (code == CURLE_OK) {
    curl_socket_t descriptor = CURL_SOCKET_BAD;
    curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &descriptor);
    if (descriptor != CURL_SOCKET_BAD) idle_.went_idle(ends_, descriptor);
  }
  return verdict;
}

}  // namespace freshet::revalidate
