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
#include "revalidate/origin/origin_url.h"
#include "storage/base/clock.h"
#include "storage/base/counters.h"
#include "storage/base/io_loop.h"
#include "storage/base/result.h"

namespace freshet::revalidate {

class CurlClient final : public OriginClient {
 public:
  struct Options {
    OriginUrl origin;
    std::string ca_file;                             // PEM; empty: the system's
    storage::Milliseconds connect_timeout{5'000};    // name, TCP and TLS together
    storage::Milliseconds response_timeout{60'000};  // from request sent to final head; uploads restart it
    storage::Milliseconds progress_timeout{0};       // between two body bytes; 0: none, for event streams
    storage::Milliseconds idle_timeout{4'000};       // below the 5 s after which Node closes
    std::size_t max_head = std::size_t{64}
                           << 10;  // all heads of one request, and its trailers; at most 256 KiB
    std::size_t max_idle_connections = 256;
  };

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
