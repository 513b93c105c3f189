#include "storage/http/header_fields.h"

#include <gtest/gtest.h>

#include "storage/base/chunk.h"

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

TEST(HeaderFields, TakesAWholeLineAsItIsOnTheWire) {
  HeaderFields fields;
  for (int i = 0; i < 20; ++i) {
    fields.add_line(FieldName::kOther, "X-A: some value\r\n");
    fields.add_line(FieldName::kAge, "age: \r\n");
  }
  EXPECT_EQ(fields.size(), 40U);
  EXPECT_EQ(fields.line(38).name, "X-A");
  EXPECT_EQ(fields.line(38).value, "some value");
  EXPECT_EQ(fields.line(39).name, "age");
  EXPECT_EQ(fields.first(FieldName::kAge), "");
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

TEST(HeaderFields, MayHaveFollowsEveryChange) {
  const auto bit = [](FieldName name) { return HeaderFields::bit_of(name); };
  HeaderFields fields;
  EXPECT_FALSE(fields.may_have(~HeaderFields::NameSet{0}));
  fields.add("etag", "x");
  fields.add(FieldName::kXRewriteUrl, "/");
  fields.add("X-Own", "1");
  EXPECT_TRUE(fields.may_have(bit(FieldName::kETag)));
  EXPECT_TRUE(fields.may_have(bit(FieldName::kOther)));
  EXPECT_TRUE(fields.has(FieldName::kXRewriteUrl));
  EXPECT_FALSE(fields.may_have(bit(FieldName::kVary) | bit(FieldName::kDate)));
  const HeaderFields copy = fields;
  EXPECT_TRUE(copy.has(FieldName::kETag));
  EXPECT_EQ(copy.first("x-own"), "1");
  fields.remove(FieldName::kETag);
  EXPECT_FALSE(fields.may_have(bit(FieldName::kETag)));
  fields.clear();
  EXPECT_FALSE(fields.may_have(~HeaderFields::NameSet{0}));
}

TEST(HeaderFields, ALineIsFourBytesBesidesItsText) {
  HeaderFields fields;
  for (int i = 0; i < 10; ++i) fields.add("X-Number-" + std::to_string(i), std::string(20, 'x'));
  const std::size_t loose = fields.memory_size();
  fields.shrink_to_fit();
  EXPECT_LT(fields.memory_size(), loose);
  constexpr std::size_t kBlock = 20;
  EXPECT_EQ(fields.memory_size(), allocated(kBlock + fields.wire().size() + 10 * 4));
  EXPECT_EQ(HeaderFields(fields).memory_size(), fields.memory_size()) << "a copy is exact";
  EXPECT_EQ(HeaderFields().memory_size(), 0U);
  EXPECT_EQ(sizeof(HeaderFields), sizeof(void*));
}

TEST(HeaderFields, NamesAndValuesOfAnyShape) {
  HeaderFields fields;
  fields.add("X", "a:b: c");
  fields.add("Empty", "");
  fields.add("etag", "");
  fields.add(std::string(70'000, 'n'), std::string(300'000, 'v'));
  fields.add("Last", ":");
  const HeaderFields copy = fields;
  ASSERT_EQ(copy.size(), 5U);
  EXPECT_EQ(copy.line(0).name, "X");
  EXPECT_EQ(copy.line(0).value, "a:b: c");
  EXPECT_EQ(copy.line(1).value, "");
  EXPECT_EQ(copy.line(2).id, FieldName::kETag);
  EXPECT_EQ(copy.line(2).name, "etag");
  EXPECT_EQ(copy.line(2).value, "");
  EXPECT_EQ(copy.line(3).name.size(), 70'000U);
  EXPECT_EQ(copy.line(3).value.size(), 300'000U);
  EXPECT_EQ(copy.line(4).value, ":");
  EXPECT_EQ(copy.first("last"), ":");
}

TEST(HeaderFields, AValueMayBeOneOfItsOwn) {
  HeaderFields fields;
  fields.add("First", std::string(100, 'a'));
  fields.shrink_to_fit();
  for (int i = 0; i < 50; ++i) fields.add("Again", *fields.first("first"));
  for (const HeaderFields::Line line : fields) EXPECT_EQ(line.value, std::string(100, 'a'));
}

TEST(HeaderFields, WhatIsClearedIsFilledAgainWithoutMoreMemory) {
  HeaderFields fields;
  fields.reserve(1000, 20);
  const std::size_t reserved = fields.memory_size();
  const char* const place = fields.wire().data();
  for (int round = 0; round < 3; ++round) {
    fields.clear();
    EXPECT_TRUE(fields.empty());
    EXPECT_EQ(fields.wire(), "");
    for (int i = 0; i < 20; ++i) fields.add("Name", std::string(42, 'x'));
    EXPECT_EQ(fields.wire().data(), place);
  }
  EXPECT_EQ(fields.memory_size(), reserved);
  fields.clear();
  fields.shrink_to_fit();
  EXPECT_EQ(fields.memory_size(), 0U);
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
