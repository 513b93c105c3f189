#include "proxy/simulate/simulation_report.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "storage/eviction/eviction_policy.h"

namespace freshet::proxy {

namespace {

constexpr std::size_t kColumns = 9;
using Cells = std::array<std::string, kColumns>;

const Cells& heading() {
  static const Cells cells{"policy",          "size",           "bytes",
                           "hit ratio",       "byte hit ratio", "hits",
                           "origin requests", "origin bytes",   "evictions"};
  return cells;
}

Cells cells_of(const SimulationRow& row) {
  const SimulationResult& result = row.result;
  return {row.policy,
          row.size,
          readable_bytes(row.cache.capacity),
          fmt::format("{:.2f} %", 100 * result.hit_ratio()),
          fmt::format("{:.2f} %", 100 * result.byte_hit_ratio()),
          std::to_string(result.hits),
          std::to_string(result.origin_requests()),
          readable_bytes(result.origin_bytes()),
          std::to_string(result.evictions)};
}

// The first column to the left, the others to the right.
std::string aligned(const std::vector<Cells>& lines) {
  std::array<std::size_t, kColumns> widths{};
  for (const Cells& line : lines) {
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string out;
  for (const Cells& line : lines) {
    out += fmt::format("{:<{}}", line[0], widths[0]);
    for (std::size_t i = 1; i < kColumns; ++i) out += fmt::format("  {:>{}}", line[i], widths[i]);
    out += '\n';
  }
  return out;
}

// Sizes are what was typed: digits, units and a percent sign, nothing that JSON would have to escape.
std::string json_of(const SimulationRow& row) {
  const SimulationResult& result = row.result;
  return fmt::format(
      R"({{"policy":"{}","size":"{}","capacity":{},"overhead":{},"requests":{},"hits":{},"hit_ratio":{:.6f},)"
      R"("bytes":{},"hit_bytes":{},"byte_hit_ratio":{:.6f},"origin_requests":{},"origin_bytes":{},)"
      R"("evictions":{},"refused":{}}})",
      row.policy, row.size, row.cache.capacity, row.cache.overhead, result.requests, result.hits,
      result.hit_ratio(), result.bytes, result.hit_bytes, result.byte_hit_ratio(), result.origin_requests(),
      result.origin_bytes(), result.evictions, result.refused);
}

std::string plural(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

std::string readable_bytes(std::uint64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.{}f} {}", value, value < 10 ? 2 : value < 100 ? 1 : 0, kUnits[unit]);
}

std::string simulation_table(const LoadedTrace& loaded, const std::vector<SimulationRow>& rows) {
  const Trace& trace = loaded.trace;
  std::string out = fmt::format("{} of {}, {}; footprint {}", plural(trace.requests(), "request"),
                                readable_bytes(trace.bytes()), plural(trace.objects(), "object"),
                                readable_bytes(trace.footprint()));
  if (loaded.left_out > 0) out += fmt::format("; left out {}", plural(loaded.left_out, "line"));
  if (loaded.bad_lines > 0) out += fmt::format("; skipped {}", plural(loaded.bad_lines, "bad line"));
  out += "\n\n";
  std::vector<Cells> lines{heading()};
  for (const SimulationRow& row : rows) lines.push_back(cells_of(row));
  return out + aligned(lines);
}

std::string simulation_json(const LoadedTrace& loaded, const std::vector<SimulationRow>& rows) {
  const Trace& trace = loaded.trace;
  std::string out = fmt::format(
      R"({{"trace":{{"requests":{},"objects":{},"bytes":{},"footprint":{},"left_out":{},"bad_lines":{}}},)"
      R"("shipped":"{}","results":[)",
      trace.requests(), trace.objects(), trace.bytes(), trace.footprint(), loaded.left_out, loaded.bad_lines,
      storage::kShippedPolicy);
  for (const SimulationRow& row : rows) out += (&row == rows.data() ? "\n" : ",\n") + json_of(row);
  return out + "\n]}\n";
}

}  // namespace freshet::proxy
