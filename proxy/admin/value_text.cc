#include "proxy/admin/value_text.h"

#include <array>
#include <cstdio>

namespace freshet::proxy {

std::string printed(const char* format, double value) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 6> kUnits = {"%.0f B",   "%.1f KiB", "%.1f MiB",
                                                 "%.1f GiB", "%.1f TiB", "%.1f PiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return printed(kUnits[unit], bytes);
}

std::string count_text(double count) {
  std::string digits = printed("%.0f", count);
  const std::size_t sign = digits.starts_with('-') ? 1 : 0;
  for (std::size_t i = digits.size(); i > sign + 3;) digits.insert(i -= 3, 1, ',');
  return digits;
}

std::string seconds_text(double seconds) {
  const auto whole = static_cast<long long>(seconds);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%lldd %02lld:%02lld:%02lld", whole / 86'400, whole / 3600 % 24,
                whole / 60 % 60, whole % 60);
  return text.data();
}

}  // namespace freshet::proxy
