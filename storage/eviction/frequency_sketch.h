// FrequencySketch: how often a digest came by lately, roughly: a count-min sketch of four rows whose counters
// are halved as soon as ten times as many uses were counted as it was made for. Small: four bytes for each
// entry (or eight, just after it grew).
//
// Not thread-safe; owned by a policy. (Einziger, Friedman, Manes: TinyLFU, ACM TOS 2017.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/base/hash.h"

namespace freshet::storage {

class FrequencySketch {
 public:
  // Makes room for that many entries; what was counted stays.
  void fit(std::size_t entries);
  void count(const Digest128& digest);
  // 0 to kMost; never less than was counted since it was last halved.
  [[nodiscard]] std::uint8_t estimate(const Digest128& digest) const;
  [[nodiscard]] std::size_t overhead() const { return kRows * rows_[0].capacity(); }

  static constexpr std::uint8_t kMost = 15;

 private:
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kLeastWidth = 64;

  [[nodiscard]] std::size_t place(const Digest128& digest, std::size_t row) const;

  std::array<std::vector<std::uint8_t>, kRows> rows_{
      std::vector<std::uint8_t>(kLeastWidth), std::vector<std::uint8_t>(kLeastWidth),
      std::vector<std::uint8_t>(kLeastWidth), std::vector<std::uint8_t>(kLeastWidth)};
  std::size_t counted_ = 0;
};

}  // namespace freshet::storage
