#include "proxy/observe/log_format.h"

#include <gtest/gtest.h>

namespace freshet::proxy {
namespace {

TEST(LogFormat, NamesOfFormats) {
  EXPECT_TRUE(LogFormat::parse("json").value().is_json());
  EXPECT_EQ(LogFormat::parse("common").value().parts().size(), 6U);
  EXPECT_EQ(LogFormat::parse("combined").value().parts().size(), 8U);
}

TEST(LogFormat, TextAndFieldsInTheirOrder) {
  const auto format = LogFormat::parse("a{{b}} {status}{header:X-A}z");
  ASSERT_TRUE(format.ok());
  const auto& parts = format.value().parts();
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].before, "a{b} ");
  EXPECT_EQ(parts[0].field, LogField::kStatus);
  EXPECT_EQ(parts[1].before, "");
  EXPECT_EQ(parts[1].field, LogField::kHeader);
  EXPECT_EQ(parts[1].header, "X-A");
  EXPECT_EQ(parts[2].before, "z");
  EXPECT_EQ(parts[2].field, LogField::kNone);
}

std::string error_of(std::string_view text) {
  const auto format = LogFormat::parse(text);
  return format.ok() ? "" : format.error();
}

TEST(LogFormat, ErrorsSayWhere) {
  EXPECT_EQ(
      error_of("{status} {tatus}").find("{tatus} at character 10 is no field; the fields are time, date, "),
      0U);
  EXPECT_EQ(error_of("{client"), "has a { at character 1 without a }; {{ stands for a brace");
  EXPECT_EQ(error_of("{header:a b}").find("{header:a b} at character 1 names no header field"), 0U);
  EXPECT_EQ(error_of("{header:}").find("{header:} at character 1 names no header field"), 0U);
  EXPECT_EQ(error_of("{status}\n"), "has a control character at character 9: a request is one line");
  EXPECT_EQ(error_of("jsn").find("has no field"), 0U);
  EXPECT_EQ(error_of("").find("has no field"), 0U);
  EXPECT_EQ(error_of(std::string(5000, 'x') + "{ms}"), "is longer than 4096 bytes");
}

}  // namespace
}  // namespace freshet::proxy
