#include "storage/variant_set.h"

#include <algorithm>

namespace freshet::storage {

VariantSet::VariantSet(std::vector<StoredResponsePtr> variants) {
  if (variants.size() <= 1) {
    if (!variants.empty()) newest_ = std::move(variants.front());
    return;
  }
  variants.shrink_to_fit();
  const auto list = std::make_shared<const std::vector<StoredResponsePtr>>(std::move(variants));
  newest_ = StoredResponsePtr(list, list->front().get());
  list_ = list.get();
}

std::size_t VariantSet::memory_size() const {
  if (list_ == nullptr) return 0;
  constexpr std::size_t kCounts = 2 * sizeof(void*);
  return allocated(kCounts + sizeof(std::vector<StoredResponsePtr>)) +
         allocated(list_->capacity() * sizeof(StoredResponsePtr));
}

bool operator==(const VariantSet& a, const VariantSet& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace freshet::storage
