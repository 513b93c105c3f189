#include "storage/http/field_name.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace freshet::storage {

namespace {

constexpr std::size_t kNames = static_cast<std::size_t>(FieldName::kCount);

constexpr std::array<std::string_view, kNames> kText = {std::string_view{},
#define FRESHET_FIELD_TEXT(id, text) std::string_view{text},
                                                        FRESHET_FIELD_NAMES(FRESHET_FIELD_TEXT)
#undef FRESHET_FIELD_TEXT
};

// An open-addressed table over length and three letters, built once, by the compiler. The multiplier was
// chosen so that no two names share a slot; another name that does is found behind it.
constexpr unsigned kSlotBits = 9;
constexpr std::size_t kSlots = std::size_t{1} << kSlotBits;
constexpr std::uint32_t kMultiplier = 0xa2f498a7;
constexpr std::size_t kShortest = 2;

constexpr std::size_t slot_of(std::string_view name) {
  const auto letter = [&](std::size_t i) { return static_cast<unsigned char>(name[i]) | 0x20U; };
  const std::size_t size = name.size();
  const std::uint32_t key =
      letter(0) | letter(size / 2) << 8U | letter(size - 2) << 16U | static_cast<std::uint32_t>(size) << 24U;
  return static_cast<std::uint32_t>(key * kMultiplier) >> (32 - kSlotBits);
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

// A name to be compared with: its text, and the bits of each byte that have to be equal, which are all but
// the one in which the two cases of a letter differ.
struct Known {
  static constexpr std::size_t kMost = 32;
  std::array<char, kMost> text{};
  std::array<char, kMost> fixed{};
  std::size_t size = 0;
};

constexpr std::array<Known, kNames> make_known() {
  std::array<Known, kNames> all{};
  for (std::size_t id = 1; id < kNames; ++id) {
    all[id].size = kText[id].size();
    for (std::size_t i = 0; i < kText[id].size(); ++i) {
      const char low = ascii_lower(kText[id][i]);
      all[id].text[i] = low;
      all[id].fixed[i] = low >= 'a' && low <= 'z' ? static_cast<char>(0xdf) : static_cast<char>(0xff);
    }
  }
  return all;
}

constexpr std::array<Known, kNames> kKnown = make_known();

template <typename Word>
Word word_at(const char* p) {
  Word word = 0;
  std::memcpy(&word, p, sizeof word);
  return word;
}

template <typename Word>
Word difference(const Known& known, const char* name, std::size_t at) {
  return (word_at<Word>(known.text.data() + at) ^ word_at<Word>(name + at)) &
         word_at<Word>(known.fixed.data() + at);
}

// Word by word; the last one overlaps the one before it.
template <typename Word>
bool is_known_in_words(const Known& known, const char* name) {
  const std::size_t last = known.size - sizeof(Word);
  Word differing = difference<Word>(known, name, last);
  for (std::size_t at = 0; at < last; at += sizeof(Word)) differing |= difference<Word>(known, name, at);
  return differing == 0;
}

bool is_known(const Known& known, std::string_view name) {
  if (known.size != name.size()) return false;
  if (known.size >= sizeof(std::uint64_t)) return is_known_in_words<std::uint64_t>(known, name.data());
  if (known.size >= sizeof(std::uint32_t)) return is_known_in_words<std::uint32_t>(known, name.data());
  return is_known_in_words<std::uint16_t>(known, name.data());
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

FieldName intern_field_name(std::string_view name) {
  if (name.size() < kShortest) return FieldName::kOther;
  for (std::size_t slot = slot_of(name); kTable[slot] != 0; slot = (slot + 1) % kSlots) {
    if (is_known(kKnown[kTable[slot]], name)) return static_cast<FieldName>(kTable[slot]);
  }
  return FieldName::kOther;
}

std::string_view field_name_text(FieldName name) {
  return kText[static_cast<std::size_t>(name)];
}

}  // namespace freshet::storage
