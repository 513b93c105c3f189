#include "proxy/admin/stats_endpoint.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "proxy/admin/admin_server.h"
#include "proxy/admin/value_text.h"

namespace freshet::proxy {

using nlohmann::json;
using storage::Counter;

namespace {

enum class Unit { kCount, kBytes, kRatio, kSeconds };

// One value: where it stands in the JSON, how the table calls it, and how it is found.
struct Row {
  const char* section;
  const char* name;
  const char* label;
  Unit unit;
  double (*value)(const StatsEndpoint& what, storage::WallTime now);
};

template <Counter counter>
double of(const StatsEndpoint& what, storage::WallTime /*now*/) {
  return static_cast<double>(what.counters->sum(counter));
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

double requests(const StatsEndpoint& what, storage::WallTime now) {
  return of<Counter::kHits>(what, now) + of<Counter::kMisses>(what, now) +
         of<Counter::kRevalidated>(what, now) + of<Counter::kStaleServed>(what, now) +
         of<Counter::kPassed>(what, now) + of<Counter::kCollapsedServed>(what, now) +
         of<Counter::kErrors>(what, now);
}

double hit_ratio(const StatsEndpoint& what, storage::WallTime now) {
  return ratio(of<Counter::kHits>(what, now), requests(what, now));
}

// Bytes of table files for each byte of a body: 1 where every byte is written once.
double write_amplification(const StatsEndpoint& what, storage::WallTime now) {
  return ratio(of<Counter::kDiskFileBytes>(what, now), of<Counter::kDiskWriteBytes>(what, now));
}

double uptime(const StatsEndpoint& what, storage::WallTime now) {
  return static_cast<double>((now - what.started).count()) / 1000.0;
}

double memory_budget(const StatsEndpoint& what, storage::WallTime /*now*/) {
  return static_cast<double>(what.memory_budget);
}

double disk_budget(const StatsEndpoint& what, storage::WallTime /*now*/) {
  return static_cast<double>(what.disk_budget);
}

double workers(const StatsEndpoint& what, storage::WallTime /*now*/) {
  return static_cast<double>(what.workers);
}

// One row a value, and nothing else.
// clang-format off
constexpr std::array kRows = {
    Row{"edge", "uptime_seconds", "up for", Unit::kSeconds, &uptime},
    Row{"edge", "workers", "workers", Unit::kCount, &workers},
    Row{"edge", "requests", "requests", Unit::kCount, &requests},
    Row{"edge", "hits", "hits", Unit::kCount, &of<Counter::kHits>},
    Row{"edge", "hit_ratio", "hit ratio", Unit::kRatio, &hit_ratio},
    Row{"edge", "revalidated", "revalidated", Unit::kCount, &of<Counter::kRevalidated>},
    Row{"edge", "stale", "served stale", Unit::kCount, &of<Counter::kStaleServed>},
    Row{"edge", "misses", "misses", Unit::kCount, &of<Counter::kMisses>},
    Row{"edge", "collapsed", "collapsed", Unit::kCount, &of<Counter::kCollapsedServed>},
    Row{"edge", "passed", "passed", Unit::kCount, &of<Counter::kPassed>},
    Row{"edge", "errors", "own errors", Unit::kCount, &of<Counter::kErrors>},
    Row{"edge", "not_modified", "answered 304", Unit::kCount, &of<Counter::kNotModified>},
    Row{"edge", "sent_bytes", "sent", Unit::kBytes, &of<Counter::kBytesSent>},
    Row{"edge", "connections", "connections", Unit::kCount, &of<Counter::kConnectionsOpen>},

    Row{"origin", "requests", "requests", Unit::kCount, &of<Counter::kOriginRequests>},
    Row{"origin", "not_modified", "answered 304", Unit::kCount, &of<Counter::kOriginNotModified>},
    Row{"origin", "errors", "errors", Unit::kCount, &of<Counter::kOriginErrors>},
    Row{"origin", "body_bytes", "received, bodies", Unit::kBytes, &of<Counter::kOriginBodyBytes>},
    Row{"origin", "in_flight", "in progress", Unit::kCount, &of<Counter::kOriginInFlight>},
    Row{"origin", "queued", "waiting", Unit::kCount, &of<Counter::kOriginQueued>},

    Row{"tls", "handshakes", "handshakes", Unit::kCount, &of<Counter::kTlsHandshakes>},
    Row{"tls", "resumed", "resumed of those", Unit::kCount, &of<Counter::kTlsResumed>},
    Row{"tls", "failed", "failed", Unit::kCount, &of<Counter::kTlsFailed>},

    Row{"memory", "bytes", "bytes", Unit::kBytes, &of<Counter::kMemoryBytes>},
    Row{"memory", "budget", "budget", Unit::kBytes, &memory_budget},
    Row{"memory", "responses", "responses", Unit::kCount, &of<Counter::kMemoryResponses>},
    Row{"memory", "hits", "hits", Unit::kCount, &of<Counter::kMemoryHits>},
    Row{"memory", "evictions", "evictions", Unit::kCount, &of<Counter::kMemoryEvictions>},
    Row{"memory", "refused", "not admitted", Unit::kCount, &of<Counter::kMemoryRefused>},

    Row{"disk", "bytes", "bytes", Unit::kBytes, &of<Counter::kDiskBytes>},
    Row{"disk", "budget", "budget", Unit::kBytes, &disk_budget},
    Row{"disk", "responses", "responses", Unit::kCount, &of<Counter::kDiskResponses>},
    Row{"disk", "hits", "hits", Unit::kCount, &of<Counter::kDiskHits>},
    Row{"disk", "misses", "misses", Unit::kCount, &of<Counter::kDiskMisses>},
    Row{"disk", "evictions", "evictions", Unit::kCount, &of<Counter::kDiskEvictions>},
    Row{"disk", "refused", "not admitted", Unit::kCount, &of<Counter::kDiskWritesRefused>},
    Row{"disk", "writes", "written", Unit::kCount, &of<Counter::kDiskWrites>},
    Row{"disk", "written_bytes", "written, bodies", Unit::kBytes, &of<Counter::kDiskWriteBytes>},
    Row{"disk", "file_bytes", "written, files", Unit::kBytes, &of<Counter::kDiskFileBytes>},
    Row{"disk", "write_amplification", "write amplification", Unit::kRatio, &write_amplification},
    Row{"disk", "head_rewrites", "heads rewritten", Unit::kCount, &of<Counter::kDiskHeadRewrites>},
    Row{"disk", "backlog_bytes", "waiting to be written", Unit::kBytes, &of<Counter::kDiskWriteBacklog>},
    Row{"disk", "stalls", "RocksDB stalls", Unit::kCount, &of<Counter::kDiskStalls>},
    Row{"disk", "copied_forward", "copied forward", Unit::kCount, &of<Counter::kDiskCopiedForward>},
    Row{"disk", "copied_forward_bytes", "copied forward, bodies", Unit::kBytes, &of<Counter::kDiskCopiedBytes>},
    Row{"disk", "copies_dropped", "not copied, no time", Unit::kCount, &of<Counter::kDiskCopiesDropped>},
    Row{"disk", "swept", "swept", Unit::kCount, &of<Counter::kDiskSwept>},
    Row{"disk", "errors", "errors", Unit::kCount, &of<Counter::kDiskErrors>},
    Row{"disk", "corrupt", "damaged records", Unit::kCount, &of<Counter::kDiskCorrupt>},

    Row{"invalidation", "purges", "purges", Unit::kCount, &of<Counter::kPurges>},
    Row{"invalidation", "scopes", "scopes of those", Unit::kCount, &of<Counter::kPurgeScopes>},
    Row{"invalidation", "not_durable", "not durable", Unit::kCount, &of<Counter::kPurgesNotDurable>},
    Row{"invalidation", "refused", "refused", Unit::kCount, &of<Counter::kPurgesRefused>},
    Row{"invalidation", "urls_by_use", "URLs, by use", Unit::kCount, &of<Counter::kInvalidated>},
    Row{"invalidation", "tags_by_use", "groups, by use", Unit::kCount, &of<Counter::kTagsInvalidated>},
    Row{"invalidation", "scopes_kept", "scopes outstanding", Unit::kCount, &of<Counter::kScopesKept>},
    Row{"invalidation", "scopes_merged", "scopes merged", Unit::kCount, &of<Counter::kScopesMerged>},
};
// clang-format on

std::string value_text(Unit unit, double value) {
  switch (unit) {
    case Unit::kBytes:
      return bytes_text(value);
    case Unit::kRatio:
      return printed("%.3f", value);
    case Unit::kSeconds:
      return seconds_text(value);
    case Unit::kCount:
      break;
  }
  return count_text(value);
}

json histogram_json(const storage::HistogramValues& values) {
  json out;
  out["count"] = values.count();
  out["seconds"] = static_cast<double>(values.sum) / 1e6;
  out["buckets"] = values.buckets;
  return out;
}

// Of one outcome after another: how many in each bucket, and the seconds of all.
template <storage::Histogram hit>
json by_outcome(const storage::CounterSet& counters) {
  static constexpr std::array kOutcomes = {"hit",  "miss",      "revalidated", "stale",
                                           "pass", "collapsed", "error"};
  json out;
  for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
    const auto histogram = static_cast<storage::Histogram>(static_cast<std::size_t>(hit) + i);
    out[kOutcomes[i]] = histogram_json(counters.sum(histogram));
  }
  return out;
}

json latency_json(const storage::CounterSet& counters) {
  json out;
  json& bounds = out["bounds"] = json::array();
  for (const std::int64_t bound : storage::kMicrosecondBounds)
    bounds.push_back(static_cast<double>(bound) / 1e6);
  out["first_byte"] = by_outcome<storage::Histogram::kFirstByteHit>(counters);
  out["duration"] = by_outcome<storage::Histogram::kDurationHit>(counters);
  out["origin_first_byte"] = histogram_json(counters.sum(storage::Histogram::kOriginFirstByte));
  return out;
}

// A counter's exact number, where it is one.
json number(Unit unit, double value) {
  if (unit == Unit::kRatio || unit == Unit::kSeconds) return value;
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::string stats_json(const StatsEndpoint& what, storage::WallTime now) {
  nlohmann::ordered_json out;
  out["version"] = FRESHET_VERSION;
  for (const Row& row : kRows) out[row.section][row.name] = number(row.unit, row.value(what, now));
  out["latency"] = latency_json(*what.counters);
  return out.dump(2) + "\n";
}

storage::Result<std::string> stats_table(std::string_view text) {
  const json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (!value.is_object()) return storage::Error{"the edge's answer is not JSON"};
  std::string out;
  std::string_view section;
  for (const Row& row : kRows) {
    const auto members = value.find(row.section);
    if (members == value.end() || !members->is_object()) continue;
    const auto member = members->find(row.name);
    if (member == members->end() || !member->is_number()) continue;
    if (section != row.section) out += (out.empty() ? "" : "\n") + std::string(row.section) + "\n";
    section = row.section;
    std::string label = "  " + std::string(row.label);
    label.resize(28, ' ');
    std::string shown = value_text(row.unit, member->get<double>());
    if (shown.size() < 16) shown.insert(0, 16 - shown.size(), ' ');
    out += label + shown + "\n";
  }
  return out;
}

void add_stats_endpoint(AdminServer& server, const StatsEndpoint& what) {
  server.route("/v1/stats", [what](const AdminRequest&) {
    AdminReply reply = plain_admin_reply(200, stats_json(what, storage::wall_now()));
    reply.content_type = "application/json";
    return reply;
  });
}

}  // namespace freshet::proxy
