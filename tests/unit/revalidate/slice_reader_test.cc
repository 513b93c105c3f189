// Slices before an origin under the test's hand (RFC 9110, section 14; RFC 9111, section 3.4).
#include "revalidate/slice_reader.h"

#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "revalidate/flight_table.h"
#include "revalidate/policy/response_facts.h"
#include "storage/invalidation/generations.h"
#include "storage/memory/memory_store.h"
#include "tests/support/responses.h"
#include "tests/unit/revalidate/origin/poll_loop.h"

namespace freshet::revalidate {
namespace {

using Next = SliceReader::Next;

constexpr std::uint64_t kSlice = 1000;
constexpr std::uint64_t kSize = 3500;

// One handler for each request in progress, by its Range.
class RangedOrigin final : public OriginClient {
 public:
  class Call final : public OriginCall {
   public:
    Call(RangedOrigin& origin, std::string range) : origin_(origin), range_(std::move(range)) {}
    ~Call() override { origin_.asked.erase(range_); }
    void resume() override {}
    void upload_ready() override {}

   private:
    RangedOrigin& origin_;
    const std::string range_;
  };

  std::unique_ptr<OriginCall> start(OriginRequest request, OriginHandler& handler,
                                    UploadSource* /*upload*/) override {
    std::string range(request.fields.first(storage::FieldName::kRange).value_or("whole"));
    if_range = request.fields.first(storage::FieldName::kIfRange).value_or("");
    asked[range] = &handler;
    all.push_back(range);
    return std::make_unique<Call>(*this, std::move(range));
  }

  std::map<std::string, OriginHandler*> asked;
  std::vector<std::string> all;
  std::string if_range;
};

class SliceReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    context_ = std::make_unique<FlightContext>(FlightContext{
        loop_, origin_, pool_, health_, store_, table_, budget_, policy_, counters_, 1 << 20, {}});
    context_->slices = {2000, kSlice};
    storage::StoredHead head = tests::head_of({key_});
    head.sliced = true;
    head.body_size = kSize;
    head_ = std::make_shared<const storage::StoredResponse>(std::move(head), storage::make_memory_body({}),
                                                            store_.describe());
  }

  // As at shutdown: one in progress holds itself.
  void TearDown() override {
    while (!context_->active.empty()) (*context_->active.begin())->abandon();
  }

  [[nodiscard]] FlightRequest request(bool join = true) const {
    FlightRequest made;
    made.key = key_;
    made.request.method = storage::Method::kGet;
    made.request.method_text = made.origin.method = "GET";
    made.request.target = made.origin.target = "/f";
    made.may_store = true;
    made.may_join = join;
    return made;
  }
  std::unique_ptr<SliceReader> reader() {
    return std::make_unique<SliceReader>(
        *context_, head_, [this] { return request(); }, [this] { ++woken_; });
  }
  void turn() { loop_.turn(storage::Milliseconds{0}); }

  // A 206 to "bytes=first-last", with this tag and of this whole.
  void answer(std::uint64_t first, std::uint64_t last, const std::string& tag = "\"a\"",
              std::uint64_t whole = kSize) {
    OriginHandler* const handler = begin(first, last, tag, whole);
    if (handler == nullptr) return;
    ASSERT_EQ(handler->on_body(content_.substr(first, last - first + 1)), OriginHandler::Body::kTaken);
    handler->on_complete({});
    turn();
  }
  // Its head alone; null where the flight has ended with it.
  OriginHandler* begin(std::uint64_t first, std::uint64_t last, const std::string& tag = "\"a\"",
                       std::uint64_t whole = kSize) {
    const std::string range = "bytes=" + std::to_string(first) + "-" + std::to_string(last);
    OriginHandler* const handler = origin_.asked.at(range);
    storage::ResponseHead head;
    head.status = 206;
    head.fields.add("ETag", tag);
    std::string place;
    storage::append_content_range(place, {first, last}, whole);
    head.fields.add("Content-Range", place);
    handler->on_head(std::move(head), last - first + 1);
    turn();
    return origin_.asked.count(range) > 0 ? handler : nullptr;
  }
  void expect(SliceReader& from, std::uint64_t offset, std::uint64_t end, std::uint64_t until) {
    std::string got;
    while (offset + got.size() < until) {
      storage::Chunk chunk;
      ASSERT_EQ(from.read(offset + got.size(), end, chunk), Next::kData);
      got.append(chunk.view());
    }
    // The pump clips what goes beyond.
    EXPECT_EQ(got.substr(0, until - offset), content_.substr(offset, until - offset));
  }

  const std::string content_ = tests::patterned(kSize);
  const storage::CacheKey key_ = tests::key_of("/f");
  PolicyOptions policy_;
  storage::Counters counters_;
  PollLoop loop_;
  RangedOrigin origin_;
  OriginPool pool_{OriginPool::Options{}, counters_};
  OriginHealth health_{"origin"};
  storage::Generations generations_;
  storage::MemoryStore memory_{{std::size_t{8} << 20, 0, 64}, DescribeResponse(policy_), counters_};
  storage::TieredStore store_{memory_, nullptr, generations_, counters_};
  FlightTable table_{FlightTableOptions{}};
  storage::FillBudget budget_{std::size_t{64} << 20};
  std::unique_ptr<FlightContext> context_;
  storage::StoredResponsePtr head_;
  storage::Chunk chunk_;
  int woken_ = 0;
};

TEST_F(SliceReaderTest, S14ASliceIsAskedForWithItsVersionAndStored) {
  const auto first = reader();
  EXPECT_EQ(first->read(1500, 1600, chunk_), Next::kWait);
  EXPECT_EQ(origin_.all, (std::vector<std::string>{"bytes=1000-1999"}));
  EXPECT_EQ(origin_.if_range, "\"a\"");
  answer(1000, 1999);
  EXPECT_GT(woken_, 0);
  expect(*first, 1500, 1600, 1600);
  expect(*reader(), 1000, 2000, 2000);
  EXPECT_EQ(origin_.all.size(), 1U);
  EXPECT_EQ(counters_.get(storage::Counter::kSlicesFetched), 1);
}

TEST_F(SliceReaderTest, OneSliceIsReadAheadAndTheLastIsShorter) {
  const auto all = reader();
  EXPECT_EQ(all->read(1000, kSize, chunk_), Next::kWait);
  EXPECT_EQ(origin_.all.size(), 1U);
  answer(1000, 1999);
  expect(*all, 1000, kSize, 2000);
  EXPECT_EQ(origin_.all, (std::vector<std::string>{"bytes=1000-1999", "bytes=2000-2999"}));
  answer(2000, 2999);
  expect(*all, 2000, kSize, 3000);
  EXPECT_EQ(origin_.all.back(), "bytes=3000-3499");
  answer(3000, 3499);
  expect(*all, 3000, kSize, kSize);
  EXPECT_EQ(origin_.all.size(), 3U);
}

TEST_F(SliceReaderTest, G5TwoReadersOneRequest) {
  const auto one = reader();
  const auto two = reader();
  EXPECT_EQ(one->read(0, 10, chunk_), Next::kWait);
  EXPECT_EQ(two->read(500, 510, chunk_), Next::kWait);
  EXPECT_EQ(origin_.all.size(), 1U);
  answer(0, 999);
  expect(*one, 0, 10, 10);
  expect(*two, 500, 510, 510);
}

TEST_F(SliceReaderTest, S34AnotherVersionIsNeverGivenOut) {
  for (const auto& [tag, whole] : std::vector<std::pair<std::string, std::uint64_t>>{
           {"\"b\"", kSize}, {"W/\"a\"", kSize}, {"\"a\"", kSize + 1}}) {
    const auto from = reader();
    EXPECT_EQ(from->read(0, 10, chunk_), Next::kWait);
    answer(0, 999, tag, whole);
    EXPECT_EQ(from->read(0, 10, chunk_), Next::kChanged) << tag;
    EXPECT_EQ(from->reason(), Reason::kSliceChanged);
  }
}

TEST_F(SliceReaderTest, AnOriginThatFailsIsNoChange) {
  const auto from = reader();
  EXPECT_EQ(from->read(0, 10, chunk_), Next::kWait);
  origin_.asked.begin()->second->on_failure({OriginFailure::kConnect, "refused"});
  turn();
  EXPECT_EQ(from->read(0, 10, chunk_), Next::kFailed);
  EXPECT_EQ(from->reason(), Reason::kOriginUnreachable);
}

TEST_F(SliceReaderTest, AnOriginWithoutRangesIsRemembered) {
  const auto from = reader();
  EXPECT_EQ(from->read(0, 10, chunk_), Next::kWait);
  storage::ResponseHead whole;
  whole.status = 200;
  whole.fields.add("ETag", "\"a\"");
  origin_.asked.begin()->second->on_head(std::move(whole), kSize);
  turn();
  EXPECT_EQ(from->read(0, 10, chunk_), Next::kChanged);
  EXPECT_TRUE(context_->unsliceable.knows(key_));
}

TEST_F(SliceReaderTest, G2ASliceThatIsCutIsNotStored) {
  const auto from = reader();
  EXPECT_EQ(from->read(0, 10, chunk_), Next::kWait);
  OriginHandler* const handler = begin(0, 999);
  ASSERT_NE(handler, nullptr);
  ASSERT_EQ(handler->on_body(content_.substr(0, 5)), OriginHandler::Body::kTaken);
  expect(*from, 0, 10, 5);
  handler->on_failure({OriginFailure::kTruncated, "cut"});
  turn();
  EXPECT_EQ(from->read(5, 10, chunk_), Next::kFailed);
  EXPECT_EQ(reader()->read(0, 10, chunk_), Next::kWait);
  EXPECT_EQ(origin_.all.size(), 2U);
}

// What it has more than its Content-Range says shows that the origin's count is wrong.
TEST_F(SliceReaderTest, G2ASliceThatIsTooLongIsAFailure) {
  const auto from = reader();
  EXPECT_EQ(from->read(0, 1000, chunk_), Next::kWait);
  OriginHandler* const handler = begin(0, 999);
  ASSERT_NE(handler, nullptr);
  ASSERT_EQ(handler->on_body(content_.substr(0, 1001)), OriginHandler::Body::kTaken);
  turn();
  EXPECT_EQ(from->read(0, 1000, chunk_), Next::kFailed);
  EXPECT_EQ(reader()->read(0, 10, chunk_), Next::kWait);
}

TEST_F(SliceReaderTest, AReaderThatLeavesSilencesItsFlights) {
  auto from = reader();
  EXPECT_EQ(from->read(0, kSize, chunk_), Next::kWait);
  OriginHandler* const handler = begin(0, 999);
  ASSERT_NE(handler, nullptr);
  from.reset();
  const int woken = woken_;
  ASSERT_EQ(handler->on_body(content_.substr(0, kSlice)), OriginHandler::Body::kTaken);
  handler->on_complete({});
  turn();
  EXPECT_EQ(woken_, woken);
  expect(*reader(), 0, 1000, 1000);  // it was stored all the same
}

// What a flight makes of a large 200 to a request with Range.
TEST_F(SliceReaderTest, WhereThereIsNoPlaceForAFillATransferWaitsForOne) {
  budget_.take(std::size_t{256} << 20);
  const auto from = reader();
  EXPECT_EQ(from->read(0, kSize, chunk_), Next::kWait);
  {
    const auto leaves = reader();
    EXPECT_EQ(leaves->read(0, kSize, chunk_), Next::kWait);
  }
  turn();
  EXPECT_TRUE(origin_.all.empty());
  budget_.give(std::size_t{256} << 20);
  while (origin_.all.empty()) loop_.turn(storage::Milliseconds{100});
  answer(0, kSlice - 1);
  expect(*from, 0, kSlice, kSlice);
  EXPECT_EQ(origin_.all.size(), 1U);
}

TEST_F(SliceReaderTest, S34TheHeadOfALargeResponseIsStoredAlone) {
  std::shared_ptr<FlightAnswer> told;
  FlightWaiter waiter;
  waiter.executor = &loop_;
  waiter.wake = [] {};
  waiter.answer = [&told](std::shared_ptr<FlightAnswer> answer) { told = std::move(answer); };
  FlightRequest asks = request();
  asks.request.fields.add("Range", "bytes=5-9");
  const auto ticket = table_.join_or_start(std::move(asks), *context_, std::move(waiter)).ticket;
  storage::ResponseHead head;
  head.status = 200;
  head.fields.add("ETag", "\"a\"");
  head.fields.add("Cache-Control", "max-age=60");
  origin_.asked.at("whole")->on_head(std::move(head), kSize);
  turn();
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->outcome, FlightOutcome::kAskAgain);
  EXPECT_TRUE(origin_.asked.empty());  // the origin's connection is given up
  const auto found = store_.try_lookup(key_).variants;
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(found->front()->head().sliced);
  EXPECT_EQ(found->front()->head().body_size, kSize);
}

}  // namespace
}  // namespace freshet::revalidate
