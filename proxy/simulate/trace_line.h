// One line of a trace or an access log, read. The formats:
//
//   csv     time,key,size[,ttl]  seconds with decimals, bytes; a key with a comma or a quote stands in
//   quotes, `""`
//           is a quote in it; no or an empty ttl: it never expires. A first line that begins with `time` is a
//           heading.
//   log     freshet's access log: a JSON object a line (proxy/observe/log_line.h)
//   common  the common or the combined log format: host ident user [date] "request" status bytes ...
//
// Of a log, what a cache could have answered counts: GET and HEAD, and the statuses 200, 203, 204, 300, 301,
// 308, 404 and 410 with the bytes sent for a size; 206 and 304, HEAD and transfers that broke off have the
// size that the target had last. Everything else, and what freshet passed on, is left out. Logs have no ttl;
// their times are not read, the order of lines is the order of requests (the workers of one edge write in
// turn, so theirs are in order but for some milliseconds).
//
// Pure, and fuzzed; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/simulate/trace.h"
#include "storage/base/result.h"

namespace freshet::proxy {

enum class TraceFormat { Csv, Log, Common };

// csv, log, common: what --format takes. Nothing: no format has that name.
[[nodiscard]] std::optional<TraceFormat> trace_format_of(std::string_view name);
// By a first line.
[[nodiscard]] TraceFormat detect_trace_format(std::string_view line);
// The first line of a CSV that is no request.
[[nodiscard]] bool is_csv_heading(std::string_view line);

struct TraceLine {
  bool left_out = false;              // not for a cache; the rest says nothing
  std::string key;                    // not empty
  std::optional<std::uint64_t> size;  // nothing: as the key had last
  std::int64_t time = 0;              // milliseconds
  std::int64_t ttl = kNeverExpires;   // milliseconds
};

inline constexpr std::uint64_t kLargestTraceSize = std::uint64_t{1} << 50;

// `line` without its end. An error says what is wrong with it.
[[nodiscard]] storage::Status parse_trace_line(TraceFormat format, std::string_view line, TraceLine& out);

}  // namespace freshet::proxy
