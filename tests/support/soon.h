// soon(): for what other threads will bring about. A test that would wait for ever fails instead, after a
// minute in which nothing came of it; nothing is measured by it.
#pragma once

#include <chrono>
#include <thread>

namespace freshet::tests {

template <typename Done>
[[nodiscard]] bool soon(Done done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace freshet::tests
