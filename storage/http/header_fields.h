// HeaderFields: the field lines of one message, in order, with their spelling kept. All lines stand in one
// arena in wire form ("Name: value\r\n" each), so that a stored head goes to a client as one piece and a
// copy costs one allocation; an index gives each line's place and interned name.
//
// Values have no leading or trailing whitespace and no CR, LF or NUL: whoever parses sees to that, add()
// checks it. Views that are handed out live until the next change. Owned by its message; not shared between
// threads while it is being changed. RFC 9110, section 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/http/field_name.h"

namespace freshet::storage {

class HeaderFields {
 public:
  // One field line.
  struct Line {
    FieldName id;
    std::string_view name;
    std::string_view value;
  };

  class Iterator {
   public:
    Iterator(const HeaderFields* fields, std::size_t index) : fields_(fields), index_(index) {}
    Line operator*() const { return fields_->line(index_); }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    const HeaderFields* fields_;
    std::size_t index_;
  };

  [[nodiscard]] std::size_t size() const { return index_.size(); }
  [[nodiscard]] bool empty() const { return index_.empty(); }
  [[nodiscard]] Line line(std::size_t i) const;
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, index_.size()}; }

  // All lines in wire form, without the empty line that ends a head.
  [[nodiscard]] std::string_view wire() const { return arena_; }
  // Bytes of memory held, for accounting.
  [[nodiscard]] std::size_t memory_size() const;

  void reserve(std::size_t bytes, std::size_t lines);
  void shrink_to_fit();
  void clear();

  // Appends a line. `name` must be a token and `value` free of CR, LF, NUL.
  void add(std::string_view name, std::string_view value);
  void add(FieldName name, std::string_view value);
  // The same with the name interned already (the parser's way: one look-up a line).
  void add_interned(FieldName id, std::string_view name, std::string_view value);

  // Removes every line of that name; returns how many.
  std::size_t remove(FieldName name);
  std::size_t remove(std::string_view name);
  // Removes every line for which `doomed(Line)` holds.
  template <typename Predicate>
  std::size_t remove_if(Predicate doomed);
  // Removes every line of that name and appends one.
  void set(FieldName name, std::string_view value);

  [[nodiscard]] bool has(FieldName name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::size_t count(FieldName name) const;
  // The first line's value; nothing if there is none.
  [[nodiscard]] std::optional<std::string_view> first(FieldName name) const;
  [[nodiscard]] std::optional<std::string_view> first(std::string_view name) const;
  // All values of that name joined by ", " (RFC 9110, 5.3); nothing if there is none.
  [[nodiscard]] std::optional<std::string> combined(FieldName name) const;
  [[nodiscard]] std::optional<std::string> combined(std::string_view name) const;

 private:
  struct Place {
    std::uint32_t name_offset;
    std::uint32_t value_offset;
    std::uint32_t value_size;
    std::uint16_t name_size;
    FieldName id;
  };

  [[nodiscard]] bool matches(const Place& place, FieldName id, std::string_view name) const;

  std::string arena_;
  std::vector<Place> index_;
};

template <typename Predicate>
std::size_t HeaderFields::remove_if(Predicate doomed) {
  HeaderFields kept;
  std::size_t removed = 0;
  kept.reserve(arena_.size(), index_.size());
  for (const Line each : *this) {
    if (doomed(each)) {
      ++removed;
    } else {
      kept.add_interned(each.id, each.name, each.value);
    }
  }
  if (removed > 0) *this = std::move(kept);
  return removed;
}

}  // namespace freshet::storage
