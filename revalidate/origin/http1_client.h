// Http1Client: OriginClient for origins in the clear and requests without a body, HTTP/1.1 straight over the
// loop's sockets: what nearly every miss and validation is. curl_client does the rest, and the two behave
// alike; why there are two stands in the folder's README.
//
// A request is one write, its response is read into one buffer of the client's and handed on from there. The
// connections that are kept are used again last in, first out. A GET or another idempotent request is sent
// again, once and on a new connection, when a kept one turns out to be dead before any byte of an answer.
//
// One per worker, on its loop's thread, never blocking. Calls may be started, resumed and destroyed inside
// callbacks; the client itself may not be destroyed there. RFC 9112; RFC 9110, sections 9.2.2 and 15.
#pragma once

#include <memory>

#include "revalidate/origin/origin_addresses.h"
#include "revalidate/origin/origin_client.h"
#include "revalidate/origin/origin_options.h"
#include "storage/base/counters.h"
#include "storage/base/io_loop.h"

namespace freshet::revalidate {

class Http1Client final : public OriginClient {
 public:
  using Options = OriginOptions;

  // `resolve`: how a name is looked up, on a thread of its own.
  Http1Client(storage::IoLoop& loop, Options options, storage::Counters& counters,
              OriginAddresses::Resolve resolve = OriginAddresses::system_resolve);
  // Calls that are still there become inert.
  ~Http1Client() override;

  // Whether it is one for this client.
  [[nodiscard]] static bool can_ask(const Options& options, const OriginRequest& request) {
    return !options.origin.tls && !request.has_body;
  }

  // Only what it can ask; `upload` is not used.
  [[nodiscard]] std::unique_ptr<OriginCall> start(OriginRequest request, OriginHandler& handler,
                                                  UploadSource* upload) override;

 private:
  friend class Http1Call;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet::revalidate
