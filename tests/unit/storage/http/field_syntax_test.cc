// RFC 9110, section 5.6: the grammar that fields share.
#include "storage/http/field_syntax.h"

#include <gtest/gtest.h>
#include <vector>

namespace freshet::storage {
namespace {

std::vector<std::string> elements(std::string_view value, char separator = ',') {
  std::vector<std::string> all;
  ListReader reader(value, separator);
  std::string_view element;
  while (reader.next(element)) all.emplace_back(element);
  return all;
}

using Strings = std::vector<std::string>;

TEST(FieldSyntax, TokensAreNotEmptyAndHaveNoDelimiters) {
  EXPECT_TRUE(is_token("max-age"));
  EXPECT_TRUE(is_token("*"));
  EXPECT_FALSE(is_token(""));
  EXPECT_FALSE(is_token("a b"));
  EXPECT_FALSE(is_token("a\"b"));
  EXPECT_FALSE(is_token("caf\xc3\xa9"));
}

TEST(FieldSyntax, ListsSkipEmptyElementsAndWhitespace) {
  EXPECT_EQ(elements(" a ,, b\t,c , "), (Strings{"a", "b", "c"}));
  EXPECT_EQ(elements(""), Strings{});
  EXPECT_EQ(elements(" , ,"), Strings{});
}

TEST(FieldSyntax, SeparatorsInsideQuotesDoNotCount) {
  EXPECT_EQ(elements("private=\"a, b\", c"), (Strings{"private=\"a, b\"", "c"}));
  EXPECT_EQ(elements("x=\"a\\\", b\", c"), (Strings{"x=\"a\\\", b\"", "c"}));
  EXPECT_EQ(elements("a;b=\"x;y\";c", ';'), (Strings{"a", "b=\"x;y\"", "c"}));
}

TEST(FieldSyntax, AnOpenQuoteTakesTheRestAndIsTold) {
  ListReader reader("a, b=\"c, d");
  std::string_view element;
  ASSERT_TRUE(reader.next(element));
  EXPECT_FALSE(reader.unbalanced());
  ASSERT_TRUE(reader.next(element));
  EXPECT_EQ(element, "b=\"c, d");
  EXPECT_TRUE(reader.unbalanced());
  EXPECT_FALSE(reader.next(element));
}

TEST(FieldSyntax, ATrailingBackslashInAQuoteStaysInside) {
  EXPECT_EQ(elements("\"a\\"), (Strings{"\"a\\"}));
  EXPECT_EQ(elements("\"\\"), (Strings{"\"\\"}));
}

TEST(FieldSyntax, DecimalsAreDigitsAndSaturate) {
  EXPECT_EQ(parse_decimal("007"), 7U);
  EXPECT_EQ(parse_decimal("18446744073709551615"), 18446744073709551615U);
  EXPECT_EQ(parse_decimal("18446744073709551616"), 18446744073709551615U);
  EXPECT_EQ(parse_decimal("99999999999999999999999999"), 18446744073709551615U);
  for (const char* bad : {"", "-1", "+1", "1.0", " 1", "1 ", "0x1", "a"})
    EXPECT_FALSE(parse_decimal(bad)) << bad;
}

TEST(FieldSyntax, QuotedStringsRoundTrip) {
  EXPECT_EQ(unquote("\"a \\\"b\\\\\""), "a \"b\\");
  EXPECT_EQ(unquote("\"\""), "");
  for (const char* bad : {"a", "\"", "\"a", "a\"", "\"a\"b\"", "\"a\\\""}) EXPECT_FALSE(unquote(bad)) << bad;
  std::string out;
  append_quoted(out, "a \"b\\");
  EXPECT_EQ(unquote(out), "a \"b\\");
}

TEST(FieldSyntax, FindsAnElementInAnyLineAndCase) {
  HeaderFields fields;
  fields.add("Connection", "a, b");
  fields.add("Connection", "Close");
  EXPECT_TRUE(has_element(fields, FieldName::kConnection, "close"));
  EXPECT_FALSE(has_element(fields, FieldName::kConnection, "clos"));
}

TEST(FieldSyntax, FieldValuesHaveNoLineEndsAndNoOuterSpace) {
  EXPECT_TRUE(is_field_value(""));
  EXPECT_TRUE(is_field_value("a b"));
  for (const std::string& bad :
       std::vector<std::string>{" a", "a\t", "a\rb", "a\nb", std::string("a\0b", 3)}) {
    EXPECT_FALSE(is_field_value(bad)) << bad;
  }
}

}  // namespace
}  // namespace freshet::storage
