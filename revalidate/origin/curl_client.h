// CurlClient: OriginClient by libcurl, HTTP/1.1 over TCP or TLS, connections kept alive.
//
// What goes out is the request's own fields, in order and spelling, and the framing of its body; nothing that
// curl likes to add. What comes in is read by head_reader and chunked_reader; curl carries the bytes. A
// GET or another idempotent request without a body is sent again, silently, when a kept connection turns out
// to be dead before any byte of an answer; nothing else ever is.
//
// One per worker, on its loop's thread, never blocking (names are resolved on a thread of curl's). Calls may
// be started, resumed and destroyed inside callbacks; the client itself may not be destroyed there.
// RFC 9112; RFC 9110, sections 9.2.2 and 15.
#pragma once

#include <memory>
#include <string>

#include "revalidate/origin/origin_client.h"
#include "revalidate/origin/origin_options.h"
#include "storage/base/counters.h"
#include "storage/base/io_loop.h"
#include "storage/base/result.h"

namespace freshet::revalidate {

class CurlClient final : public OriginClient {
 public:
  using Options = OriginOptions;

  CurlClient(storage::IoLoop& loop, Options options, storage::Counters& counters);
  // Calls that are still there become inert.
  ~CurlClient() override;

  [[nodiscard]] std::unique_ptr<OriginCall> start(OriginRequest request, OriginHandler& handler,
                                                  UploadSource* upload) override;

  // At start-up: whether the CA file can be read and curl resolves names without blocking.
  [[nodiscard]] static storage::Status check(const Options& options);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace freshet::revalidate
