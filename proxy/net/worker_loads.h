// WorkerLoads: how many connections each worker has, and which worker is to serve the next one.
//
// The kernel gives a new connection to one of the sockets that share a port by a hash of its addresses: 32
// connections fall 18 : 14 over two workers, or worse. So the worker that accepts one keeps it only while it
// has no more than its share, and hands it to the one with the fewest otherwise. A connection counts from the
// moment it is placed, also while it is handed over, so a burst is spread as evenly as a trickle.
//
// Shared by the workers; any thread. Touched once for a connection's begin and once for its end, never by a
// request.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace freshet::proxy {

// Which of the workers with these many connections serves one that `own` has accepted. `own`, unless another
// has fewer by more than a 32nd of what `own` has: few connections are spread exactly, and of many not half
// are handed over for the sake of one.
[[nodiscard]] std::size_t choose_worker(const std::vector<std::uint32_t>& loads, std::size_t own);

class WorkerLoads {
 public:
  explicit WorkerLoads(std::size_t workers) : loads_(workers) {}

  // The connection counts for the worker that is returned.
  [[nodiscard]] std::size_t place(std::size_t own);
  // One more, or one less, of a worker that knows itself.
  void join(std::size_t worker) { loads_[worker].connections.fetch_add(1, std::memory_order_relaxed); }
  void leave(std::size_t worker) { loads_[worker].connections.fetch_sub(1, std::memory_order_relaxed); }

  [[nodiscard]] std::vector<std::uint32_t> all() const;

 private:
  struct alignas(64) Load {
    std::atomic<std::uint32_t> connections{0};
  };
  std::vector<Load> loads_;
};

}  // namespace freshet::proxy
