#include "revalidate/origin/curl_client.h"

#include <algorithm>
#include <curl/curl.h>
#include <mutex>
#include <unistd.h>
#include <utility>
#include <vector>

#include "revalidate/origin/curl_sockets.h"
#include "revalidate/origin/curl_transfer.h"
#include "revalidate/origin/idle_connections.h"
#include "storage/base/check.h"

namespace freshet::revalidate {

// What a caller holds. `transfer_` is null once the call has ended.
class CurlCall final : public OriginCall {
 public:
  CurlCall(CurlTransfer& transfer, std::function<void(CurlTransfer&)> abandon,
           std::function<void(CurlTransfer&)> unpause)
      : transfer_(&transfer), abandon_(std::move(abandon)), unpause_(std::move(unpause)) {}
  ~CurlCall() override {
    if (transfer_ != nullptr) abandon_(*std::exchange(transfer_, nullptr));
  }

  void resume() override {
    if (transfer_ == nullptr) return;
    transfer_->unpause_receive = true;
    unpause_(*transfer_);
  }
  void upload_ready() override {
    if (transfer_ == nullptr) return;
    transfer_->unpause_send = true;
    unpause_(*transfer_);
  }
  void ended() { transfer_ = nullptr; }

 private:
  CurlTransfer* transfer_;
  std::function<void(CurlTransfer&)> abandon_;
  std::function<void(CurlTransfer&)> unpause_;
};

class CurlClient::Impl {
 public:
  Impl(storage::IoLoop& loop, Options options, storage::Counters& counters)
      : loop_(loop),
        options_(std::move(options)),
        counters_(counters),
        idle_(loop, options_.idle_timeout),
        multi_(new_multi(options_)),
        sockets_(loop, multi_, [this] { collect(); }),
        later_(loop.timer([this] { do_what_was_put_off(); })) {}

  ~Impl() {
    for (const auto& transfer : transfers_) {
      if (transfer->call != nullptr) transfer->call->ended();
      transfer->abandon();
      if (transfer->in_multi) curl_multi_remove_handle(multi_, transfer->easy());
    }
    transfers_.clear();
    curl_multi_cleanup(multi_);
  }

  std::unique_ptr<OriginCall> start(OriginRequest request, OriginHandler& handler, UploadSource* upload) {
    CurlTransfer& transfer = idle_transfer();
    transfer.begin(std::move(request), handler, upload);
    auto call = std::make_unique<CurlCall>(
        transfer, [this](CurlTransfer& each) { abandon(each); },
        [this](CurlTransfer& each) { unpause(each); });
    transfer.call = call.get();
    add(transfer);
    return call;
  }

 private:
  static CURLM* new_multi(const Options& options) {
    static std::once_flag once;
    std::call_once(once, [] { FRESHET_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
    CURLM* multi = curl_multi_init();
    FRESHET_CHECK(multi != nullptr);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(options.max_idle_connections));
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    return multi;
  }

  CurlTransfer& idle_transfer() {
    if (free_.empty()) {
      transfers_.push_back(std::make_unique<CurlTransfer>(
          options_, loop_, idle_, counters_,
          [this](CurlTransfer& late) { finish(late, CURLE_OPERATION_TIMEDOUT); }));
      return *transfers_.back();
    }
    CurlTransfer& transfer = *free_.back();
    free_.pop_back();
    return transfer;
  }

  void add(CurlTransfer& transfer) {
    if (sockets_.in_curl()) {
      to_add_.push_back(&transfer);
      return;
    }
    transfer.in_multi = curl_multi_add_handle(multi_, transfer.easy()) == CURLM_OK;
    if (transfer.in_multi) return;
    refused_.push_back(&transfer);
    later_->arm(storage::Milliseconds{0});
  }

  // The caller has let go.
  void abandon(CurlTransfer& transfer) {
    transfer.abandon();
    if (sockets_.in_curl()) {
      doomed_.push_back(&transfer);
    } else {
      recycle(transfer);
    }
  }

  void recycle(CurlTransfer& transfer) {
    for (auto* list : {&to_add_, &to_unpause_, &refused_})
      list->erase(std::remove(list->begin(), list->end(), &transfer), list->end());
    if (transfer.in_multi) curl_multi_remove_handle(multi_, transfer.easy());
    transfer.in_multi = false;
    transfer.end();
    free_.push_back(&transfer);
  }

  void unpause(CurlTransfer& transfer) {
    to_unpause_.push_back(&transfer);
    later_->arm(storage::Milliseconds{0});
  }

  // Curl has given control back: see what ended, and do what could not be done inside it.
  void collect() {
    while (!doomed_.empty()) {
      CurlTransfer& transfer = *doomed_.back();
      doomed_.pop_back();
      recycle(transfer);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      finish(*static_cast<CurlTransfer*>(static_cast<void*>(transfer)), message->data.result);
    }
    for (CurlTransfer* transfer : std::exchange(to_add_, {})) add(*transfer);
  }

  // Outside curl. The handle is free again before the handler hears of the end and perhaps starts another.
  void finish(CurlTransfer& transfer, CURLcode code) {
    CurlTransfer::Verdict verdict = transfer.verdict(code);
    if (verdict.end == CurlTransfer::End::kAgain) {
      curl_multi_remove_handle(multi_, transfer.easy());
      transfer.begin_again();
      add(transfer);
      return;
    }
    OriginHandler* handler = transfer.handler();
    if (transfer.call != nullptr) transfer.call->ended();
    recycle(transfer);
    if (handler == nullptr) return;
    if (verdict.end == CurlTransfer::End::kComplete) {
      handler->on_complete(std::move(verdict.trailers));
      return;
    }
    if (verdict.error.failure != OriginFailure::kUploadFailed) counters_.add(storage::Counter::kOriginErrors);
    handler->on_failure(std::move(verdict.error));
  }

  void do_what_was_put_off() {
    for (CurlTransfer* transfer : std::exchange(refused_, {})) finish(*transfer, CURLE_FAILED_INIT);
    // One at a time: what a callback does may take others off the list.
    while (!to_unpause_.empty()) {
      CurlTransfer& transfer = *to_unpause_.back();
      to_unpause_.pop_back();
      const bool receive = std::exchange(transfer.unpause_receive, false);
      const bool send = std::exchange(transfer.unpause_send, false);
      if (!receive && !send) continue;
      sockets_.run([&transfer, receive, send] { transfer.unpause(receive, send); });
    }
  }

  storage::IoLoop& loop_;
  const Options options_;
  storage::Counters& counters_;
  IdleConnections idle_;
  CURLM* multi_;
  CurlSockets sockets_;
  std::unique_ptr<storage::IoTimer> later_;
  std::vector<std::unique_ptr<CurlTransfer>> transfers_;
  std::vector<CurlTransfer*> free_;
  std::vector<CurlTransfer*> to_add_;  // started inside a callback
  std::vector<CurlTransfer*> doomed_;  // let go inside a callback
  std::vector<CurlTransfer*> to_unpause_;
  std::vector<CurlTransfer*> refused_;  // curl would not take them
};

CurlClient::CurlClient(storage::IoLoop& loop, Options options, storage::Counters& counters)
    : impl_(std::make_unique<Impl>(loop, std::move(options), counters)) {}

CurlClient::~CurlClient() = default;

std::unique_ptr<OriginCall> CurlClient::start(OriginRequest request, OriginHandler& handler,
                                              UploadSource* upload) {
  return impl_->start(std::move(request), handler, upload);
}

storage::Status CurlClient::check(const Options& options) {
  if ((curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS) == 0) {
    return storage::Error{"this libcurl resolves names synchronously and would block"};
  }
  if (!options.ca_file.empty() && ::access(options.ca_file.c_str(), R_OK) != 0) {
    return storage::Error{"cannot read the CA file " + options.ca_file};
  }
  return {};
}

}  // namespace freshet::revalidate
