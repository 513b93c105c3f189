// RFC 9110, sections 8.8.3 and 13.1.2.
#include "storage/http/entity_tag.h"

#include <gtest/gtest.h>
#include <vector>

namespace freshet::storage {
namespace {

std::vector<std::string> tags(std::string_view value, bool* malformed = nullptr) {
  std::vector<std::string> all;
  EntityTagReader reader(value);
  EntityTag tag;
  while (reader.next(tag)) {
    std::string text;
    tag.append_to(text);
    all.push_back(text);
  }
  if (malformed != nullptr) *malformed = reader.malformed();
  return all;
}

using Strings = std::vector<std::string>;

TEST(EntityTag, ReadsStrongWeakAndEmpty) {
  EXPECT_EQ(parse_entity_tag("\"a\"")->opaque, "a");
  EXPECT_FALSE(parse_entity_tag("\"a\"")->weak);
  EXPECT_TRUE(parse_entity_tag("W/\"a\"")->weak);
  EXPECT_EQ(parse_entity_tag("\"\"")->opaque, "");
  EXPECT_EQ(parse_entity_tag("\"caf\xc3\xa9\\\"")->opaque, "caf\xc3\xa9\\");
}

TEST(EntityTag, RefusesWhatIsNone) {
  for (const char* bad : {"", "a", "\"", "\"a", "a\"", "w/\"a\"", "W\"a\"", "W/a", "W\\\"a\"", "\"a b\"",
                          "\"a\" ", "\"a\"\"b\"", "*"}) {
    EXPECT_FALSE(parse_entity_tag(bad)) << bad;
  }
}

TEST(EntityTag, ComparesAsTheTableOfSection8832Says) {
  const EntityTag weak1{true, "1"};
  const EntityTag weak2{true, "2"};
  const EntityTag strong1{false, "1"};
  EXPECT_FALSE(strong_match(weak1, weak1));
  EXPECT_TRUE(weak_match(weak1, weak1));
  EXPECT_FALSE(weak_match(weak1, weak2));
  EXPECT_FALSE(strong_match(weak1, strong1));
  EXPECT_TRUE(weak_match(weak1, strong1));
  EXPECT_TRUE(strong_match(strong1, strong1));
}

TEST(EntityTag, ListsMayHoldCommasAndBackslashesInsideTags) {
  EXPECT_EQ(tags("\"a,b\", W/\"c\\\" ,, \"d\""), (Strings{"\"a,b\"", "W/\"c\\\"", "\"d\""}));
  EXPECT_EQ(tags(""), Strings{});
}

TEST(EntityTag, ListsSkipWhatIsNoTag) {
  bool malformed = false;
  EXPECT_EQ(tags("a, \"b\", c\"d\", \"e\" f, \"g\"", &malformed), (Strings{"\"b\"", "\"g\""}));
  EXPECT_TRUE(malformed);
  EXPECT_EQ(tags("\"a", &malformed), Strings{});
  EXPECT_TRUE(malformed);
}

}  // namespace
}  // namespace freshet::storage
