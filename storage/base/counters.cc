#include "storage/base/counters.h"

#include <numeric>

namespace freshet::storage {

namespace {

constexpr CounterInfo kInfo[] = {
#define FRESHET_COUNTER_INFO(id, name, type, help) {name, type, help},
    FRESHET_COUNTERS(FRESHET_COUNTER_INFO)
#undef FRESHET_COUNTER_INFO
};

constexpr HistogramInfo kHistogramInfo[] = {
#define FRESHET_HISTOGRAM_INFO(id, name, unit, help) {name, HistogramUnit::unit, help},
    FRESHET_HISTOGRAMS(FRESHET_HISTOGRAM_INFO)
#undef FRESHET_HISTOGRAM_INFO
};

}  // namespace

const CounterInfo& counter_info(Counter counter) {
  return kInfo[static_cast<std::size_t>(counter)];
}

const HistogramInfo& histogram_info(Histogram histogram) {
  return kHistogramInfo[static_cast<std::size_t>(histogram)];
}

const HistogramBounds& histogram_bounds(HistogramUnit unit) {
  return unit == HistogramUnit::kBytes ? kByteBounds : kMicrosecondBounds;
}

std::uint64_t HistogramValues::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

void Counters::add_to(Histogram histogram, HistogramValues& values) const {
  const Cells& cells = histograms_[static_cast<std::size_t>(histogram)];
  for (std::size_t i = 0; i < values.buckets.size(); ++i) {
    values.buckets[i] += cells.buckets[i].load(std::memory_order_relaxed);
  }
  values.sum += cells.sum.load(std::memory_order_relaxed);
}

Counters& CounterSet::make() {
  const MutexLock lock(mutex_);
  all_.push_back(std::make_unique<Counters>());
  return *all_.back();
}

std::int64_t CounterSet::sum(Counter counter) const {
  const MutexLock lock(mutex_);
  std::int64_t total = 0;
  for (const auto& counters : all_) total += counters->get(counter);
  return total;
}

HistogramValues CounterSet::sum(Histogram histogram) const {
  const MutexLock lock(mutex_);
  HistogramValues total;
  for (const auto& counters : all_) counters->add_to(histogram, total);
  return total;
}

}  // namespace freshet::storage
