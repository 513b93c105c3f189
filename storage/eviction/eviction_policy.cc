#include "storage/eviction/eviction_policy.h"

#include <array>

#include "storage/eviction/adaptive_policy.h"
#include "storage/eviction/lru_policy.h"
#include "storage/eviction/s3_fifo_policy.h"
#include "storage/eviction/sieve_policy.h"
#include "storage/eviction/w_tinylfu_policy.h"

namespace freshet::storage {

namespace {

using Make = std::unique_ptr<EvictionPolicy> (*)(std::uint64_t capacity);

struct Named {
  std::string_view name;
  Make make;
};

constexpr std::array kPolicies{
    Named{"lru",
          [](std::uint64_t /*capacity*/) -> std::unique_ptr<EvictionPolicy> {
            return std::make_unique<LruPolicy>();
          }},
    Named{"sieve",
          [](std::uint64_t /*capacity*/) -> std::unique_ptr<EvictionPolicy> {
            return std::make_unique<SievePolicy>();
          }},
    Named{"s3-fifo",
          [](std::uint64_t capacity) -> std::unique_ptr<EvictionPolicy> {
            return std::make_unique<S3FifoPolicy>(capacity);
          }},
    Named{"w-tinylfu",
          [](std::uint64_t capacity) -> std::unique_ptr<EvictionPolicy> {
            return std::make_unique<WTinyLfuPolicy>(capacity);
          }},
    Named{"adaptive",
          [](std::uint64_t capacity) -> std::unique_ptr<EvictionPolicy> {
            return std::make_unique<AdaptivePolicy>(capacity);
          }},
};

}  // namespace

std::unique_ptr<EvictionPolicy> make_eviction_policy(std::string_view name, std::uint64_t capacity) {
  for (const Named& each : kPolicies) {
    if (each.name == name) return each.make(capacity);
  }
  return nullptr;
}

std::vector<std::string_view> eviction_policy_names() {
  std::vector<std::string_view> names;
  names.reserve(kPolicies.size());
  for (const Named& each : kPolicies) names.push_back(each.name);
  return names;
}

}  // namespace freshet::storage
