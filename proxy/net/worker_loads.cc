#include "proxy/net/worker_loads.h"

namespace freshet::proxy {

namespace {

constexpr std::uint32_t kSlackShare = 32;

}  // namespace

// Among those with equally few the next behind `own`, so that equals do not all give to the first.
std::size_t choose_worker(const std::vector<std::uint32_t>& loads, std::size_t own) {
  std::size_t least = own;
  for (std::size_t i = 1; i < loads.size(); ++i) {
    const std::size_t other = (own + i) % loads.size();
    if (loads[other] < loads[least]) least = other;
  }
  return loads[own] - loads[least] > loads[own] / kSlackShare ? least : own;
}

// Two workers that place at the same time may both choose the same third: by one connection each, which the
// next ones make up for.
std::size_t WorkerLoads::place(std::size_t own) {
  const std::size_t chosen = loads_.size() == 1 ? own : choose_worker(all(), own);
  join(chosen);
  return chosen;
}

std::vector<std::uint32_t> WorkerLoads::all() const {
  std::vector<std::uint32_t> loads;
  loads.reserve(loads_.size());
  for (const Load& load : loads_) loads.push_back(load.connections.load(std::memory_order_relaxed));
  return loads;
}

}  // namespace freshet::proxy
