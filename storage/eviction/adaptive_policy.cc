#include "storage/eviction/adaptive_policy.h"

#include <algorithm>

namespace freshet::storage {

namespace {

// Parts of the capacity.
constexpr double kFirst = 0.1;
constexpr double kLeast = 0.02;
constexpr double kMost = 0.95;

// How far a byte that comes back moves the border, in bytes.
constexpr double kStep = 0.5;

constexpr std::uint8_t kMostUses = 7;

// Larger than this part of the capacity, and so many times the average entry.
constexpr double kLargePart = 1.0 / 32;
constexpr std::uint64_t kLargeTimes = 32;

// Each list remembers so much: 70 % of the capacity. Who stayed away for longer has nothing to teach.
std::uint64_t remembered(std::uint64_t capacity) {
  return capacity / 10 * 7;
}

// What comes back from the shorter list weighs more: its entries had fewer chances to.
double weight(const GhostList& own, const GhostList& other) {
  return std::max(1.0, static_cast<double>(other.size() + 1) / static_cast<double>(own.size() + 1));
}

}  // namespace

AdaptivePolicy::AdaptivePolicy(std::uint64_t capacity)
    : capacity_(static_cast<double>(capacity)),
      probation_capacity_(kFirst * capacity_),
      gone_from_probation_(remembered(capacity)),
      gone_from_main_(remembered(capacity)),
      refused_(4 * capacity) {}

bool AdaptivePolicy::pushes_out_many(const EvictionNode& node) const {
  const std::uint64_t count = probation_.size() + main_.size();
  return static_cast<double>(bytes()) > capacity_ &&
         static_cast<double>(node.bytes) > kLargePart * capacity_ &&
         node.bytes / kLargeTimes > bytes() / count;
}

void AdaptivePolicy::insert(EvictionNode& node) {
  const double step = kStep * static_cast<double>(node.bytes);
  double moved = 0;
  node.frequency = 0;
  refusing_ = nullptr;
  if (gone_from_probation_.take(node.digest)) {
    moved = step * weight(gone_from_probation_, gone_from_main_);
    node.frequency = 1;
  } else if (gone_from_main_.take(node.digest)) {
    moved = -step * weight(gone_from_main_, gone_from_probation_);
  }
  probation_capacity_ = std::clamp(probation_capacity_ + moved, kLeast * capacity_, kMost * capacity_);
  (moved != 0 ? main_ : probation_).push_newest(node);
  if (!pushes_out_many(node)) return;
  if (!refused_.take(node.digest)) {
    refusing_ = &node;
  } else if (moved == 0) {
    // It came back like any other; in probation it would push out all that is tried there.
    probation_.remove(node);
    main_.push_newest(node);
  }
}

void AdaptivePolicy::erase(EvictionNode& node) {
  if (refusing_ == &node) refusing_ = nullptr;
  list_of(node).remove(node);
}

void AdaptivePolicy::use(EvictionNode& node) {
  count_use(node, kMostUses);
  list_of(node).make_newest(node);
}

EvictionNode* AdaptivePolicy::evict() {
  if (EvictionNode* const refused = refusing_) {
    erase(*refused);
    refused_.remember(refused->digest, refused->bytes);
    return refused;
  }
  EvictionNode* const victim = evict_from_probation();
  return victim != nullptr ? victim : evict_from_main();
}

// Its share may be less than one entry: what came last stays as long as there is another.
bool AdaptivePolicy::probation_is_over() const {
  if (main_.size() == 0) return probation_.size() > 0;
  return probation_.size() > 1 && static_cast<double>(probation_.bytes()) > probation_capacity_;
}

// Null: it is within its share, now that what was used has moved to the main queue.
EvictionNode* AdaptivePolicy::evict_from_probation() {
  while (probation_is_over()) {
    EvictionNode* const candidate = probation_.oldest();
    probation_.remove(*candidate);
    if (candidate->frequency == 0) {
      gone_from_probation_.remember(candidate->digest, candidate->bytes);
      return candidate;
    }
    candidate->frequency = 0;
    main_.push_newest(*candidate);
  }
  return nullptr;
}

EvictionNode* AdaptivePolicy::evict_from_main() {
  while (EvictionNode* const candidate = main_.oldest()) {
    main_.remove(*candidate);
    if (candidate->frequency == 0) {
      gone_from_main_.remember(candidate->digest, candidate->bytes);
      return candidate;
    }
    --candidate->frequency;
    main_.push_newest(*candidate);
  }
  return nullptr;
}

}  // namespace freshet::storage
