#include "storage/http/header_fields.h"

#include <gtest/gtest.h>

namespace freshet::storage {
namespace {

TEST(HeaderFields, KeepsOrderSpellingAndWireForm) {
  HeaderFields fields;
  fields.add("x-One", "1");
  fields.add(FieldName::kETag, "\"a\"");
  EXPECT_EQ(fields.wire(), "x-One: 1\r\nETag: \"a\"\r\n");
  EXPECT_EQ(fields.line(0).name, "x-One");
  EXPECT_EQ(fields.line(1).id, FieldName::kETag);
}

TEST(HeaderFields, FindsNamesWithoutCase) {
  HeaderFields fields;
  fields.add("ETAG", "\"a\"");
  fields.add("X-Other", "b");
  EXPECT_EQ(fields.first(FieldName::kETag), "\"a\"");
  EXPECT_EQ(fields.first("x-other"), "b");
  EXPECT_FALSE(fields.has("x-othe"));
}

TEST(HeaderFields, CombinesRepeatedLinesInOrder) {
  HeaderFields fields;
  fields.add("Vary", "a");
  fields.add("X", "1");
  fields.add("vary", "b, c");
  EXPECT_EQ(fields.combined(FieldName::kVary), "a, b, c");
  EXPECT_EQ(fields.count(FieldName::kVary), 2U);
  EXPECT_FALSE(fields.combined("absent").has_value());
}

TEST(HeaderFields, RemovesAndSetsEveryLineOfAName) {
  HeaderFields fields;
  fields.add("Age", "1");
  fields.add("X", "y");
  fields.add("age", "2");
  EXPECT_EQ(fields.remove(FieldName::kAge), 2U);
  EXPECT_EQ(fields.wire(), "X: y\r\n");
  fields.set(FieldName::kAge, fields.line(0).value);
  EXPECT_EQ(fields.wire(), "X: y\r\nAge: y\r\n");
}

TEST(FieldName, EveryNameInTheTableIsFoundInAnyCase) {
  for (int id = 1; id < static_cast<int>(FieldName::kCount); ++id) {
    const auto name = static_cast<FieldName>(id);
    std::string text(field_name_text(name));
    EXPECT_EQ(intern_field_name(text), name);
    for (char& c : text) c = ascii_lower(c);
    EXPECT_EQ(intern_field_name(text), name);
  }
  EXPECT_EQ(intern_field_name("X-Nothing"), FieldName::kOther);
}

}  // namespace
}  // namespace freshet::storage
