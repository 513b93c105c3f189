// MetricsWriter: samples as Prometheus' text format (version 0.0.4) has them: HELP and TYPE once for each
// family, then its samples. A name may carry labels, `requests_total{outcome="hit"}`; those of one family
// come one after another. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/counters.h"

namespace freshet::proxy {

class MetricsWriter {
 public:
  MetricsWriter() { out_.reserve(std::size_t{64} * 1024); }

  // `name` as it is to stand there, with its prefix; `value` a number.
  void sample(std::string_view name, std::string_view type, std::string_view help, std::string_view value);
  // Its buckets, cumulated, its sum and its count.
  void histogram(std::string_view name, storage::HistogramUnit unit, std::string_view help,
                 const storage::HistogramValues& values);

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  void begin_family(std::string_view family, std::string_view type, std::string_view help);

  std::string out_;
  std::string family_;
};

// `value` divided by `per`, a power of ten, in digits: 1234567 per 1000000 is 1.234567.
[[nodiscard]] std::string decimal_text(std::int64_t value, std::int64_t per);

}  // namespace freshet::proxy
