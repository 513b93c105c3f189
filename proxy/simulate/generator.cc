#include "proxy/simulate/generator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "proxy/simulate/random.h"
#include "storage/base/check.h"

namespace freshet::proxy {

namespace {

constexpr double kMedianSize = 12.0 * 1024;
constexpr double kSigma = 1.4;
constexpr std::uint64_t kLeastSize = 64;
constexpr std::int64_t kRequestsInMillisecond = 10;

// A generator of its own for each object, so that its size does not depend on who asked before.
Random random_of(std::uint64_t object, std::uint64_t seed) {
  return Random(Random(seed).next() ^ Random(object).next());
}

std::uint64_t log_normal_size(std::uint64_t object, std::uint64_t seed) {
  const double size = random_of(object, seed).log_normal(kMedianSize, kSigma);
  return std::max(kLeastSize, static_cast<std::uint64_t>(size));
}

std::uint64_t mixed_size(std::uint64_t object, std::uint64_t seed) {
  constexpr std::uint64_t kKiB = 1024;
  Random random = random_of(object, seed);
  if (random.below(200) == 0) return 4096 * kKiB + random.below(28 * 1024 * kKiB);
  return kKiB + random.below(15 * kKiB);
}

// Ranks from 0 up, by their cumulative weight.
class Zipf {
 public:
  Zipf(std::uint64_t ranks, double alpha) {
    cumulative_.reserve(ranks);
    double sum = 0;
    for (std::uint64_t rank = 0; rank < ranks; ++rank) {
      sum += std::pow(static_cast<double>(rank + 1), -alpha);
      cumulative_.push_back(sum);
    }
  }
  [[nodiscard]] std::uint64_t draw(Random& random) const {
    const double at = random.unit() * cumulative_.back();
    const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
    return std::min<std::uint64_t>(static_cast<std::uint64_t>(found - cumulative_.begin()),
                                   cumulative_.size() - 1);
  }

 private:
  std::vector<double> cumulative_;
};

// Counts the requests, and gives sizes.
class Base : public Generator {
 public:
  explicit Base(const GeneratorOptions& options) : options_(options), random_(options.seed) {}

  GeneratedRequest next() final {
    const std::uint64_t object = next_object();
    const std::int64_t time = static_cast<std::int64_t>(count_++) / kRequestsInMillisecond;
    return {time, object, size_of(object)};
  }

 protected:
  virtual std::uint64_t next_object() = 0;
  [[nodiscard]] virtual std::uint64_t size_of(std::uint64_t object) const {
    return log_normal_size(object, options_.seed);
  }

  [[nodiscard]] std::uint64_t objects() const { return options_.objects; }
  [[nodiscard]] std::uint64_t seed() const { return options_.seed; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  Random& random() { return random_; }

 private:
  const GeneratorOptions options_;
  Random random_;
  std::uint64_t count_ = 0;
};

class ZipfGenerator : public Base {
 public:
  explicit ZipfGenerator(const GeneratorOptions& options)
      : Base(options), zipf_(options.objects, options.alpha) {}

 protected:
  std::uint64_t next_object() override { return draw(); }
  std::uint64_t draw() { return zipf_.draw(random()); }

 private:
  const Zipf zipf_;
};

class OneHitGenerator final : public ZipfGenerator {
 public:
  explicit OneHitGenerator(const GeneratorOptions& options)
      : ZipfGenerator(options), newest_(options.objects) {}

 private:
  std::uint64_t next_object() override { return random().below(4) == 0 ? newest_++ : draw(); }

  std::uint64_t newest_;
};

class ScanGenerator final : public ZipfGenerator {
 public:
  using ZipfGenerator::ZipfGenerator;

 private:
  std::uint64_t next_object() override {
    const std::uint64_t length = std::max<std::uint64_t>(objects() / 10, 1);
    if (left_ == 0 && random().below(4 * length) == 0) {
      left_ = length;
      at_ = objects() + random().below(objects());
    }
    if (left_ == 0) return draw();
    --left_;
    return at_++;
  }

  std::uint64_t left_ = 0;  // of the scan in progress
  std::uint64_t at_ = 0;
};

class SizeMixGenerator final : public ZipfGenerator {
 public:
  using ZipfGenerator::ZipfGenerator;

 private:
  [[nodiscard]] std::uint64_t size_of(std::uint64_t object) const override {
    return mixed_size(object, seed());
  }
};

class ChurnGenerator final : public ZipfGenerator {
 public:
  explicit ChurnGenerator(const GeneratorOptions& options)
      : ZipfGenerator(options), newest_(options.objects) {
    for (std::uint64_t rank = 0; rank < options.objects; ++rank) object_at_.push_back(rank);
  }

 private:
  static constexpr std::uint64_t kRequestsPerNewcomer = 10;

  std::uint64_t next_object() override {
    if (count() % kRequestsPerNewcomer == kRequestsPerNewcomer - 1) arrive();
    return object_at_[draw()];
  }

  // Popular ranks are few: a rank drawn evenly would hardly ever be one of them.
  void arrive() {
    std::uint64_t coming = newest_++;
    std::uint64_t rank = draw();
    for (; rank < object_at_.size(); rank = 2 * rank + 1) std::swap(object_at_[rank], coming);
  }

  std::uint64_t newest_;
  std::vector<std::uint64_t> object_at_;
};

class LoopGenerator final : public Base {
 public:
  using Base::Base;

 private:
  std::uint64_t next_object() override { return count() % objects(); }
};

template <typename Kind>
std::unique_ptr<Generator> make(const GeneratorOptions& options) {
  return std::make_unique<Kind>(options);
}

struct KindRow {
  std::string_view name;
  std::unique_ptr<Generator> (*make)(const GeneratorOptions&);
};

constexpr KindRow kKinds[] = {
    {"zipf", make<ZipfGenerator>},   {"zipf-one-hit", make<OneHitGenerator>},
    {"scan", make<ScanGenerator>},   {"size-mix", make<SizeMixGenerator>},
    {"churn", make<ChurnGenerator>}, {"loop", make<LoopGenerator>},
};

}  // namespace

const std::vector<std::string_view>& generator_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const KindRow& row : kKinds) all.push_back(row.name);
    return all;
  }();
  return names;
}

std::string generated_key(std::uint64_t object) {
  return "o" + std::to_string(object);
}

std::unique_ptr<Generator> make_generator(const GeneratorOptions& options) {
  for (const KindRow& row : kKinds) {
    if (row.name == options.kind) return row.make(options);
  }
  FRESHET_CHECK(false);
  return nullptr;
}

Trace generate(const GeneratorOptions& options) {
  const std::unique_ptr<Generator> generator = make_generator(options);
  Trace trace;
  for (std::uint64_t i = 0; i < options.requests; ++i) {
    const GeneratedRequest request = generator->next();
    trace.add(storage::digest128(generated_key(request.object)), request.size, request.time);
  }
  trace.finish();
  return trace;
}

}  // namespace freshet::proxy
