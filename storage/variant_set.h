// VariantSet: the stored responses of one key, newest (by response_time) first; empty or immutable. Most keys
// have one: that is held as it is, with no memory of its own. Several are a list that all copies share. A
// copy counts one reference in either case.
//
// VariantSetPtr: a VariantSet that may be absent; what look-ups answer. Never an empty set.
//
// Plain values: any thread may hold one.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "storage/stored_response.h"

namespace freshet::storage {

class VariantSet {
 public:
  using value_type = StoredResponsePtr;
  using const_iterator = const StoredResponsePtr*;

  VariantSet() = default;
  VariantSet(const VariantSet&) = default;
  VariantSet& operator=(const VariantSet&) = default;
  // What was moved from is empty.
  VariantSet(VariantSet&& other) noexcept
      : newest_(std::move(other.newest_)), list_(std::exchange(other.list_, nullptr)) {}
  VariantSet& operator=(VariantSet&& other) noexcept {
    newest_ = std::move(other.newest_);
    list_ = std::exchange(other.list_, nullptr);
    return *this;
  }
  ~VariantSet() = default;
  explicit VariantSet(std::vector<StoredResponsePtr> variants);
  VariantSet(std::initializer_list<StoredResponsePtr> variants)
      : VariantSet(std::vector<StoredResponsePtr>(variants)) {}

  [[nodiscard]] const_iterator begin() const { return list_ != nullptr ? list_->data() : &newest_; }
  [[nodiscard]] const_iterator end() const { return begin() + size(); }
  [[nodiscard]] std::size_t size() const {
    if (list_ != nullptr) return list_->size();
    return newest_ != nullptr ? 1 : 0;
  }
  [[nodiscard]] bool empty() const { return newest_ == nullptr; }
  [[nodiscard]] const StoredResponsePtr& operator[](std::size_t i) const { return begin()[i]; }
  [[nodiscard]] const StoredResponsePtr& front() const { return *begin(); }
  [[nodiscard]] const StoredResponsePtr& back() const { return end()[-1]; }

  // Bytes of memory for the list, which are none for one response. The responses themselves do not count.
  [[nodiscard]] std::size_t memory_size() const;

  friend bool operator==(const VariantSet& a, const VariantSet& b);

 private:
  // Where there are several it owns the list, and with that itself.
  StoredResponsePtr newest_;
  const std::vector<StoredResponsePtr>* list_ = nullptr;
};

class VariantSetPtr {
 public:
  VariantSetPtr() = default;
  VariantSetPtr(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  explicit VariantSetPtr(VariantSet set) : set_(std::move(set)) {}

  [[nodiscard]] const VariantSet* get() const { return set_.empty() ? nullptr : &set_; }
  const VariantSet& operator*() const { return set_; }
  const VariantSet* operator->() const { return &set_; }
  explicit operator bool() const { return !set_.empty(); }
  friend bool operator==(const VariantSetPtr& a, std::nullptr_t) { return a.set_.empty(); }

 private:
  VariantSet set_;
};

// Null where there are none.
[[nodiscard]] inline VariantSetPtr make_variants(std::vector<StoredResponsePtr> variants) {
  return VariantSetPtr(VariantSet(std::move(variants)));
}

}  // namespace freshet::storage
