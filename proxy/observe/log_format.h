// LogFormat: what a line of the access log holds, as `log.format` says it: `json`, `common`, `combined`, or
// any text with fields in braces, `{client} [{date}] "{request}" {status}`. `{{` stands for a brace. The
// fields are those of the table below, and `{header:NAME}`, a field of the request.
//
// Immutable once parsed; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/result.h"

namespace freshet::proxy {

// X(enumerator, name, what it is)
#define FRESHET_LOG_FIELDS(X)                                                                          \
  X(kTime, "time", "when the request's head was there: 2026-11-22T17:18:07.007Z")                      \
  X(kDate, "date", "the same as the common format has it: 22/Nov/2026:17:18:07 +0000")                 \
  X(kClient, "client", "the peer's address")                                                           \
  X(kMethod, "method", "the method")                                                                   \
  X(kTarget, "target", "host and path")                                                                \
  X(kHost, "host", "host, and port where it was said")                                                 \
  X(kPath, "path", "path and query")                                                                   \
  X(kRequest, "request", "the request line: method, path and protocol")                                \
  X(kProtocol, "protocol", "HTTP/1.1, HTTP/2.0")                                                       \
  X(kStatus, "status", "the status that was sent; 0: none was")                                        \
  X(kBytes, "bytes", "bytes of the body that was sent")                                                \
  X(kHeadBytes, "head_bytes", "bytes of the head")                                                     \
  X(kSavedBytes, "saved_bytes", "bytes of body that a 304 spared")                                     \
  X(kCache, "cache", "how the cache took part: hit, miss, revalidated, stale, pass, collapsed, error") \
  X(kReason, "reason", "why, in a word of the table that Cache-Status uses")                           \
  X(kOriginStatus, "origin_status", "the status of the origin's answer")                               \
  X(kOriginMs, "origin_ms", "milliseconds until the origin's head was there")                          \
  X(kFirstByteMs, "first_byte_ms", "milliseconds until the response's head was sent")                  \
  X(kMs, "ms", "milliseconds until all of it was")                                                     \
  X(kKey, "key", "the digest of the cache key, its first 16 digits")                                   \
  X(kId, "id", "the request's id, with log.request_id")                                                \
  X(kTrace, "trace", "the trace id of the request's traceparent")                                      \
  X(kBroken, "broken", "true where the transfer broke, else false")

enum class LogField {
#define FRESHET_LOG_FIELD_ENUM(id, name, what) id,
  FRESHET_LOG_FIELDS(FRESHET_LOG_FIELD_ENUM)
#undef FRESHET_LOG_FIELD_ENUM
      kHeader,  // {header:NAME}
  kNone,        // what follows the last field
};

class LogFormat {
 public:
  struct Part {
    std::string before;  // text that stands in front of the field
    LogField field = LogField::kNone;
    std::string header;  // of kHeader
  };

  // JSON.
  LogFormat() = default;

  // The error names the place: `{tatus} at 9 is no field; the fields are ...`.
  static storage::Result<LogFormat> parse(std::string_view text);

  [[nodiscard]] bool is_json() const { return parts_.empty(); }
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }

 private:
  std::vector<Part> parts_;
};

}  // namespace freshet::proxy
