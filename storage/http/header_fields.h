// HeaderFields: the field lines of one message, in order, with their spelling kept. All lines stand in one
// piece of memory in wire form ("Name: value\r\n" each), so that a stored head goes to a client as one piece
// and a copy costs one allocation. Behind them, growing towards them, an index of four bytes a line says
// where it begins and its interned name; where a name ends is known by its name, or by the first colon.
//
// All lines together have less than 32 MiB, which is more than what is read from a peer may have.
// Values have no leading or trailing whitespace and no CR, LF or NUL: whoever parses sees to that, add()
// checks it. Views that are handed out live until the next change. Owned by its message; not shared between
// threads while it is being changed. RFC 9110, section 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

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

  HeaderFields() = default;
  HeaderFields(const HeaderFields& other);
  HeaderFields& operator=(const HeaderFields& other);
  HeaderFields(HeaderFields&&) noexcept = default;
  HeaderFields& operator=(HeaderFields&&) noexcept = default;
  ~HeaderFields() = default;

  [[nodiscard]] std::size_t size() const { return block_ ? block_->lines : 0; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] Line line(std::size_t i) const;
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, size()}; }

  // All lines in wire form, without the empty line that ends a head.
  [[nodiscard]] std::string_view wire() const {
    return block_ ? std::string_view(text(), block_->bytes) : std::string_view{};
  }
  // Where all of it is kept; null: there never was a line.
  [[nodiscard]] const void* memory() const { return block_.get(); }
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
  // The same with the whole line in wire form, from elsewhere: "Name: value\r\n".
  void add_line(FieldName id, std::string_view line);

  // A set of names, and whether a line may have one of them: false is certain, and costs one comparison.
  using NameSet = std::uint64_t;
  [[nodiscard]] static constexpr NameSet bit_of(FieldName name) {
    return NameSet{1} << (static_cast<unsigned>(name) % 64);
  }
  [[nodiscard]] bool may_have(NameSet names) const { return block_ && (block_->names() & names) != 0; }

  // Removes every line of that name; returns how many.
  std::size_t remove(FieldName name);
  std::size_t remove(std::string_view name);
  // Removes every line for which `doomed(Line)` holds.
  template <typename Predicate>
  std::size_t remove_if(Predicate doomed);
  // Removes every line of that name and appends one.
  void set(FieldName name, std::string_view value);

  [[nodiscard]] bool has(FieldName name) const { return may_have(bit_of(name)) && find(name) < size(); }
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::size_t count(FieldName name) const;
  // The first line's value; nothing if there is none.
  [[nodiscard]] std::optional<std::string_view> first(FieldName name) const;
  [[nodiscard]] std::optional<std::string_view> first(std::string_view name) const;
  // All values of that name joined by ", " (RFC 9110, 5.3); nothing if there is none.
  [[nodiscard]] std::optional<std::string> combined(FieldName name) const;
  [[nodiscard]] std::optional<std::string> combined(std::string_view name) const;

 private:
  // What stands before the lines.
  struct Block {
    std::uint32_t bytes = 0;  // of lines
    std::uint32_t lines = 0;
    std::uint32_t capacity = 0;  // bytes for lines and index, a multiple of four
    // The NameSet of all lines; in halves, so that a block needs no more than four bytes' alignment.
    std::uint32_t names_low = 0;
    std::uint32_t names_high = 0;

    [[nodiscard]] NameSet names() const { return NameSet{names_high} << 32U | names_low; }
  };
  struct Free {
    void operator()(Block* block) const { ::operator delete(block); }
  };

  // Where a line begins, and which name it has.
  class Place {
   public:
    static constexpr unsigned kNameBits = 7;
    static constexpr std::size_t kMostBytes = std::size_t{1} << (32 - kNameBits);
    Place(std::size_t start, FieldName id)
        : packed_(static_cast<std::uint32_t>(start << kNameBits) | static_cast<std::uint32_t>(id)) {}
    [[nodiscard]] std::size_t start() const { return packed_ >> kNameBits; }
    [[nodiscard]] FieldName id() const { return static_cast<FieldName>(packed_ & ((1U << kNameBits) - 1)); }

   private:
    std::uint32_t packed_;
  };
  static_assert(static_cast<unsigned>(FieldName::kCount) <= 1U << Place::kNameBits);

  static std::unique_ptr<Block, Free> allocate(std::size_t capacity);
  [[nodiscard]] static char* text_of(Block* block) { return reinterpret_cast<char*>(block + 1); }
  [[nodiscard]] char* text() const { return text_of(block_.get()); }
  // The index is read backwards: line 0 has the last place.
  [[nodiscard]] Place* index_end() const { return reinterpret_cast<Place*>(text() + block_->capacity); }
  [[nodiscard]] Place place(std::size_t i) const { return *(index_end() - 1 - i); }
  [[nodiscard]] std::size_t needed() const;
  // A copy of all lines with room for so many bytes.
  [[nodiscard]] std::unique_ptr<Block, Free> copy(std::size_t capacity) const;
  // Where a line of so many bytes goes, its place noted. `old` keeps what the new block replaces.
  char* begin_line(FieldName id, std::size_t bytes, std::unique_ptr<Block, Free>& old);
  // The first line of that name; size(): none.
  [[nodiscard]] std::size_t find(FieldName name) const;
  [[nodiscard]] bool matches(std::size_t i, FieldName id, std::string_view name) const;

  std::unique_ptr<Block, Free> block_;  // null: there never was a line
};

template <typename Predicate>
std::size_t HeaderFields::remove_if(Predicate doomed) {
  HeaderFields kept;
  std::size_t removed = 0;
  kept.reserve(wire().size(), size());
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
