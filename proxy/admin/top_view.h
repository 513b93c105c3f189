// What `freshet top` shows: two looks at an edge (/v1/stats and /v1/top) and what happened between them, as
// lines of plain text. Whatever clients asked for, a line has printable ASCII only: a target cannot speak to
// the operator's terminal. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/result.h"

namespace freshet::proxy {

enum class TopSort : std::uint8_t { kRequests, kBytes, kMisses, kTime };

// requests, bytes, misses, time.
[[nodiscard]] std::optional<TopSort> top_sort_of(std::string_view name);
[[nodiscard]] std::string_view top_sort_name(TopSort sort);

struct TopLook {
  struct Target {
    double requests = 0;
    double overcount = 0;
    double hits = 0;
    double bytes = 0;
    double seconds = 0;
  };

  storage::MonoTime at{};
  std::string version;
  std::map<std::string, double> values;                   // "edge.hits"
  std::vector<double> bounds;                             // of buckets, in seconds
  std::map<std::string, std::vector<double>> first_byte;  // by outcome: how many in each bucket
  std::map<std::string, Target> targets;
};

// From the two answers. Of another version's what is not known of is left out.
[[nodiscard]] storage::Result<TopLook> read_top_look(std::string_view stats, std::string_view top,
                                                     storage::MonoTime at);

struct TopViewOptions {
  TopSort sort = TopSort::kRequests;
  std::size_t rows = 24;
  std::size_t columns = 80;
};

// At most `rows` lines of at most `columns` characters. Rates are by the second. An edge that was restarted
// between has counted from 0.
[[nodiscard]] std::vector<std::string> top_view(const TopLook& before, const TopLook& now,
                                                const TopViewOptions& options);

// By linear interpolation in the bucket, as Prometheus' histogram_quantile() does; nothing where there is
// nothing in any.
[[nodiscard]] std::optional<double> bucket_quantile(const std::vector<double>& bounds,
                                                    const std::vector<double>& buckets, double quantile);

}  // namespace freshet::proxy
