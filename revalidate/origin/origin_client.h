// OriginClient: how a flight asks the origin, without knowing what speaks for it: http1_client, or
// curl_client for what that one cannot ask (divided_client chooses).
//
// One client per worker; all calls and callbacks are on that worker's thread. A callback never comes from
// inside start(); after on_complete() or on_failure() none comes. The destructor of an OriginCall ends the
// request at once (and may be called from inside a callback of that call). What the origin sends is checked
// against RFC 9112 more strictly than libcurl does: whatever has two readings is on_failure(kMalformed),
// never a response.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/chunk.h"
#include "storage/http/message_head.h"

namespace freshet::revalidate {

enum class OriginFailure {
  kConnect,       // refused, unreachable, name not found
  kTls,           // handshake or certificate
  kTimeout,       // connect, first byte or progress took too long
  kReset,         // closed or reset before a whole head came
  kTruncated,     // the head came, the body was cut
  kMalformed,     // not a message that RFC 9112 allows
  kTooLarge,      // head over the limit
  kUploadFailed,  // our request body broke off (the client's fault)
  kLocal,         // out of descriptors or memory here
};

struct OriginError {
  OriginFailure failure = OriginFailure::kLocal;
  std::string detail;  // one line for the log
};

// The request as it goes out: nothing is added to it but the framing of the body. `fields` is complete
// (Host included) and free of hop-by-hop fields, Content-Length and Transfer-Encoding.
struct OriginRequest {
  std::string method;  // as to be sent
  std::string target;  // origin-form, or "*"
  storage::HeaderFields fields;
  bool has_body = false;
  std::optional<std::uint64_t> body_size;  // with has_body; nothing: chunked
};

// Where the request body comes from. Owned by whoever receives the upload; outlives the call or aborts it.
class UploadSource {
 public:
  enum class Next { kData, kWait, kEnd, kFailed };
  virtual ~UploadSource() = default;
  // Fills up to `capacity` bytes at `buffer`, sets `size`. kWait: call OriginCall::upload_ready() later.
  virtual Next next(char* buffer, std::size_t capacity, std::size_t& size) = 0;
};

class OriginHandler {
 public:
  enum class Body { kTaken, kPause };
  virtual ~OriginHandler() = default;

  // The connection is up and the request is about to be written (once, before any other callback).
  virtual void on_sent() = 0;
  // A 1xx other than 101 (100 included: the origin wants the body).
  virtual void on_informational(storage::ResponseHead head) = 0;
  // Before on_head(): all of the content, so many bytes and more than none, is here already, and comes in one
  // on_body() before anything else is heard.
  virtual void expect_content(std::uint64_t /*size*/) {}
  // The final head, all fields as received (framing and hop-by-hop fields too). `body_size` if it is known.
  virtual void on_head(storage::ResponseHead head, std::optional<std::uint64_t> body_size) = 0;
  // The next bytes of the body. kPause: not taken; the same bytes come again after resume().
  virtual Body on_body(std::string_view bytes) = 0;
  // The response is whole by its framing.
  virtual void on_complete(storage::HeaderFields trailers) = 0;
  virtual void on_failure(OriginError error) = 0;
};

class OriginCall {
 public:
  virtual ~OriginCall() = default;
  // After on_body() said kPause.
  virtual void resume() = 0;
  // After UploadSource::next() said kWait.
  virtual void upload_ready() = 0;
};

class OriginClient {
 public:
  virtual ~OriginClient() = default;
  // `handler` and `upload` (null without a body) are borrowed and outlive the call. Never fails here: a
  // failure is on_failure(), later.
  [[nodiscard]] virtual std::unique_ptr<OriginCall> start(OriginRequest request, OriginHandler& handler,
                                                          UploadSource* upload) = 0;
};

}  // namespace freshet::revalidate
