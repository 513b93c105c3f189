#include "proxy/simulate/simulation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "proxy/simulate/offline.h"
#include "proxy/simulate/simulation_report.h"
#include "storage/eviction/eviction_policy.h"

namespace freshet::proxy {

namespace {

constexpr std::string_view kBelady = "belady";
constexpr std::string_view kBound = "bound";
constexpr int kFailedExitStatus = 2;

int failed(const std::string& line) {
  std::fprintf(stderr, "freshet: %s\n", line.c_str());
  return kFailedExitStatus;
}

// Whatever was printed before is judged as well: the stream remembers a failure.
int print_text(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  const bool printed = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  return printed ? 0 : failed("standard output: cannot be written");
}

int print_generated(const GeneratorOptions& options) {
  const std::unique_ptr<Generator> generator = make_generator(options);
  std::fputs("time,key,size\n", stdout);
  for (std::uint64_t i = 0; i < options.requests; ++i) {
    const GeneratedRequest request = generator->next();
    const int printed =
        std::printf("%lld.%03lld,%s,%llu\n", static_cast<long long>(request.time / 1000),
                    static_cast<long long>(request.time % 1000), generated_key(request.object).c_str(),
                    static_cast<unsigned long long>(request.size));
    if (printed < 0) break;
  }
  return print_text("");
}

std::uint64_t bytes_of(const SizeWish& wish, const Trace& trace) {
  if (wish.percent <= 0) return wish.bytes;
  const double bytes = std::floor(static_cast<double>(trace.footprint()) * wish.percent / 100);
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(bytes));
}

SimulationResult simulate_one(const Trace& trace, const std::string& policy, const CacheSize& cache) {
  if (policy == kBelady) return simulate_belady(trace, cache);
  if (policy == kBound) return offline_bound(trace, cache);
  return simulate(trace, *storage::make_eviction_policy(policy, cache.capacity), cache);
}

int report(const LoadedTrace& loaded, const SimulationOptions& options) {
  for (const std::string& complaint : loaded.complaints) {
    std::fprintf(stderr, "freshet: %s; skipped\n", complaint.c_str());
  }
  const std::vector<SimulationRow> rows = simulate_all(loaded.trace, options);
  return print_text(options.json ? simulation_json(loaded, rows) : simulation_table(loaded, rows));
}

}  // namespace

std::vector<std::string_view> simulation_policy_names() {
  std::vector<std::string_view> names = storage::eviction_policy_names();
  names.push_back(kBelady);
  names.push_back(kBound);
  return names;
}

std::vector<SimulationRow> simulate_all(const Trace& trace, const SimulationOptions& options) {
  std::vector<SimulationRow> rows;
  for (const SizeWish& wish : options.sizes) {
    const CacheSize cache{bytes_of(wish, trace), options.overhead};
    for (const std::string& policy : options.policies) {
      rows.push_back({policy, wish.text, cache, simulate_one(trace, policy, cache)});
    }
  }
  return rows;
}

int run_simulation(const SimulationOptions& options) {
  if (options.generator) {
    if (options.print) return print_generated(*options.generator);
    LoadedTrace loaded;
    loaded.trace = generate(*options.generator);
    return report(loaded, options);
  }
  const storage::Result<LoadedTrace> loaded = load_trace(options.trace);
  return loaded.ok() ? report(loaded.value(), options) : failed(loaded.error());
}

}  // namespace freshet::proxy
