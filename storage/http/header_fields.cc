#include "storage/http/header_fields.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/chunk.h"

namespace freshet::storage {

namespace {

constexpr std::size_t kLeastCapacity = 256;

}  // namespace

std::unique_ptr<HeaderFields::Block, HeaderFields::Free> HeaderFields::allocate(std::size_t capacity) {
  constexpr std::size_t kStep = sizeof(Place);
  capacity = (capacity + kStep - 1) / kStep * kStep;
  FRESHET_CHECK(capacity <= std::numeric_limits<std::uint32_t>::max());
  std::unique_ptr<Block, Free> block(new (::operator new(sizeof(Block) + capacity)) Block);
  block->capacity = static_cast<std::uint32_t>(capacity);
  return block;
}

std::unique_ptr<HeaderFields::Block, HeaderFields::Free> HeaderFields::copy(std::size_t capacity) const {
  auto block = allocate(capacity);
  if (empty()) return block;
  block->bytes = block_->bytes;
  block->lines = block_->lines;
  block->names_low = block_->names_low;
  block->names_high = block_->names_high;
  const std::size_t index = block->lines * sizeof(Place);
  std::memcpy(text_of(block.get()), text(), block->bytes);
  std::memcpy(text_of(block.get()) + block->capacity - index, text() + block_->capacity - index, index);
  return block;
}

std::size_t HeaderFields::needed() const {
  return wire().size() + size() * sizeof(Place);
}

HeaderFields::HeaderFields(const HeaderFields& other)
    : block_(other.empty() ? nullptr : other.copy(other.needed())) {}

HeaderFields& HeaderFields::operator=(const HeaderFields& other) {
  if (this != &other) *this = HeaderFields(other);
  return *this;
}

HeaderFields::Line HeaderFields::line(std::size_t i) const {
  const Place at = place(i);
  const std::size_t end = i + 1 < size() ? place(i + 1).start() : block_->bytes;
  const std::string_view whole(text() + at.start(), end - at.start());
  const std::size_t name = at.id() == FieldName::kOther ? whole.find(':') : field_name_text(at.id()).size();
  return {at.id(), whole.substr(0, name), whole.substr(name + 2, whole.size() - name - 4)};
}

std::size_t HeaderFields::memory_size() const {
  return block_ ? allocated(sizeof(Block) + block_->capacity) : 0;
}

void HeaderFields::reserve(std::size_t bytes, std::size_t lines) {
  const std::size_t capacity = bytes + lines * sizeof(Place);
  if (capacity != 0 && (!block_ || capacity > block_->capacity)) block_ = copy(capacity);
}

void HeaderFields::shrink_to_fit() {
  if (!block_) return;
  if (empty()) {
    block_.reset();
  } else if (const std::size_t exact = needed(); block_->capacity >= exact + sizeof(Place)) {
    block_ = copy(exact);
  }
}

void HeaderFields::clear() {
  if (block_) block_->bytes = block_->lines = block_->names_low = block_->names_high = 0;
}

void HeaderFields::add(std::string_view name, std::string_view value) {
  add_interned(intern_field_name(name), name, value);
}

void HeaderFields::add(FieldName name, std::string_view value) {
  add_interned(name, field_name_text(name), value);
}

char* HeaderFields::begin_line(FieldName id, std::size_t bytes, std::unique_ptr<Block, Free>& old) {
  const std::size_t before = wire().size();
  const std::size_t after = before + bytes;
  FRESHET_CHECK(after < Place::kMostBytes);
  const std::size_t capacity = after + (size() + 1) * sizeof(Place);
  if (!block_ || capacity > block_->capacity) {
    old = std::exchange(block_, copy(std::max(2 * capacity, kLeastCapacity)));
  }
  new (index_end() - 1 - block_->lines) Place(before, id);
  block_->bytes = static_cast<std::uint32_t>(after);
  ++block_->lines;
  block_->names_low |= static_cast<std::uint32_t>(bit_of(id));
  block_->names_high |= static_cast<std::uint32_t>(bit_of(id) >> 32U);
  return text() + before;
}

void HeaderFields::add_interned(FieldName id, std::string_view name, std::string_view value) {
  std::unique_ptr<Block, Free> old;  // until the end: `value` may point into it
  char* to = begin_line(id, name.size() + value.size() + 4, old);
  const auto append = [&to](std::string_view piece) { to = std::copy(piece.begin(), piece.end(), to); };
  append(name);
  append(": ");
  append(value);
  append("\r\n");
}

void HeaderFields::add_line(FieldName id, std::string_view line) {
  std::unique_ptr<Block, Free> old;
  std::memcpy(begin_line(id, line.size(), old), line.data(), line.size());
}

bool HeaderFields::matches(std::size_t i, FieldName id, std::string_view name) const {
  if (place(i).id() != id) return false;
  return id != FieldName::kOther || equals_ignoring_case(line(i).name, name);
}

std::size_t HeaderFields::remove(FieldName name) {
  return has(name) ? remove_if([name](const Line& line) { return line.id == name; }) : 0;
}

std::size_t HeaderFields::remove(std::string_view name) {
  return remove_if([name](const Line& line) { return equals_ignoring_case(line.name, name); });
}

void HeaderFields::set(FieldName name, std::string_view value) {
  const std::string kept(value);  // `value` may point into this arena
  remove(name);
  add(name, kept);
}

std::size_t HeaderFields::find(FieldName name) const {
  std::size_t i = 0;
  while (i < size() && place(i).id() != name) ++i;
  return i;
}

bool HeaderFields::has(std::string_view name) const {
  return first(name).has_value();
}

std::size_t HeaderFields::count(FieldName name) const {
  std::size_t lines = 0;
  if (!may_have(bit_of(name))) return 0;
  for (std::size_t i = 0; i < size(); ++i) lines += place(i).id() == name ? 1 : 0;
  return lines;
}

std::optional<std::string_view> HeaderFields::first(FieldName name) const {
  if (!may_have(bit_of(name))) return std::nullopt;
  const std::size_t i = find(name);
  if (i == size()) return std::nullopt;
  return line(i).value;
}

std::optional<std::string_view> HeaderFields::first(std::string_view name) const {
  const FieldName id = intern_field_name(name);
  if (!may_have(bit_of(id))) return std::nullopt;
  for (std::size_t i = 0; i < size(); ++i) {
    if (matches(i, id, name)) return line(i).value;
  }
  return std::nullopt;
}

std::optional<std::string> HeaderFields::combined(FieldName name) const {
  return combined(field_name_text(name));
}

std::optional<std::string> HeaderFields::combined(std::string_view name) const {
  const FieldName id = intern_field_name(name);
  std::optional<std::string> joined;
  if (!may_have(bit_of(id))) return joined;
  for (std::size_t i = 0; i < size(); ++i) {
    if (!matches(i, id, name)) continue;
    if (joined) {
      joined->append(", ").append(line(i).value);
    } else {
      joined.emplace(line(i).value);
    }
  }
  return joined;
}

}  // namespace freshet::storage
