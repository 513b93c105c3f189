// How long answers took: a histogram in logarithmic steps of 1 %. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace freshet::bench {

class Latencies {
 public:
  void add(std::chrono::steady_clock::duration took) {
    const auto us =
        static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()) / 1000;
    const double bucket = std::log2(std::max(us, 1.0)) * kPerDoubling;
    ++counts_[std::min(static_cast<size_t>(bucket), counts_.size() - 1)];
    ++all_;
  }

  // Milliseconds below which this part of them is.
  [[nodiscard]] double at(double part) const {
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (static_cast<double>(seen) >= part * static_cast<double>(all_))
        return std::exp2((static_cast<double>(i) + 0.5) / kPerDoubling) / 1000;
    }
    return 0;
  }

 private:
  static constexpr double kPerDoubling = 64;
  std::array<uint64_t, 2048> counts_{};
  uint64_t all_ = 0;
};

}  // namespace freshet::bench
