#include "storage/eviction/duel_policy.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace freshet::storage {

namespace {

constexpr std::array<std::string_view, 3> kContestants = {"lru", "s3-fifo", "w-tinylfu"};
constexpr std::size_t kLru = 0;

// The shadows' share of memory, and how many entries are enough to learn from.
constexpr std::uint64_t kShadowShare = 64;
constexpr std::size_t kBytesPerEntry = 300;  // in all shadows
constexpr std::size_t kMostInShadow = 8192;
constexpr std::size_t kLeastInShadow = 64;

constexpr std::size_t kRound = 512;  // sampled requests
constexpr double kFade = 0.98;       // what a round counts for in the next one's comparison
constexpr double kDeviations = 3;    // a difference of so many is no chance
constexpr std::size_t kHandOver = 8;

// A large entry is more than this part of the capacity, and has the place of more than so many others.
constexpr std::uint64_t kLarge = 32;

}  // namespace

DuelPolicy::DuelPolicy(std::uint64_t capacity)
    : capacity_(capacity),
      most_in_shadow_(std::clamp<std::size_t>(
          static_cast<std::size_t>(capacity / kShadowShare / kBytesPerEntry), kLeastInShadow, kMostInShadow)),
      requests_left_(kRound),
      refused_(4 * capacity) {
  for (std::size_t i = 0; i < kContestants.size(); ++i) {
    contestants_[i].policy = make_eviction_policy(kContestants[i], capacity);
    contestants_[i].shadow = std::make_unique<ShadowCache>(kContestants[i], capacity);
  }
}

std::string_view DuelPolicy::running() const {
  return kContestants[running_];
}

bool DuelPolicy::in_sample(const Digest128& digest) const {
  return ((digest.low >> 32U) & ((std::uint64_t{1} << sample_shift_) - 1)) == 0;
}

void DuelPolicy::observe(const EvictionNode& node) {
  if (!in_sample(node.digest)) return;
  std::size_t largest = 0;
  std::array<bool, kContestants.size()> hit{};
  for (std::size_t i = 0; i < contestants_.size(); ++i) {
    hit[i] = contestants_[i].shadow->request(node.digest, node.bytes);
    largest = std::max(largest, contestants_[i].shadow->size());
  }
  compare(node.bytes, hit);
  if (largest > most_in_shadow_) take_smaller_sample();
  if (--requests_left_ == 0) end_round();
}

// A miss costs a request, and its bytes: as much in the mean.
void DuelPolicy::compare(std::uint64_t bytes, const std::array<bool, kContestants.size()>& hit) {
  const auto own_bytes = static_cast<double>(bytes);
  mean_bytes_ += (own_bytes - mean_bytes_) / 1024;
  const double cost = 1 + (mean_bytes_ > 0 ? own_bytes / mean_bytes_ : 0);
  for (std::size_t i = 0; i < contestants_.size(); ++i) {
    Contestant& each = contestants_[i];
    each.misses += hit[i] ? 0 : 1;
    each.differs += hit[i] != hit[kLru] ? 1 : 0;
    if (hit[i] == hit[running_]) continue;
    each.gain += hit[i] ? cost : -cost;
    each.square += cost * cost;
  }
}

std::size_t DuelPolicy::winner() const {
  const Contestant& lru = contestants_[kLru];
  const Contestant& running = contestants_[running_];
  std::size_t best = running_;
  if (running.misses - lru.misses > kDeviations * std::sqrt(running.differs)) best = kLru;
  for (std::size_t i = 0; i < contestants_.size(); ++i) {
    const Contestant& each = contestants_[i];
    const bool surely = each.gain > kDeviations * std::sqrt(each.square);
    if (surely && each.misses <= lru.misses && each.gain > contestants_[best].gain) best = i;
  }
  return best;
}

void DuelPolicy::end_round() {
  const std::size_t best = winner();
  for (Contestant& each : contestants_) {
    each.misses *= kFade;
    each.differs *= kFade;
    each.gain = best == running_ ? each.gain * kFade : 0;
    each.square = best == running_ ? each.square * kFade : 0;
  }
  running_ = best;
  requests_left_ = kRound;
}

void DuelPolicy::take_smaller_sample() {
  ++sample_shift_;
  for (std::size_t i = 0; i < kContestants.size(); ++i) {
    auto smaller = std::make_unique<ShadowCache>(kContestants[i], capacity_ >> sample_shift_);
    smaller->take(*contestants_[i].shadow, [this](const Digest128& digest) { return in_sample(digest); });
    contestants_[i].shadow = std::move(smaller);
  }
}

// What the other policy has seen of its use is not lost.
void DuelPolicy::move_in(EvictionNode& node) {
  std::uint8_t uses = node.frequency;
  node.holder = static_cast<std::uint8_t>(running_);
  running_policy().insert(node);
  for (; uses > 0; --uses) running_policy().use(node);
}

void DuelPolicy::hand_over() {
  if (running_policy().bytes() == bytes_) return;
  for (std::size_t i = 0; i < contestants_.size(); ++i) {
    if (i == running_) continue;
    EvictionPolicy& retired = *contestants_[i].policy;
    for (std::size_t left = kHandOver; left > 0; --left) {
      EvictionNode* const node = retired.evict();
      if (node == nullptr) break;
      move_in(*node);
    }
  }
}

bool DuelPolicy::pushes_out_many(const EvictionNode& node) const {
  return bytes_ > capacity_ && node.bytes > capacity_ / kLarge && node.bytes / kLarge > bytes_ / count_;
}

void DuelPolicy::insert(EvictionNode& node) {
  observe(node);
  hand_over();
  bytes_ += node.bytes;
  ++count_;
  node.holder = static_cast<std::uint8_t>(running_);
  running_policy().insert(node);
  refusing_ = pushes_out_many(node) && !refused_.take(node.digest) ? &node : nullptr;
}

void DuelPolicy::use(EvictionNode& node) {
  observe(node);
  if (node.holder != running_) {
    contestants_[node.holder].policy->erase(node);
    move_in(node);
  }
  running_policy().use(node);
}

void DuelPolicy::resize(EvictionNode& node, std::uint64_t bytes) {
  bytes_ += bytes - node.bytes;
  contestants_[node.holder].policy->resize(node, bytes);
}

void DuelPolicy::erase(EvictionNode& node) {
  if (refusing_ == &node) refusing_ = nullptr;
  bytes_ -= node.bytes;
  --count_;
  contestants_[node.holder].policy->erase(node);
}

// From whoever holds the most: the running policy, but for the beginning of a hand-over.
EvictionNode* DuelPolicy::evict() {
  if (EvictionNode* const refused = refusing_) {
    erase(*refused);
    refused_.remember(refused->digest, refused->bytes);
    return refused;
  }
  std::size_t from = running_;
  for (std::size_t i = 0; i < contestants_.size(); ++i) {
    if (contestants_[i].policy->bytes() > contestants_[from].policy->bytes()) from = i;
  }
  EvictionNode* const victim = contestants_[from].policy->evict();
  if (victim == nullptr) return nullptr;
  bytes_ -= victim->bytes;
  --count_;
  for (std::size_t i = 0; i < contestants_.size(); ++i) {
    if (i != from) contestants_[i].policy->gone(*victim);
  }
  return victim;
}

std::size_t DuelPolicy::overhead() const {
  std::size_t sum = sizeof(*this) + refused_.overhead();
  for (const Contestant& each : contestants_) sum += each.policy->overhead() + each.shadow->overhead();
  return sum;
}

}  // namespace freshet::storage
