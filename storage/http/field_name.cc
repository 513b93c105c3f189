#include "storage/http/field_name.h"

#include <array>
#include <cstddef>

namespace freshet::storage {

namespace {

constexpr std::size_t kNames = static_cast<std::size_t>(FieldName::kCount);

constexpr std::array<std::string_view, kNames> kText = {std::string_view{},
#define FRESHET_FIELD_TEXT(id, text) std::string_view{text},
                                                        FRESHET_FIELD_NAMES(FRESHET_FIELD_TEXT)
#undef FRESHET_FIELD_TEXT
};

// An open-addressed table over length, first, middle and last letter; built once, by the compiler.
constexpr std::size_t kSlots = 512;

constexpr std::size_t slot_of(std::string_view name) {
  const auto letter = [&](std::size_t i) { return static_cast<std::size_t>(ascii_lower(name[i])); };
  return (name.size() * 7 + letter(0) * 31 + letter(name.size() / 2) * 151 + letter(name.size() - 1) * 13) %
         kSlots;
}

constexpr std::array<std::uint8_t, kSlots> make_table() {
  std::array<std::uint8_t, kSlots> table{};
  for (std::size_t id = 1; id < kNames; ++id) {
    std::size_t slot = slot_of(kText[id]);
    while (table[slot] != 0) slot = (slot + 1) % kSlots;
    table[slot] = static_cast<std::uint8_t>(id);
  }
  return table;
}

constexpr std::array<std::uint8_t, kSlots> kTable = make_table();

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

FieldName intern_field_name(std::string_view name) {
  if (name.empty()) return FieldName::kOther;
  for (std::size_t slot = slot_of(name); kTable[slot] != 0; slot = (slot + 1) % kSlots) {
    if (equals_ignoring_case(kText[kTable[slot]], name)) return static_cast<FieldName>(kTable[slot]);
  }
  return FieldName::kOther;
}

std::string_view field_name_text(FieldName name) {
  return kText[static_cast<std::size_t>(name)];
}

}  // namespace freshet::storage
