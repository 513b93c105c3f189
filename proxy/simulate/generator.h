// Generators: synthetic traces with the traits by which caches differ. The same kind, numbers and seed give
// the same trace. An object is "o" and a number; its size is a function of that number and the seed,
// log-normal (median 12 KiB, sigma 1.4: mean 32 KiB, one in a hundred over 300 KiB) unless the kind says
// otherwise.
//
//   zipf          object of rank r with a probability in proportion to 1 / r^alpha, ranks and sizes
//   independent zipf-one-hit  the same, and one request in four is for an object that is never asked for
//   again scan          the same, and a fifth of the requests are runs through a tenth of as many other
//   objects, in order size-mix      the same with sizes of two kinds: 1 to 16 KiB, and one object in 200 of 4
//   to 32 MiB churn         the same, and after every tenth request a new object takes a random rank; whose
//   rank it takes falls to
//                 twice that rank, and so on: what was popular fades
//   loop          all objects in order, again and again
//
// One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/simulate/trace.h"

namespace freshet::proxy {

struct GeneratorOptions {
  std::string kind = "zipf";
  std::uint64_t requests = 1'000'000;
  std::uint64_t objects = 100'000;  // 1 to 2^31
  double alpha = 0.9;               // 0 to 4
  std::uint64_t seed = 1;
};

// Names of the kinds, in the order above.
[[nodiscard]] const std::vector<std::string_view>& generator_names();

struct GeneratedRequest {
  std::int64_t time = 0;  // milliseconds; ten requests each
  std::uint64_t object = 0;
  std::uint64_t size = 0;
};

// "o" and the number: what the trace has for a key.
[[nodiscard]] std::string generated_key(std::uint64_t object);

class Generator {
 public:
  virtual ~Generator() = default;
  // Never ends; the caller counts.
  virtual GeneratedRequest next() = 0;
};

// The kind must be one of the names.
[[nodiscard]] std::unique_ptr<Generator> make_generator(const GeneratorOptions& options);

// All of it, in memory and finished.
[[nodiscard]] Trace generate(const GeneratorOptions& options);

}  // namespace freshet::proxy
