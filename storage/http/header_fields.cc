#include "storage/http/header_fields.h"

#include <limits>

#include "storage/base/check.h"
#include "storage/base/chunk.h"

namespace freshet::storage {

HeaderFields::Line HeaderFields::line(std::size_t i) const {
  const Place& place = index_[i];
  const std::string_view all = arena_;
  return {place.id, all.substr(place.name_offset, place.name_size),
          all.substr(place.value_offset, place.value_size)};
}

std::size_t HeaderFields::memory_size() const {
  static const std::size_t inside = std::string().capacity();
  return (arena_.capacity() > inside ? allocated(arena_.capacity() + 1) : 0) +
         allocated(index_.capacity() * sizeof(Place));
}

void HeaderFields::reserve(std::size_t bytes, std::size_t lines) {
  arena_.reserve(bytes);
  index_.reserve(lines);
}

void HeaderFields::shrink_to_fit() {
  arena_.shrink_to_fit();
  index_.shrink_to_fit();
}

void HeaderFields::clear() {
  arena_.clear();
  index_.clear();
}

void HeaderFields::add(std::string_view name, std::string_view value) {
  add_interned(intern_field_name(name), name, value);
}

void HeaderFields::add(FieldName name, std::string_view value) {
  add_interned(name, field_name_text(name), value);
}

void HeaderFields::add_interned(FieldName id, std::string_view name, std::string_view value) {
  FRESHET_CHECK(name.size() <= std::numeric_limits<std::uint16_t>::max());
  FRESHET_CHECK(arena_.size() + name.size() + value.size() + 4 < std::numeric_limits<std::uint32_t>::max());
  Place place{};
  place.id = id;
  place.name_offset = static_cast<std::uint32_t>(arena_.size());
  place.name_size = static_cast<std::uint16_t>(name.size());
  arena_.append(name);
  arena_.append(": ", 2);
  place.value_offset = static_cast<std::uint32_t>(arena_.size());
  place.value_size = static_cast<std::uint32_t>(value.size());
  arena_.append(value);
  arena_.append("\r\n", 2);
  index_.push_back(place);
}

bool HeaderFields::matches(const Place& place, FieldName id, std::string_view name) const {
  if (place.id != id) return false;
  if (id != FieldName::kOther) return true;
  return equals_ignoring_case(std::string_view(arena_).substr(place.name_offset, place.name_size), name);
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

bool HeaderFields::has(FieldName name) const {
  for (const Place& place : index_) {
    if (place.id == name) return true;
  }
  return false;
}

bool HeaderFields::has(std::string_view name) const {
  return first(name).has_value();
}

std::size_t HeaderFields::count(FieldName name) const {
  std::size_t lines = 0;
  for (const Place& place : index_) lines += place.id == name ? 1 : 0;
  return lines;
}

std::optional<std::string_view> HeaderFields::first(FieldName name) const {
  for (std::size_t i = 0; i < index_.size(); ++i) {
    if (index_[i].id == name) return line(i).value;
  }
  return std::nullopt;
}

std::optional<std::string_view> HeaderFields::first(std::string_view name) const {
  const FieldName id = intern_field_name(name);
  for (std::size_t i = 0; i < index_.size(); ++i) {
    if (matches(index_[i], id, name)) return line(i).value;
  }
  return std::nullopt;
}

std::optional<std::string> HeaderFields::combined(FieldName name) const {
  return combined(field_name_text(name));
}

std::optional<std::string> HeaderFields::combined(std::string_view name) const {
  const FieldName id = intern_field_name(name);
  std::optional<std::string> joined;
  for (std::size_t i = 0; i < index_.size(); ++i) {
    if (!matches(index_[i], id, name)) continue;
    if (joined) {
      joined->append(", ").append(line(i).value);
    } else {
      joined.emplace(line(i).value);
    }
  }
  return joined;
}

}  // namespace freshet::storage
