#include "storage/base/counters.h"

namespace freshet::storage {

namespace {

constexpr CounterInfo kInfo[] = {
#define FRESHET_COUNTER_INFO(id, name, type, help) {name, type, help},
    FRESHET_COUNTERS(FRESHET_COUNTER_INFO)
#undef FRESHET_COUNTER_INFO
};

}  // namespace

const CounterInfo& counter_info(Counter counter) {
  return kInfo[static_cast<std::size_t>(counter)];
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

}  // namespace freshet::storage
