// What a cache could do that knew the future: a yardstick for the policies.
//
// simulate_belady(): the farthest next use goes first, and what is not used again is not kept (Belady 1966).
// The most hits that are possible where all objects cost the same; otherwise a cache that could be had, no
// more.
//
// simulate_belady_size(): of 64 that are held, drawn at random (of all where there are no more), the one with
// the largest cost x time to its next use goes. A cache that could be had, and a better one for requests
// where sizes differ.
//
// offline_bound(): what no cache can exceed, whatever the sizes; perhaps none reaches it. A hit at request j
// for what was last asked for at request i means that the object stayed between them: it took its cost in
// each of the j - i gaps between successive requests. A cache of C bytes has C bytes in each of the n - 1
// gaps, so the hits of any cache take at most C x (n - 1) together. The bound drops that each gap has a limit
// of its own, and asks how much fits into the sum: for hits, intervals with the smallest cost x length first;
// for bytes, those with the most bytes for it first, the last one in part. Each ratio is a bound by itself:
// no single cache need have both. This is the lower bound on misses, PFOO-L, of Berger, Beckmann,
// Harchol-Balter, "Practical Bounds on Optimal Caching with Variable Object Sizes" (2018). It holds for
// caches that fetch on demand and in whole, which those here are.
//
// Pure; the random draws are the same each time.
#pragma once

#include <cstdint>
#include <vector>

#include "proxy/simulate/simulator.h"
#include "proxy/simulate/trace.h"

namespace freshet::proxy {

inline constexpr std::uint32_t kNoNextUse = std::numeric_limits<std::uint32_t>::max();

// Request: the next request for the same version.
[[nodiscard]] std::vector<std::uint32_t> next_uses(const Trace& trace);

[[nodiscard]] SimulationResult simulate_belady(const Trace& trace, const CacheSize& cache);

[[nodiscard]] SimulationResult simulate_belady_size(const Trace& trace, const CacheSize& cache);

// `hits` and `hit_bytes` are the two bounds, rounded down; there are no evictions.
[[nodiscard]] SimulationResult offline_bound(const Trace& trace, const CacheSize& cache);

}  // namespace freshet::proxy
