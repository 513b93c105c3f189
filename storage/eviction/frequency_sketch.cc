#include "storage/eviction/frequency_sketch.h"

#include <algorithm>

namespace freshet::storage {

std::size_t FrequencySketch::place(const Digest128& digest, std::size_t row) const {
  const std::uint64_t mixed = (digest.low + row * digest.high) * 0x9e3779b97f4a7c15U;
  return static_cast<std::size_t>(mixed ^ (mixed >> 32U)) & (rows_[0].size() - 1);
}

// A place in the wider row is the place in the old one with a bit more, so both halves begin as the old row.
void FrequencySketch::fit(std::size_t entries) {
  while (rows_[0].size() < entries) {
    for (auto& row : rows_) {
      const std::size_t width = row.size();
      row.resize(2 * width);
      std::copy_n(row.begin(), width, row.begin() + static_cast<std::ptrdiff_t>(width));
    }
  }
}

std::uint8_t FrequencySketch::estimate(const Digest128& digest) const {
  std::uint8_t least = kMost;
  for (std::size_t row = 0; row < kRows; ++row) least = std::min(least, rows_[row][place(digest, row)]);
  return least;
}

void FrequencySketch::count(const Digest128& digest) {
  const std::uint8_t now = estimate(digest);
  if (now < kMost) {
    for (std::size_t row = 0; row < kRows; ++row) {
      std::uint8_t& counter = rows_[row][place(digest, row)];
      if (counter == now) ++counter;
    }
  }
  if (++counted_ < 10 * rows_[0].size()) return;
  counted_ /= 2;
  for (auto& row : rows_) {
    for (std::uint8_t& counter : row) counter /= 2;
  }
}

}  // namespace freshet::storage
