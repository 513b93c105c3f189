#include "revalidate/origin/curl_sockets.h"

#include <curl/curl.h>
#include <utility>

#include "storage/base/check.h"

namespace freshet::revalidate {

namespace {

storage::IoInterest interest_from(int what) {
  switch (what) {
    case CURL_POLL_IN:
      return storage::IoInterest::kRead;
    case CURL_POLL_OUT:
      return storage::IoInterest::kWrite;
    case CURL_POLL_INOUT:
      return storage::IoInterest::kReadWrite;
    default:
      return storage::IoInterest::kNone;
  }
}

}  // namespace

CurlSockets::CurlSockets(storage::IoLoop& loop, void* multi, std::function<void()> after)
    : loop_(loop), multi_(multi), after_(std::move(after)) {
  timer_ = loop_.timer([this] { act(CURL_SOCKET_TIMEOUT, 0); });
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlSockets::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlSockets::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

void CurlSockets::run(const std::function<void()>& work) {
  FRESHET_CHECK(!in_curl_);
  in_curl_ = true;
  work();
  in_curl_ = false;
  after_();
}

void CurlSockets::act(int descriptor, int ready) {
  run([this, descriptor, ready] {
    int running = 0;
    curl_multi_socket_action(multi_, descriptor, ready, &running);
  });
}

int CurlSockets::on_socket(void* /*easy*/, int descriptor, int what, void* self, void* /*unused*/) {
  static_cast<CurlSockets*>(self)->watch(descriptor, what);
  return 0;
}

void CurlSockets::watch(int descriptor, int what) {
  const auto found = watches_.find(descriptor);
  if (found != watches_.end()) {
    found->second->set_interest(interest_from(what));
    return;
  }
  if (what == CURL_POLL_REMOVE) return;
  watches_[descriptor] =
      loop_.watch(descriptor, interest_from(what), [this, descriptor](storage::IoReady ready) {
        act(descriptor, (ready.readable ? CURL_CSELECT_IN : 0) | (ready.writable ? CURL_CSELECT_OUT : 0));
      });
}

int CurlSockets::on_timer(void* /*multi*/, long milliseconds, void* self) {
  auto& sockets = *static_cast<CurlSockets*>(self);
  if (milliseconds < 0) {
    sockets.timer_->cancel();
  } else {
    sockets.timer_->arm(storage::Milliseconds{milliseconds});
  }
  return 0;
}

}  // namespace freshet::revalidate
