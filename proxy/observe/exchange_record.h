// ExchangeRecord: what one finished exchange tells the access log and the counters. The exchange fills one
// when it is done, on its worker, and hands it over by reference; the texts are views into the exchange and
// live as long as the call. Nothing in it has been cleaned: target and host are the client's bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/hash.h"
#include "storage/http/header_fields.h"

namespace freshet::proxy {

// How the cache took part (RFC 9211 in the words of an operator).
enum class CacheOutcome : std::uint8_t {
  kHit,          // the stored response, fresh
  kMiss,         // nothing usable was stored; fetched from the origin
  kRevalidated,  // the stored response, after the origin said 304
  kStale,        // the stored response, stale
  kPass,         // not for the cache
  kCollapsed,    // joined the flight of another request
  kError,        // the edge's own error response
};

[[nodiscard]] std::string_view cache_outcome_name(CacheOutcome outcome);

struct ExchangeRecord {
  storage::WallTime time;     // when the request's head was complete
  std::string_view client;    // the peer's address, without port
  std::string_view method;    // as it came
  std::string_view host;      // with path: the target; empty for a request that could not be parsed
  std::string_view path;      // path and query
  std::string_view protocol;  // HTTP/1.1
  int status = 0;             // 0: nothing was sent
  std::uint64_t head_bytes = 0;
  std::uint64_t body_bytes = 0;   // sent, after framing was taken off
  std::uint64_t saved_bytes = 0;  // body bytes that a 304 spared
  CacheOutcome outcome = CacheOutcome::kMiss;
  std::string_view reason;                               // from the table of reasons; may be empty
  const storage::Digest128* key = nullptr;               // null: no key was made
  std::string_view id;                                   // empty: requests have none
  const storage::HeaderFields* fields = nullptr;         // of the request
  int origin_status = 0;                                 // 0: the origin was not asked, or did not answer
  std::optional<std::chrono::microseconds> origin_time;  // until its head was there; none: not asked
  std::chrono::microseconds first_byte{0};               // until our own head was given to the connection
  std::chrono::microseconds total_time{0};
  bool complete = true;  // false: the transfer was broken
};

}  // namespace freshet::proxy
