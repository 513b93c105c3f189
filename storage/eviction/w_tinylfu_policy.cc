#include "storage/eviction/w_tinylfu_policy.h"

#include <algorithm>

namespace freshet::storage {

WTinyLfuPolicy::WTinyLfuPolicy(std::uint64_t capacity)
    : capacity_(capacity),
      window_capacity_(capacity / 100),
      protected_capacity_((capacity - window_capacity_) / 5 * 4) {}

EvictionList& WTinyLfuPolicy::list_of(const EvictionNode& node) {
  if (window_.holds(node)) return window_;
  return probation_.holds(node) ? probation_ : protected_;
}

void WTinyLfuPolicy::insert(EvictionNode& node) {
  sketch_.fit(window_.size() + probation_.size() + protected_.size() + 1);
  sketch_.count(node.digest);
  node.frequency = 0;
  window_.push_newest(node);
  if (bytes() > capacity_) return;
  // There is room: nobody has to be asked.
  while (window_.bytes() > window_capacity_) probation_.push_newest(*take_oldest(window_));
}

void WTinyLfuPolicy::use(EvictionNode& node) {
  sketch_.count(node.digest);
  count_use(node, 3);
  if (probation_.holds(node)) {
    probation_.remove(node);
    protected_.push_newest(node);
    trim_protected();
  } else {
    list_of(node).make_newest(node);
  }
}

void WTinyLfuPolicy::trim_protected() {
  while (protected_.bytes() > protected_capacity_) probation_.push_newest(*take_oldest(protected_));
}

EvictionNode* WTinyLfuPolicy::take_oldest(EvictionList& list) {
  EvictionNode* const oldest = list.oldest();
  if (oldest != nullptr) list.remove(*oldest);
  return oldest;
}

std::uint64_t WTinyLfuPolicy::needed_for(const EvictionNode& candidate) const {
  return std::min(bytes() > capacity_ ? bytes() - capacity_ : 1, candidate.bytes);
}

bool WTinyLfuPolicy::admits(const EvictionNode& candidate) const {
  constexpr int kMostVictims = 32;
  // Compared with what would be over without it: those that go first are the fairest match.
  const std::uint64_t others = bytes() - candidate.bytes;
  const std::uint64_t over = others > capacity_ ? others - capacity_ : 1;
  const std::uint64_t needed = std::min(over, candidate.bytes);
  std::uint64_t displaced = 0;
  std::uint64_t uses = 0;  // times bytes
  int left = kMostVictims;
  for (const EvictionNode* victim = probation_.oldest(); victim != nullptr && displaced < needed && left > 0;
       victim = victim->newer, --left) {
    displaced += victim->bytes;
    uses += victim->bytes * sketch_.estimate(victim->digest);
  }
  return displaced * sketch_.estimate(candidate.digest) > uses;
}

EvictionNode* WTinyLfuPolicy::evict() {
  while (window_.bytes() > window_capacity_) {
    EvictionNode* const candidate = window_.oldest();
    // All that goes for it stands in probation, before it.
    while (probation_.bytes() < needed_for(*candidate) && protected_.size() != 0) {
      probation_.push_newest(*take_oldest(protected_));
    }
    const bool admitted = probation_.size() != 0 && admits(*candidate);
    window_.remove(*candidate);
    if (probation_.size() == 0 && candidate->bytes <= capacity_ - window_capacity_) {
      probation_.push_newest(*candidate);
      continue;
    }
    if (!admitted) return candidate;
    EvictionNode* const victim = take_oldest(probation_);
    probation_.push_newest(*candidate);
    return victim;
  }
  for (EvictionList* const list : {&probation_, &protected_, &window_}) {
    if (EvictionNode* const victim = take_oldest(*list)) return victim;
  }
  return nullptr;
}

}  // namespace freshet::storage
