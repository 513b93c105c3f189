// DividedClient: each request to the client that is for it: http1_client where it can ask, curl_client for
// the rest. Both keep connections of their own. One per worker, as they are.
#pragma once

#include "revalidate/origin/curl_client.h"
#include "revalidate/origin/http1_client.h"

namespace freshet::revalidate {

class DividedClient final : public OriginClient {
 public:
  using Options = OriginOptions;

  DividedClient(storage::IoLoop& loop, const Options& options, storage::Counters& counters)
      : options_(options), http1_(loop, options, counters), curl_(loop, options, counters) {}

  [[nodiscard]] std::unique_ptr<OriginCall> start(OriginRequest request, OriginHandler& handler,
                                                  UploadSource* upload) override {
    OriginClient& client =
        Http1Client::can_ask(options_, request) ? static_cast<OriginClient&>(http1_) : curl_;
    return client.start(std::move(request), handler, upload);
  }

 private:
  const Options options_;
  Http1Client http1_;
  CurlClient curl_;
};

}  // namespace freshet::revalidate
