// Flights before an origin under the test's hand.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "revalidate/flight.h"
#include "revalidate/flight_table.h"
#include "revalidate/policy/response_facts.h"
#include "revalidate/policy/selection.h"
#include "storage/invalidation/generations.h"
#include "storage/memory/memory_store.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/revalidate/origin/poll_loop.h"

namespace freshet::revalidate {

class FakeOrigin final : public OriginClient {
 public:
  class Call final : public OriginCall {
   public:
    explicit Call(FakeOrigin& origin) : origin_(origin), number_(origin.started) {}
    // A call that was replaced ends after its successor has begun.
    ~Call() override {
      if (origin_.started == number_) origin_.handler = nullptr;
    }
    void resume() override { ++origin_.resumed; }
    void upload_ready() override {}

   private:
    FakeOrigin& origin_;
    const int number_;
  };

  std::unique_ptr<OriginCall> start(OriginRequest request, OriginHandler& starting,
                                    UploadSource* /*upload*/) override {
    requests.push_back(std::move(request));
    handler = &starting;
    ++started;
    return std::make_unique<Call>(*this);
  }

  std::vector<OriginRequest> requests;
  OriginHandler* handler = nullptr;
  int started = 0;
  int resumed = 0;
};

class FlightTest : public testing::Test {
 protected:
  struct Client {
    tests::ManualExecutor executor;
    std::vector<std::shared_ptr<FlightAnswer>> answers;
    std::unique_ptr<Flight::Ticket> ticket;
    std::uint64_t offset = 0;
    bool has_condition = false;
    std::function<void(const storage::ResponseHead&)> invalidate;
  };

  void SetUp() override {
    storage::make_cache_key("http", "a", "/", key_);
    context_ = std::make_unique<FlightContext>(FlightContext{
        loop_, origin_, pool_, health_, store_, table_, budget_, policy_, counters_, 1 << 20, {}});
  }

  // As at shutdown: one in progress holds itself.
  void TearDown() override {
    while (context_ && !context_->active.empty()) (*context_->active.begin())->abandon();
  }

  FlightWaiter waiter(Client& client) {
    FlightWaiter made;
    made.executor = &client.executor;
    made.arrived = storage::mono_now();
    made.has_condition = client.has_condition;
    made.invalidate = client.invalidate;
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
    made.request.scheme = "http";
    made.request.authority = "a";
    made.request.target = made.origin.target = "/";
    made.may_store = made.may_join = true;
    return made;
  }
  void join(Client& client) {
    client.ticket = table_.join_or_start(request(), *context_, waiter(client)).ticket;
    ASSERT_NE(client.ticket, nullptr);
  }

  using Lines = std::vector<std::pair<std::string, std::string>>;

  // A request as the exchange makes it: with what is stored now.
  FlightRequest request_of(storage::Method method, const Lines& lines = {}) const {
    FlightRequest made = request();
    made.request.method = method;
    made.request.method_text = made.origin.method = method == storage::Method::kHead   ? "HEAD"
                                                    : method == storage::Method::kPost ? "POST"
                                                                                       : "GET";
    for (const auto& [name, value] : lines) made.request.fields.add(name, value);
    made.may_join = method == storage::Method::kGet;
    made.stored = variants();
    if (made.stored) made.selected = select(*made.stored, made.request);
    return made;
  }
  storage::VariantSetPtr variants() const {
    return const_cast<storage::TieredStore&>(store_).try_lookup(key_).variants;
  }
  storage::StoredResponsePtr only() const {
    const storage::VariantSetPtr found = variants();
    return found && found->size() == 1 ? found->front() : nullptr;
  }
  void start(Client& client, FlightRequest made) {
    FlightTable::Joined joined = made.may_join
                                     ? table_.join_or_start(std::move(made), *context_, waiter(client))
                                     : table_.start_alone(std::move(made), *context_, waiter(client));
    client.ticket = std::move(joined.ticket);
    ASSERT_NE(client.ticket, nullptr);
  }
  void answer(int status, const Lines& lines, std::optional<std::uint64_t> size = std::nullopt) {
    storage::ResponseHead arrived;
    arrived.status = status;
    for (const auto& [name, value] : lines) arrived.fields.add(name, value);
    origin_.handler->on_head(std::move(arrived), size);
  }
  void answer_whole(int status, const Lines& lines, std::string_view content,
                    std::optional<std::uint64_t> size = std::nullopt) {
    answer(status, lines, size);
    if (!content.empty()) {
      ASSERT_EQ(origin_.handler->on_body(content), OriginHandler::Body::kTaken);
    }
    origin_.handler->on_complete({});
  }
  // What a GET with these fields leaves in the store.
  void fill(const Lines& lines, std::string_view content, const Lines& request_lines = {}) {
    Client client;
    start(client, request_of(storage::Method::kGet, request_lines));
    answer_whole(200, lines, content);
    loop_.turn(storage::Milliseconds{0});
  }
  // The answer that a client has, once its tasks have run.
  static std::shared_ptr<FlightAnswer> told(Client& client) {
    client.executor.run();
    return client.answers.empty() ? nullptr : client.answers.back();
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

}  // namespace freshet::revalidate
