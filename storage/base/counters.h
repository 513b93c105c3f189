// Counters: what happened, as numbers. Each worker and each store thread has a Counters of its own, so that
// counting never makes two cores fight over a line; CounterSet sums them when somebody asks. One table below
// gives each counter its name and meaning; the metrics endpoint prints from it.
//
// add() may be called from any thread; values only grow (gauges: add a negative value to go down).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "storage/base/mutex.h"

namespace freshet::storage {

// X(enumerator, metric name, "counter" | "gauge", help)
#define FRESHET_COUNTERS(X)                                                                                 \
  X(kRequests, "requests_total", "counter", "Requests answered, of any status.")                            \
  X(kHits, "hits_total", "counter", "Requests answered from the store without asking the origin.")          \
  X(kMisses, "misses_total", "counter", "Requests for which nothing usable was stored.")                    \
  X(kRevalidated, "revalidated_total", "counter", "Requests answered after the origin said 304.")           \
  X(kStaleServed, "stale_served_total", "counter", "Requests answered with a stale stored response.")       \
  X(kPassed, "passed_total", "counter", "Requests that were not for the cache (method, body, rule).")       \
  X(kCollapsed, "collapsed_total", "counter", "Requests that joined another request's flight.")             \
  X(kNotModified, "not_modified_total", "counter", "Requests answered 304 to the client.")                  \
  X(kReloadsBounded, "reloads_bounded_total", "counter",                                                    \
    "Forced validations answered from the store: too soon.")                                                \
  X(kBytesSavedBy304, "not_modified_saved_bytes_total", "counter", "Body bytes that those 304s spared.")    \
  X(kClientErrors, "bad_requests_total", "counter", "Requests refused as malformed or over a limit.")       \
  X(kBrokenTransfers, "broken_transfers_total", "counter", "Responses cut short visibly.")                  \
  X(kBytesSent, "sent_bytes_total", "counter", "Bytes sent to clients, heads included.")                    \
  X(kBodyBytesSent, "sent_body_bytes_total", "counter", "Body bytes sent to clients.")                      \
  X(kConnectionsAccepted, "connections_accepted_total", "counter", "Client connections accepted.")          \
  X(kConnectionsOpen, "connections_open", "gauge", "Client connections open now.")                          \
  X(kConnectionsRefused, "connections_refused_total", "counter", "Connections closed at the limit.")        \
  X(kHttp2Connections, "http2_connections_total", "counter", "Client connections that spoke HTTP/2.")       \
  X(kHttp2Reset, "http2_streams_reset_total", "counter", "HTTP/2 requests that their clients took back.")   \
  X(kHttp2Stalled, "http2_streams_stalled_total", "counter", "HTTP/2 responses ended: nothing was taken.")  \
  X(kHttp2Floods, "http2_floods_total", "counter", "HTTP/2 connections ended: they asked too much.")        \
  X(kTlsHandshakes, "tls_handshakes_total", "counter", "TLS handshakes that were completed.")               \
  X(kTlsResumed, "tls_resumed_total", "counter", "Of those, with a session ticket.")                        \
  X(kTlsFailed, "tls_failed_total", "counter", "TLS handshakes that failed or took too long.")              \
  X(kTlsHandshaking, "tls_handshakes_open", "gauge", "TLS handshakes in progress now.")                     \
  X(kOriginRequests, "origin_requests_total", "counter", "Requests sent to the origin.")                    \
  X(kOriginConditional, "origin_conditional_total", "counter", "Of those, conditional ones.")               \
  X(kOriginNotModified, "origin_not_modified_total", "counter", "304 answers of the origin.")               \
  X(kContentEqual, "content_equal_total", "counter",                                                        \
    "200 answers of the origin whose bytes were stored already.")                                           \
  X(kSlicesFetched, "slices_fetched_total", "counter", "Slices of large responses asked of the origin.")    \
  X(kOriginErrors, "origin_errors_total", "counter", "Origin requests that failed or were malformed.")      \
  X(kOriginConnections, "origin_connections_total", "counter", "Connections opened to the origin.")         \
  X(kOriginInFlight, "origin_in_flight", "gauge", "Origin requests in progress now.")                       \
  X(kOriginQueued, "origin_queued", "gauge", "Requests that wait for a place at the origin now.")           \
  X(kOriginQueueRefused, "origin_queue_refused_total", "counter", "Requests refused by the full queue.")    \
  X(kOriginQueueTimeout, "origin_queue_timeout_total", "counter", "Requests whose wait ran out.")           \
  X(kOriginBodyBytes, "origin_body_bytes_total", "counter", "Body bytes received from the origin.")         \
  X(kFillsOpen, "fills_open", "gauge", "Responses being received now.")                                     \
  X(kFillsRefused, "fills_refused_total", "counter", "Requests refused because too many fills are open.")   \
  X(kWaitersRefused, "waiters_refused_total", "counter", "Requests refused because too many wait.")         \
  X(kStored, "stored_total", "counter", "Responses stored.")                                                \
  X(kFreshened, "freshened_total", "counter", "Stored heads freshened by a 304.")                           \
  X(kInvalidated, "invalidated_total", "counter", "URLs invalidated.")                                      \
  X(kTagsInvalidated, "tags_invalidated_total", "counter", "Cache groups invalidated.")                     \
  X(kMemoryHits, "memory_hits_total", "counter", "Look-ups that the memory tier answered.")                 \
  X(kMemoryResponses, "memory_responses", "gauge", "Responses in the memory tier.")                         \
  X(kMemoryBytes, "memory_bytes", "gauge", "Bytes accounted to the memory tier.")                           \
  X(kMemoryEvictions, "memory_evictions_total", "counter", "Responses evicted from memory.")                \
  X(kDiskHits, "disk_hits_total", "counter", "Look-ups that the disk tier answered.")                       \
  X(kDiskMisses, "disk_misses_total", "counter", "Look-ups that found nothing on disk.")                    \
  X(kDiskWrites, "disk_writes_total", "counter", "Responses written to disk.")                              \
  X(kDiskWriteBytes, "disk_write_bytes_total", "counter", "Body bytes written to disk.")                    \
  X(kDiskHeadRewrites, "disk_head_rewrites_total", "counter", "Heads rewritten without their bodies.")      \
  X(kDiskWritesRefused, "disk_writes_refused_total", "counter", "Responses not stored on disk: backlog.")   \
  X(kDiskWriteBacklog, "disk_write_backlog_bytes", "gauge", "Bytes that wait to be written to disk.")       \
  X(kDiskErrors, "disk_errors_total", "counter", "Disk reads or writes that failed.")                       \
  X(kDiskCorrupt, "disk_corrupt_total", "counter", "Records refused as damaged.")                           \
  X(kDiskEvictions, "disk_evictions_total", "counter", "Responses evicted from disk.")                      \
  X(kMemoryRefused, "memory_refused_total", "counter", "Responses that the memory tier did not admit.")     \
  X(kDiskResponses, "disk_responses", "gauge", "Responses on disk, as last counted.")                       \
  X(kDiskBytes, "disk_bytes", "gauge", "Bytes of the store's files.")                                       \
  X(kDiskCopiedForward, "disk_copied_forward_total", "counter", "Responses kept from a file that went.")    \
  X(kDiskCopiedBytes, "disk_copied_forward_bytes_total", "counter", "Body bytes of those.")                 \
  X(kDiskCopiesDropped, "disk_copies_dropped_total", "counter",                                             \
    "Responses in use that went with their file: no time for a copy.")                                      \
  X(kDiskSwept, "disk_swept_total", "counter", "Heads of dead responses removed from disk.")                \
  X(kDiskFileBytes, "disk_file_bytes_total", "counter", "Bytes written to tables, flushes and compaction.") \
  X(kDiskStalls, "disk_stalls_total", "counter", "Times that RocksDB slowed or stopped writes.")            \
  X(kPurges, "purges_total", "counter", "Invalidations that an operator asked for.")                        \
  X(kPurgeScopes, "purge_scopes_total", "counter", "Scopes of those.")                                      \
  X(kPurgesNotDurable, "purges_not_durable_total", "counter", "Of those, applied but not yet on disk.")     \
  X(kPurgesRefused, "purges_refused_total", "counter", "Purges refused: not allowed, or malformed.")        \
  X(kScopesKept, "invalidation_scopes", "gauge", "Invalidations remembered now.")                           \
  X(kScopesMerged, "invalidation_scopes_merged_total", "counter", "Those merged into wider ones.")

enum class Counter : std::size_t {
#define FRESHET_COUNTER_ENUM(id, name, type, help) id,
  FRESHET_COUNTERS(FRESHET_COUNTER_ENUM)
#undef FRESHET_COUNTER_ENUM
      kCount
};

struct CounterInfo {
  std::string_view name;  // without the freshet_ prefix
  std::string_view type;
  std::string_view help;
};

[[nodiscard]] const CounterInfo& counter_info(Counter counter);

class Counters {
 public:
  void add(Counter counter, std::int64_t amount = 1) {
    values_[static_cast<std::size_t>(counter)].fetch_add(amount, std::memory_order_relaxed);
  }
  // The same where one thread alone adds to this counter of this Counters: needs no locked instruction.
  void add_alone(Counter counter, std::int64_t amount = 1) {
    std::atomic<std::int64_t>& value = values_[static_cast<std::size_t>(counter)];
    value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::int64_t get(Counter counter) const {
    return values_[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
  }

 private:
  alignas(64) std::array<std::atomic<std::int64_t>, static_cast<std::size_t>(Counter::kCount)> values_{};
};

// Hands out Counters, one per thread that counts, and sums them. Owned by main; outlives all threads.
class CounterSet {
 public:
  // Any thread; the reference stays valid as long as the set.
  Counters& make();
  [[nodiscard]] std::int64_t sum(Counter counter) const;

 private:
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Counters>> all_ GUARDED_BY(mutex_);
};

}  // namespace freshet::storage
