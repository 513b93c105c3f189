#include "storage/http/field_name.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <string>

namespace freshet::storage {
namespace {

constexpr std::size_t kNames = static_cast<std::size_t>(FieldName::kCount);

// What equals_ignoring_case() has to say.
bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

TEST(FieldName, EveryNameIsKnownInAnyCase) {
  for (std::size_t id = 1; id < kNames; ++id) {
    const auto name = static_cast<FieldName>(id);
    const std::string text(field_name_text(name));
    std::string upper = text;
    std::string lower = text;
    std::string mixed = text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      lower[i] = ascii_lower(text[i]);
      const bool letter = lower[i] >= 'a' && lower[i] <= 'z';
      upper[i] = letter ? static_cast<char>(lower[i] - 0x20) : text[i];
      mixed[i] = i % 2 == 0 ? upper[i] : lower[i];
    }
    for (const std::string& each : {text, upper, lower, mixed}) {
      EXPECT_EQ(intern_field_name(each), name) << each;
    }
  }
}

// Above all those that differ in the bit by which capitals differ: CR is '-' without it.
TEST(FieldName, ANameWithOneOtherByteIsAnother) {
  for (std::size_t id = 1; id < kNames; ++id) {
    const std::string text(field_name_text(static_cast<FieldName>(id)));
    for (std::size_t i = 0; i < text.size(); ++i) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string other = text;
        other[i] = static_cast<char>(byte);
        const FieldName found = intern_field_name(other);
        ASSERT_EQ(found != FieldName::kOther && same(field_name_text(found), other),
                  found != FieldName::kOther)
            << other;
        ASSERT_EQ(found == static_cast<FieldName>(id), same(text, other)) << other;
        ASSERT_EQ(equals_ignoring_case(text, other), same(text, other)) << other;
      }
    }
  }
}

TEST(FieldName, PartsAndExtensionsAreOther) {
  for (std::size_t id = 1; id < kNames; ++id) {
    const std::string text(field_name_text(static_cast<FieldName>(id)));
    for (const std::string& other :
         {text.substr(1), text.substr(0, text.size() - 1), text + "x", "x" + text}) {
      const FieldName found = intern_field_name(other);
      EXPECT_TRUE(found == FieldName::kOther || same(field_name_text(found), other)) << other;
    }
  }
  EXPECT_EQ(intern_field_name(""), FieldName::kOther);
  EXPECT_EQ(intern_field_name("x"), FieldName::kOther);
}

}  // namespace
}  // namespace freshet::storage
