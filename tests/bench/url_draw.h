// Which number stands in the URL of a loader's next request: always 0, counted up, or drawn with weight
// 1/rank. One thread. The same seed draws the same numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace freshet::bench {

class UrlDraw {
 public:
  // `text`: one, sequence:FIRST or zipf:COUNT; ends the program where it is none of them.
  UrlDraw(const std::string& text, uint64_t seed) : random_(seed) {
    const uint64_t number = std::strtoull(text.substr(text.find(':') + 1).c_str(), nullptr, 10);
    if (text.starts_with("sequence:")) {
      next_ = number;
      step_ = 1;
    } else if (text.starts_with("zipf:")) {
      double sum = 0;
      for (uint64_t rank = 1; rank <= number; ++rank)
        cumulative_.push_back(sum += 1.0 / static_cast<double>(rank));
    } else if (text != "one") {
      std::fprintf(stderr, "loader: --draw %s\n", text.c_str());
      std::exit(2);
    }
  }

  uint64_t next() {
    if (cumulative_.empty()) return std::exchange(next_, next_ + step_);
    const double drawn = std::uniform_real_distribution<double>(0, cumulative_.back())(random_);
    const auto found = std::lower_bound(cumulative_.begin(), cumulative_.end(), drawn);
    return static_cast<uint64_t>(found - cumulative_.begin());
  }

 private:
  std::mt19937_64 random_;
  std::vector<double> cumulative_;
  uint64_t next_ = 0, step_ = 0;
};

}  // namespace freshet::bench
