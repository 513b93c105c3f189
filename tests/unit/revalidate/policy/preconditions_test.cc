// RFC 9110, sections 13, 14 and 15.4.5; RFC 9111, section 4.3.2.
#include "revalidate/policy/preconditions.h"

#include <gtest/gtest.h>

#include "tests/unit/revalidate/policy/policy_fixture.h"

namespace freshet::revalidate {
namespace {

using namespace test;

PreconditionResult evaluate(const Lines& asked, const Lines& lines, int status = 200,
                            Method method = Method::kGet) {
  const RequestHead req = request(asked, method);
  return evaluate_preconditions(request_facts(req), req, validators_of(facts(lines, status)), 100);
}
Precondition outcome(const Lines& asked, const Lines& lines, int status = 200, Method method = Method::kGet) {
  return evaluate(asked, lines, status, method).outcome;
}

using Ranges = std::vector<storage::ByteRange>;

const Lines kTagged = {{"ETag", "\"a\""},
                       {"Last-Modified", "Tue, 14 Nov 2023 22:00:00 GMT"},
                       {"Date", "Tue, 14 Nov 2023 22:13:20 GMT"}};

TEST(Preconditions, S1312IfNoneMatchComparesWeakly) {
  EXPECT_EQ(outcome({{"If-None-Match", "\"a\""}}, kTagged), Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-None-Match", "W/\"a\""}}, kTagged), Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-None-Match", "\"a\""}}, {{"ETag", "W/\"a\""}}), Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-None-Match", "\"b\""}}, kTagged), Precondition::kProceed);
  EXPECT_EQ(outcome({{"If-None-Match", "\"A\""}}, kTagged), Precondition::kProceed);
}

TEST(Preconditions, S1312IfNoneMatchListsLinesAndStar) {
  EXPECT_EQ(outcome({{"If-None-Match", "\"1\", \"a\", \"2\""}}, kTagged), Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-None-Match", "\"1\""}, {"If-None-Match", "\"a\""}}, kTagged),
            Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-None-Match", "*"}}, {}), Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-None-Match", "a"}}, kTagged), Precondition::kProceed);
  EXPECT_EQ(outcome({{"If-None-Match", "\"a\""}}, {}), Precondition::kProceed);
  EXPECT_EQ(outcome({{"If-None-Match", "\"a\""}}, kTagged, 200, Method::kPost), Precondition::kFailed);
}

TEST(Preconditions, S1322IfNoneMatchComesBeforeIfModifiedSince) {
  EXPECT_EQ(outcome({{"If-None-Match", "\"b\""}, {"If-Modified-Since", date_at(0)}}, kTagged),
            Precondition::kProceed);
  EXPECT_EQ(outcome({{"If-None-Match", "\"a\""}, {"If-Modified-Since", date_at(-99999)}}, kTagged),
            Precondition::kNotModified);
}

TEST(Preconditions, S1313IfModifiedSinceAgainstLastModified) {
  const Lines modified = {{"Last-Modified", date_at(-50)}, {"Date", date_at(0)}};
  const auto since = [&](const std::string& value) {
    return outcome({{"If-Modified-Since", value}}, modified);
  };
  EXPECT_EQ(since(date_at(-50)), Precondition::kNotModified);
  EXPECT_EQ(since(date_at(-49)), Precondition::kNotModified);
  EXPECT_EQ(since(date_at(-51)), Precondition::kProceed);
  EXPECT_EQ(since("garbage"), Precondition::kProceed);
  // Only an HTTP-date counts, and that has case (RFC 9110, 5.6.7).
  EXPECT_EQ(since("WED, 15 nov 2023 00:00:00 gmt"), Precondition::kProceed);
  EXPECT_EQ(since("Wed, 15 Nov 2023 00:00:00 UTC"), Precondition::kProceed);
  EXPECT_EQ(since("Wed, 15 Nov 2023 00:00:00 GMT"), Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-Modified-Since", date_at(0)}, {"If-Modified-Since", date_at(0)}}, modified),
            Precondition::kProceed);
}

TEST(Preconditions, S432WithoutLastModifiedDateCountsThenReceipt) {
  EXPECT_EQ(outcome({{"If-Modified-Since", date_at(-5)}}, {{"Date", date_at(-5)}}),
            Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-Modified-Since", date_at(-6)}}, {{"Date", date_at(-5)}}), Precondition::kProceed);
  EXPECT_EQ(outcome({{"If-Modified-Since", date_at(0)}}, {}), Precondition::kNotModified);
  EXPECT_EQ(outcome({{"If-Modified-Since", date_at(-1)}}, {}), Precondition::kProceed);
}

TEST(Preconditions, S1321ConditionsCountOnlyAgainstSuccess) {
  for (const int status : {301, 404, 500}) {
    EXPECT_EQ(outcome({{"If-None-Match", "\"a\""}}, kTagged, status), Precondition::kProceed) << status;
  }
}

TEST(Preconditions, S142OneRangeIsServed) {
  const PreconditionResult got = evaluate({{"Range", "bytes=5-9"}}, kTagged);
  EXPECT_EQ(got.outcome, Precondition::kProceed);
  EXPECT_EQ(got.ranges, (Ranges{{5, 9}}));
  EXPECT_EQ(evaluate({{"Range", "bytes=-5"}}, kTagged).ranges, (Ranges{{95, 99}}));
  EXPECT_EQ(outcome({{"Range", "bytes=100-"}}, kTagged), Precondition::kRangeNotSatisfiable);
}

TEST(Preconditions, S153SeveralRangesAreServedInTheirOrder) {
  EXPECT_EQ(evaluate({{"Range", "bytes=90-,0-4"}}, kTagged).ranges, (Ranges{{90, 99}, {0, 4}}));
  EXPECT_EQ(evaluate({{"Range", "bytes=0-1,5-6"}}, kTagged).ranges, (Ranges{{0, 6}}));
  EXPECT_EQ(evaluate({{"Range", "bytes=0-1,200-300"}}, kTagged).ranges, (Ranges{{0, 1}}));
}

TEST(Preconditions, S142OtherwiseTheWholeIs) {
  EXPECT_TRUE(evaluate({{"Range", "lines=0-1"}}, kTagged).ranges.empty());
  EXPECT_TRUE(evaluate({{"Range", "bytes=0-1"}, {"Range", "bytes=2-3"}}, kTagged).ranges.empty());
  EXPECT_TRUE(evaluate({{"Range", "bytes=0-1"}}, kTagged, 203).ranges.empty());
  EXPECT_TRUE(evaluate({{"Range", "bytes=0-1"}}, kTagged, 200, Method::kHead).ranges.empty());
  const RequestHead req = request({{"Range", "bytes=0-1"}});
  EXPECT_TRUE(evaluate_preconditions(request_facts(req), req, validators_of(facts(kTagged)), std::nullopt)
                  .ranges.empty());
}

TEST(Preconditions, S1322ConditionsComeBeforeRange) {
  EXPECT_EQ(outcome({{"If-None-Match", "\"a\""}, {"Range", "bytes=200-"}}, kTagged),
            Precondition::kNotModified);
}

TEST(Preconditions, S1315IfRangeComparesStrongly) {
  const auto ranged = [](const std::string& if_range, const Lines& lines) {
    return evaluate({{"Range", "bytes=5-9"}, {"If-Range", if_range}}, lines).ranges.size() == 1;
  };
  EXPECT_TRUE(ranged("\"a\"", kTagged));
  EXPECT_FALSE(ranged("\"b\"", kTagged));
  EXPECT_FALSE(ranged("W/\"a\"", {{"ETag", "W/\"a\""}}));
  EXPECT_FALSE(ranged("\"a\"", {{"ETag", "W/\"a\""}}));
  EXPECT_TRUE(ranged("Tue, 14 Nov 2023 22:00:00 GMT", kTagged));
  EXPECT_FALSE(ranged("Tue, 14 Nov 2023 22:00:01 GMT", kTagged));
  // Too near to the answer's own date to be strong (RFC 9110, 8.8.2.2).
  EXPECT_FALSE(ranged(date_at(-1), {{"Last-Modified", date_at(-1)}, {"Date", date_at(0)}}));
  EXPECT_FALSE(ranged("garbage", kTagged));
}

TEST(Preconditions, AFailedIfRangeIsNo416) {
  EXPECT_EQ(outcome({{"Range", "bytes=200-"}, {"If-Range", "\"b\""}}, kTagged), Precondition::kProceed);
}

TEST(Preconditions, AnArrivingHeadIsAsGoodAsAStoredOne) {
  const RequestHead req = request({{"If-None-Match", "\"a\""}});
  EXPECT_EQ(evaluate_preconditions(request_facts(req), req, validators_of(response(200, kTagged), at(0)),
                                   std::nullopt)
                .outcome,
            Precondition::kNotModified);
}

TEST(Fields304, S1545OnlyWhatA304Carries) {
  HeaderFields out;
  append_fields_for_304(fields({{"Content-Type", "text/html"},
                                {"Content-Encoding", "gzip"},
                                {"Cache-Control", "max-age=5"},
                                {"Content-Location", "/x"},
                                {"Date", "d"},
                                {"ETag", "\"a\""},
                                {"Expires", "e"},
                                {"Last-Modified", "l"},
                                {"Set-Cookie", "a=b"},
                                {"Vary", "v"},
                                {"Access-Control-Allow-Origin", "*"}}),
                        out);
  EXPECT_EQ(out.wire(),
            "Cache-Control: max-age=5\r\nContent-Location: /x\r\nDate: d\r\nETag: \"a\"\r\nExpires: "
            "e\r\nVary: v\r\n"
            "Access-Control-Allow-Origin: *\r\n");
}

TEST(Fields304, S1545LastModifiedWhereThereIsNoEntityTag) {
  HeaderFields out;
  append_fields_for_304(fields({{"Last-Modified", "l"}}), out);
  EXPECT_EQ(out.wire(), "Last-Modified: l\r\n");
}

TEST(Fields206, S1537TheStoredFieldsAndContentRange) {
  HeaderFields out;
  append_fields_for_206(fields({{"A", "1"}, {"Content-Range", "x"}}), {5, 9}, 100, out);
  EXPECT_EQ(out.wire(), "A: 1\r\nContent-Range: bytes 5-9/100\r\n");
  HeaderFields none;
  HeaderFields several;
  append_fields_for_multipart_206(
      fields({{"A", "1"}, {"Content-Type", "text/plain"}, {"Content-Range", "x"}}),
      "multipart/byteranges; boundary=b", several);
  EXPECT_EQ(several.wire(), "A: 1\r\nContent-Type: multipart/byteranges; boundary=b\r\n");
  append_fields_for_416(100, none);
  EXPECT_EQ(none.wire(), "Content-Range: bytes */100\r\n");
}

}  // namespace
}  // namespace freshet::revalidate
