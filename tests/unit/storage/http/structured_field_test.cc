// RFC 8941, section 4.2; RFC 9651, section 3.3.7 for dates.
#include "storage/http/structured_field.h"

#include <gtest/gtest.h>

namespace freshet::storage {
namespace {

using Type = SfBareItem::Type;

TEST(StructuredField, ReadsEveryBareItem) {
  EXPECT_EQ(parse_sf_item("42")->value.integer, 42);
  EXPECT_EQ(parse_sf_item("-999999999999999")->value.integer, -999999999999999);
  EXPECT_DOUBLE_EQ(parse_sf_item("-4.125")->value.decimal, -4.125);
  EXPECT_EQ(parse_sf_item("\"a \\\"b\\\\\"")->value.text, "a \"b\\");
  EXPECT_EQ(parse_sf_item("foo123/456:x")->value.text, "foo123/456:x");
  EXPECT_EQ(parse_sf_item("*foo")->value.type, Type::kToken);
  EXPECT_EQ(parse_sf_item(":aGVsbG8=:")->value.text, "hello");
  EXPECT_TRUE(parse_sf_item("?1")->value.is_true());
  EXPECT_FALSE(parse_sf_item("?0")->value.is_true());
  EXPECT_EQ(parse_sf_item("@1659578233")->value.type, Type::kDate);
}

TEST(StructuredField, RefusesMalformedItems) {
  for (const char* bad :
       {"", "1000000000000000", "1.", "1.2345", "1234567890123.1", "--1", "-", "\"a", "\"\\a\"",
        "\"caf\xc3\xa9\"", ":a_b:", ":aa", "?2", "?", "@1.5", "1 2", "(1", "=", "A,b;"}) {
    EXPECT_FALSE(parse_sf_item(bad)) << bad;
  }
}

TEST(StructuredField, ReadsListsWithInnerListsAndParameters) {
  const auto list = parse_sf_list("a;x=1;y, (\"b\" c;z);q=2 ,  \"d\"");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].item.parameters.size(), 2U);
  EXPECT_TRUE((*list)[0].item.parameters[1].second.is_true());
  EXPECT_TRUE((*list)[1].is_inner_list);
  EXPECT_EQ((*list)[1].elements.size(), 2U);
  EXPECT_EQ((*list)[1].item.parameters[0].second.integer, 2);
  EXPECT_EQ((*list)[2].item.value.text, "d");
  EXPECT_TRUE(parse_sf_list("")->empty());
}

TEST(StructuredField, OneWrongByteSpoilsTheField) {
  for (const char* bad : {"a,", ",a", "a,,b", "a b", "a;", "a;1", "(a", "(a,b)", "a;X=1"}) {
    EXPECT_FALSE(parse_sf_list(bad)) << bad;
  }
  for (const char* bad : {"a=", "A=1", "a=1,", "a=1 b=2", "a=1;", "1=a"})
    EXPECT_FALSE(parse_sf_dictionary(bad)) << bad;
}

TEST(StructuredField, ReadsDictionariesAndTheLastOfAKeyCounts) {
  const auto dictionary = parse_sf_dictionary("max-age=60, no-store, a=(1 2), max-age=30;x");
  ASSERT_TRUE(dictionary);
  ASSERT_EQ(dictionary->size(), 3U);
  EXPECT_EQ((*dictionary)[0].first, "max-age");
  EXPECT_EQ((*dictionary)[0].second.item.value.integer, 30);
  EXPECT_TRUE((*dictionary)[1].second.item.value.is_true());
  EXPECT_TRUE((*dictionary)[2].second.is_inner_list);
}

TEST(StructuredField, WritesStringsThatCanBeReadBack) {
  std::string out;
  append_sf_string(out, "a\"b\\c\xff");
  EXPECT_EQ(out, "\"a\\\"b\\\\c?\"");
  EXPECT_TRUE(parse_sf_item(out));
}

}  // namespace
}  // namespace freshet::storage
