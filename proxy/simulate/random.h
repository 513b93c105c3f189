// Random numbers that are the same everywhere for the same seed: splitmix64 (Steele, Lea and Flood 2014), and
// the few ways of using it that the generators need. The standard library's distributions differ between
// libraries.
//
// Owned by whoever holds it; one thread.
#pragma once

#include <cmath>
#include <cstdint>

namespace freshet::proxy {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  // From 0 up to, but not, 1.
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  // From 0 to bound - 1; a bound far below 2^53.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>(unit() * static_cast<double>(bound));
  }
  // About normal, mean 0, deviation 1, within 6: the sum of twelve.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += unit();
    return sum;
  }
  // exp(normal) around `median`.
  double log_normal(double median, double sigma) { return median * std::exp(sigma * normal()); }

 private:
  std::uint64_t state_;
};

}  // namespace freshet::proxy
