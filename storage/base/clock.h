// The two clocks. WallTime (milliseconds since 1970) is what HTTP dates and ages are made of; MonoTime
// orders events and measures waits, and never goes back. Policy takes either as an argument and never reads
// one; only event loops, workers and the store's threads call the functions below.
#pragma once

#include <chrono>

namespace freshet::storage {

using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Milliseconds>;
using MonoTime = std::chrono::steady_clock::time_point;

inline WallTime wall_now() {
  return std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now());
}
inline MonoTime mono_now() {
  return std::chrono::steady_clock::now();
}

inline WallTime wall_from_seconds(long long seconds) {
  return WallTime{Seconds{seconds}};
}

}  // namespace freshet::storage
