// Flights before an origin under the test's hand: who may outlive what, and who is told.
#include "revalidate/flight.h"

#include <gtest/gtest.h>
#include <memory>
#include <vector>

#include "revalidate/flight_table.h"
#include "revalidate/policy/response_facts.h"
#include "storage/invalidation/generations.h"
#include "storage/memory/memory_store.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/revalidate/origin/poll_loop.h"

namespace freshet::revalidate {
namespace {

using tests::ManualExecutor;

class FakeOrigin final : public OriginClient {
 public:
  class Call final : public OriginCall {
   public:
    explicit Call(FakeOrigin& origin) : origin_(origin) {}
    ~Call() override { origin_.handler = nullptr; }
    void resume() override { ++origin_.resumed; }
    void upload_ready() override {}

   private:
    FakeOrigin& origin_;
  };

  std::unique_ptr<OriginCall> start(OriginRequest /*request*/, OriginHandler& starting,
                                    UploadSource* /*upload*/) override {
    handler = &starting;
    ++started;
    return std::make_unique<Call>(*this);
  }

  OriginHandler* handler = nullptr;
  int started = 0;
  int resumed = 0;
};

class FlightTest : public testing::Test {
 protected:
  struct Client {
    ManualExecutor executor;
    std::vector<std::shared_ptr<FlightAnswer>> answers;
    std::unique_ptr<Flight::Ticket> ticket;
    std::uint64_t offset = 0;
  };

  void SetUp() override {
    storage::make_cache_key("http", "a", "/", key_);
    context_ = std::make_unique<FlightContext>(FlightContext{
        loop_, origin_, pool_, health_, store_, table_, budget_, policy_, counters_, 1 << 20, {}});
  }

  FlightWaiter waiter(Client& client) {
    FlightWaiter made;
    made.executor = &client.executor;
    made.arrived = storage::mono_now();
    made.wake = [] {};
    made.answer = [&client](std::shared_ptr<FlightAnswer> answer) {
      client.answers.push_back(std::move(answer));
    };
    return made;
  }
  FlightRequest request() const {
    FlightRequest made;
    made.key = key_;
    made.request.method = storage::Method::kGet;
    made.request.method_text = made.origin.method = "GET";
    made.request.target = made.origin.target = "/";
    made.may_store = made.may_join = true;
    return made;
  }
  void join(Client& client) {
    client.ticket = table_.join_or_start(request(), *context_, waiter(client)).ticket;
    ASSERT_NE(client.ticket, nullptr);
  }

  // A head arrives: 200 with this Cache-Control, of unknown length.
  void head(std::string_view cache_control) {
    storage::ResponseHead arrived;
    arrived.status = 200;
    arrived.fields.add("Cache-Control", cache_control);
    arrived.fields.add("ETag", "\"1\"");
    origin_.handler->on_head(std::move(arrived), std::nullopt);
  }
  // Body bytes, which the client reads at once.
  void body(std::size_t size, Client& client) {
    constexpr std::size_t kPiece = 64 * 1024;
    for (; size > 0; size -= kPiece) {
      ASSERT_EQ(origin_.handler->on_body(std::string(kPiece, 'b')), OriginHandler::Body::kTaken);
      storage::Chunk chunk;
      while (client.answers.front()->reader->read(client.offset, kPiece, chunk) ==
             storage::Fill::Read::kData) {
        client.offset += chunk.size();
      }
    }
  }

  storage::CacheKey key_;
  PolicyOptions policy_;
  storage::Counters counters_;
  PollLoop loop_;
  FakeOrigin origin_;
  OriginPool pool_{OriginPool::Options{}, counters_};
  OriginHealth health_{"origin"};
  storage::Generations generations_;
  storage::MemoryStore memory_{{std::size_t{8} << 20, 0, 64}, DescribeResponse(policy_), counters_};
  storage::TieredStore store_{memory_, nullptr, generations_, counters_};
  FlightTable table_{FlightTableOptions{}};
  storage::FillBudget budget_{std::size_t{64} << 20};
  std::unique_ptr<FlightContext> context_;
};

// Workers end one after the other: another's waiter leaves when the flight's worker is gone already.
TEST_F(FlightTest, ATicketMayOutliveTheWorkerOfItsFlight) {
  Client starter;
  Client other;
  join(starter);
  join(other);
  EXPECT_EQ(origin_.started, 1);
  starter.ticket.reset();
  (*context_->active.begin())->abandon();
  context_.reset();
  other.executor.run();
  ASSERT_EQ(other.answers.size(), 1U);
  EXPECT_EQ(other.answers.front()->outcome, FlightOutcome::kFailed);
  other.ticket.reset();
  EXPECT_EQ(table_.waiters(), 0U);
}

// The store does not take it after all: whoever waited for that would wait for the slowest client (G5).
TEST_F(FlightTest, NobodyWaitsForAResponseThatHasBecomeTooLargeToBeStored) {
  for (const char* cache_control : {"max-age=60", "no-cache"}) {
    Client starter;
    Client before;
    Client after;
    const int started = origin_.started;
    join(starter);
    head(cache_control);
    starter.executor.run();
    ASSERT_EQ(starter.answers.size(), 1U);
    body(512 * 1024, starter);
    const bool open = std::string_view(cache_control) == "max-age=60";
    if (!open) join(before);
    body(2 << 20, starter);
    before.executor.run();
    if (!open) {
      ASSERT_EQ(before.answers.size(), 1U);
      EXPECT_EQ(before.answers.front()->outcome, FlightOutcome::kAskAgain);
    }
    EXPECT_EQ(origin_.started, started + 1);
    join(after);
    EXPECT_EQ(origin_.started, started + 2);
    starter.answers.clear();
    while (!context_->active.empty()) (*context_->active.begin())->abandon();
  }
}

}  // namespace
}  // namespace freshet::revalidate
