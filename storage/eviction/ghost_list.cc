#include "storage/eviction/ghost_list.h"

#include <utility>

namespace freshet::storage {

namespace {

std::uint64_t short_digest(const Digest128& digest) {
  return digest.high == 0 ? 1 : digest.high;
}

}  // namespace

std::size_t GhostList::place_of(std::uint64_t digest) const {
  std::size_t place = static_cast<std::size_t>(digest) & (slots_.size() - 1);
  while (slots_[place].digest != 0 && slots_[place].digest != digest)
    place = (place + 1) & (slots_.size() - 1);
  return place;
}

// Moves back what stands behind a freed place and would not be found across the gap.
void GhostList::free_place(std::size_t place) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t next = (place + 1) & mask; slots_[next].digest != 0; next = (next + 1) & mask) {
    const std::size_t home = static_cast<std::size_t>(slots_[next].digest) & mask;
    if (((next - home) & mask) < ((next - place) & mask)) continue;
    slots_[place] = slots_[next];
    place = next;
  }
  slots_[place] = Slot{};
  --size_;
}

void GhostList::grow() {
  std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots_.empty() ? 64 : slots_.size() * 2));
  for (const Slot& slot : old) {
    if (slot.digest != 0) slots_[place_of(slot.digest)] = slot;
  }
}

void GhostList::forget_oldest() {
  const Gone gone = ring_.front();
  ring_.pop_front();
  bytes_ -= gone.bytes;
  const std::size_t place = place_of(gone.digest);
  if (slots_[place].digest == gone.digest && slots_[place].number == first_) free_place(place);
  ++first_;
}

void GhostList::remember(const Digest128& digest, std::uint64_t bytes) {
  if ((size_ + 1) * 4 > slots_.size() * 3) grow();
  const std::uint64_t own = short_digest(digest);
  const std::size_t place = place_of(own);
  if (slots_[place].digest == 0) ++size_;
  slots_[place] = Slot{own, first_ + ring_.size()};
  ring_.push_back(Gone{own, bytes});
  bytes_ += bytes;
  while (bytes_ > capacity_) forget_oldest();
}

bool GhostList::take(const Digest128& digest) {
  if (slots_.empty()) return false;
  const std::size_t place = place_of(short_digest(digest));
  if (slots_[place].digest == 0) return false;
  free_place(place);
  return true;
}

void GhostList::limit(std::uint64_t bytes, std::size_t count) {
  capacity_ = bytes;
  while (!ring_.empty() && (bytes_ > capacity_ || ring_.size() > count)) forget_oldest();
}

std::size_t GhostList::overhead() const {
  return slots_.capacity() * sizeof(Slot) + ring_.size() * sizeof(Gone);
}

}  // namespace freshet::storage
