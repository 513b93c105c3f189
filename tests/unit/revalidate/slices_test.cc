// RFC 9110, section 14; RFC 9111, section 3.4.
#include "revalidate/slices.h"

#include <gtest/gtest.h>

#include "tests/support/responses.h"

namespace freshet::revalidate {
namespace {

constexpr SliceOptions kOptions{1000, 100};

storage::ResponseHead head(int status, const std::string& tag, const std::string& content_range = "") {
  storage::ResponseHead made;
  made.status = status;
  made.fields.add("ETag", tag);
  if (!content_range.empty()) made.fields.add("Content-Range", content_range);
  return made;
}

storage::StoredResponse sliced(const std::string& tag, storage::Sequence filled_at) {
  storage::StoredHead stored = tests::head_of({tests::key_of("/f")});
  stored.response.fields.set(storage::FieldName::kETag, tag);
  stored.sliced = true;
  stored.body_size = 1050;
  stored.filled_at = filled_at;
  return {stored, storage::make_memory_body({}), {}};
}

TEST(Slices, S34OnlyStrongValidatorsAndLargeResponses) {
  EXPECT_TRUE(is_sliceable(head(200, "\"a\""), 1001, kOptions));
  EXPECT_FALSE(is_sliceable(head(200, "\"a\""), 1000, kOptions));
  EXPECT_FALSE(is_sliceable(head(200, "W/\"a\""), 1001, kOptions));
  EXPECT_FALSE(is_sliceable(head(203, "\"a\""), 1001, kOptions));
  storage::ResponseHead none = head(200, "\"a\"");
  none.fields.add("Accept-Ranges", "none");
  EXPECT_FALSE(is_sliceable(none, 1001, kOptions));
}

TEST(Slices, S14TheirPlaces) {
  EXPECT_EQ(slice_range(0, 1050, kOptions), (storage::ByteRange{0, 99}));
  EXPECT_EQ(slice_range(10, 1050, kOptions), (storage::ByteRange{1000, 1049}));
}

TEST(Slices, AKeyBelongsToOneVersionOfOneHead) {
  const auto key = [](const std::string& tag, storage::Sequence filled_at, std::uint64_t number) {
    return slice_key(sliced(tag, filled_at), number, kOptions).text;
  };
  EXPECT_EQ(key("\"a\"", 5, 1), key("\"a\"", 5, 1));
  EXPECT_NE(key("\"a\"", 5, 1), key("\"b\"", 5, 1));
  EXPECT_NE(key("\"a\"", 5, 1), key("\"a\"", 6, 1));
  EXPECT_NE(key("\"a\"", 5, 1), key("\"a\"", 5, 2));
  EXPECT_TRUE(key("\"a\"", 5, 1).starts_with(tests::key_of("/f").text + "#slice/"));
}

TEST(Slices, S34AnotherVersionIsNotExpected) {
  const SliceExpectation expected = expected_slice(sliced("\"a\"", 1).head(), 1, kOptions);
  EXPECT_EQ(expected.range, (storage::ByteRange{100, 199}));
  EXPECT_TRUE(is_expected(head(206, "\"a\"", "bytes 100-199/1050"), expected));
  EXPECT_FALSE(is_expected(head(206, "\"b\"", "bytes 100-199/1050"), expected));
  EXPECT_FALSE(is_expected(head(206, "W/\"a\"", "bytes 100-199/1050"), expected));
  EXPECT_FALSE(is_expected(head(206, "\"a\"", "bytes 100-198/1050"), expected));
  EXPECT_FALSE(is_expected(head(206, "\"a\"", "bytes 100-199/1051"), expected));
  EXPECT_FALSE(is_expected(head(206, "\"a\"", "bytes 100-199/*"), expected));
  EXPECT_FALSE(is_expected(head(206, "\"a\""), expected));
  EXPECT_FALSE(is_expected(head(200, "\"a\"", "bytes 100-199/1050"), expected));
  EXPECT_TRUE(is_same_whole(head(200, "\"a\""), expected));
  EXPECT_FALSE(is_same_whole(head(200, "\"b\""), expected));
}

TEST(Slices, S34ABeginningIsCompletedByTheRestOfTheSameVersion) {
  storage::StoredHead part = tests::head_of({tests::key_of("/f")});
  part.response = head(206, "\"a\"", "bytes 0-9/30");
  part.body_size = 10;
  EXPECT_EQ(rest_of(part), (storage::ByteRange{10, 29}));
  EXPECT_TRUE(is_rest_of(head(206, "\"a\"", "bytes 10-29/30"), part));
  EXPECT_FALSE(is_rest_of(head(206, "\"b\"", "bytes 10-29/30"), part));
  EXPECT_FALSE(is_rest_of(head(206, "\"a\"", "bytes 11-29/30"), part));
  EXPECT_FALSE(is_rest_of(head(206, "\"a\"", "bytes 10-28/30"), part));
  EXPECT_FALSE(is_rest_of(head(206, "\"a\"", "bytes 10-29/31"), part));
  part.response = head(206, "W/\"a\"", "bytes 0-9/30");
  EXPECT_FALSE(is_rest_of(head(206, "W/\"a\"", "bytes 10-29/30"), part));
  for (const char* no_beginning : {"bytes 1-10/30", "bytes 0-9/10", "bytes 0-8/30", "bytes 0-9/*"}) {
    part.response = head(206, "\"a\"", no_beginning);
    EXPECT_FALSE(rest_of(part)) << no_beginning;
  }
}

TEST(Slices, TheHeadOfTheWholeIsA200WithoutItsPlace) {
  storage::ResponseHead part = head(206, "\"a\"", "bytes 0-9/1050");
  part.fields.add("Content-Length", "10");
  const storage::ResponseHead whole = head_of_the_whole(part);
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.fields.wire(), "ETag: \"a\"\r\n");
}

}  // namespace
}  // namespace freshet::revalidate
