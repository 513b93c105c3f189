// FloodGuard: how much a client may do on one HTTP/2 connection that costs work and asks for nothing: streams
// that it resets, pings, settings, empty frames, malformed requests. Each takes a point from an allowance;
// each request that was answered gives one back, and a tenth of the allowance comes back every second. So a
// browser that leaves a page is never stopped, and a flood (CVE-2023-44487 and its kin) is, soon.
//
// Pure: `now` is an argument. Owned by a session.
#pragma once

#include <algorithm>
#include <cstdint>

#include "storage/base/clock.h"

namespace freshet::proxy {

class FloodGuard {
 public:
  explicit FloodGuard(std::uint64_t allowance) : allowance_(static_cast<std::int64_t>(allowance) * kUnit) {}

  // False: it is used up; the connection is to be ended.
  [[nodiscard]] bool spend(storage::MonoTime now) {
    const std::int64_t elapsed = std::chrono::duration_cast<storage::Milliseconds>(now - last_).count();
    if (elapsed > 0) {
      last_ = now;
      spent_ = elapsed >= kRefill ? 0 : std::max<std::int64_t>(0, spent_ - allowance_ / kRefill * elapsed);
    }
    spent_ += kUnit;
    return spent_ <= allowance_;
  }
  void earn() { spent_ = std::max<std::int64_t>(0, spent_ - kUnit); }

 private:
  static constexpr std::int64_t kUnit = 10'000;    // of a point, so that a millisecond's share is whole
  static constexpr std::int64_t kRefill = 10'000;  // milliseconds until all of it is back

  std::int64_t allowance_;
  std::int64_t spent_ = 0;
  storage::MonoTime last_{};
};

}  // namespace freshet::proxy
