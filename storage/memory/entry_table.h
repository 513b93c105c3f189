// EntryTable: a hash table of entries that live elsewhere, each linked through its own `next_in_table`; one
// pointer for each is all that the table adds. Found by digest: of several that have one (never in a store)
// any.
//
// Not thread-safe; owned by a shard of the memory tier, owns no entry.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "storage/base/hash.h"

namespace freshet::storage {

// `Entry` has `digest` and `Entry* next_in_table`.
template <typename Entry>
class EntryTable {
 public:
  [[nodiscard]] Entry* find(const Digest128& digest) const {
    if (places_.empty()) return nullptr;
    Entry* entry = places_[place_of(digest)];
    while (entry != nullptr && entry->digest != digest) entry = entry->next_in_table;
    return entry;
  }

  void insert(Entry& entry) {
    if (size_ == places_.size()) grow();
    link(entry);
    ++size_;
  }

  // It is in the table.
  void remove(Entry& entry) {
    Entry** at = &places_[place_of(entry.digest)];
    while (*at != &entry) at = &(*at)->next_in_table;
    *at = std::exchange(entry.next_in_table, nullptr);
    --size_;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  // Calls visit(Entry&) for each; it may delete the entry, and nothing else.
  template <typename Visit>
  void for_each(Visit visit) {
    for (Entry* entry : places_) {
      while (entry != nullptr) visit(*std::exchange(entry, entry->next_in_table));
    }
  }

 private:
  static constexpr std::size_t kFewest = 16;

  [[nodiscard]] std::size_t place_of(const Digest128& digest) const {
    return Digest128Hash{}(digest) & (places_.size() - 1);
  }
  void link(Entry& entry) {
    Entry*& place = places_[place_of(entry.digest)];
    entry.next_in_table = std::exchange(place, &entry);
  }
  void grow() {
    const std::vector<Entry*> old =
        std::exchange(places_, std::vector<Entry*>(places_.empty() ? kFewest : 2 * places_.size()));
    for (Entry* entry : old) {
      while (entry != nullptr) link(*std::exchange(entry, entry->next_in_table));
    }
  }

  std::vector<Entry*> places_;  // a power of two of them, or none
  std::size_t size_ = 0;
};

}  // namespace freshet::storage
