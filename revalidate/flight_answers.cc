// How a flight takes the origin's answer, and what it tells those who wait.
#include <charconv>
#include <utility>

#include "revalidate/flight.h"
#include "revalidate/flight_table.h"
#include "revalidate/policy/error_reuse.h"
#include "revalidate/policy/forwarding.h"
#include "revalidate/policy/freshness.h"
#include "revalidate/policy/response_facts.h"
#include "revalidate/policy/storability.h"
#include "revalidate/policy/validation.h"
#include "storage/http/http_date.h"

namespace freshet::revalidate {

using storage::Counter;
using storage::Fill;
using storage::MutexLock;

namespace {

// Bytes that a response which nobody stores may be ahead of its slowest reader.
constexpr std::size_t kWindow = 512 * 1024;

bool has_conditions(const storage::HeaderFields& fields) {
  return fields.has(storage::FieldName::kIfNoneMatch) || fields.has(storage::FieldName::kIfModifiedSince);
}

std::optional<std::uint64_t> stated_length(const storage::HeaderFields& fields) {
  const auto text = fields.first(storage::FieldName::kContentLength);
  std::uint64_t length = 0;
  if (!text) return std::nullopt;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), length);
  if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size()) return std::nullopt;
  return length;
}

}  // namespace

void Flight::on_head(storage::ResponseHead head, std::optional<std::uint64_t> body_size) {
  // What a GET would get; the content itself is known to be empty.
  if (request_.request.method == storage::Method::kHead) body_size = stated_length(head.fields);
  context_.health.answered();
  origin_time_ = std::chrono::duration_cast<storage::Milliseconds>(storage::mono_now() - sent_at_);
  if (head.status == 304) context_.counters.add(Counter::kOriginNotModified);
  if (head.status == 304 && conditional_) return take_304(head);
  if (head.status == 304 && !has_conditions(request_.origin.fields)) {
    return fail_all(Reason::kOriginMalformed, "a 304 to a request without conditions");
  }
  // The answer to the client's own conditions.
  if (head.status == 304) return take_unstorable(head, body_size, Reason::kNone);
  if (take_range_answer(head, body_size)) return;
  if (!request_.may_store || body_size.value_or(0) > context_.max_object) {
    return take_unstorable(head, body_size, request_.may_store ? Reason::kTooLarge : Reason::kBypass);
  }
  take_storable(head, body_size);
}

void Flight::take_304(const storage::ResponseHead& head) {
  const storage::WallTime now = storage::wall_now();
  const storage::StoredResponsePtr old = choose_304(*request_.stored, request_.selected.get(), head);
  const bool purged = old && !context_.store.generations().is_current(old->head());
  if (!old || purged) {
    // Fits nothing that is stored (any more): the same again, without conditions.
    request_.stored = nullptr;
    conditional_ = false;
    apply_conditions({}, request_.origin.fields);
    filled_at_ = context_.store.generations().current();
    return ask();
  }
  auto fresh = std::make_shared<const storage::StoredResponse>(
      freshened_head(old->head(), head, request_.request, request_time_, now, filled_at_, context_.policy),
      old->body(), context_.store.describe());
  const bool for_all = may_store_freshened(request_.request, fresh->head(), context_.policy);
  if (for_all) context_.store.freshen(old, fresh);
  for (const Waiting& each : take_waiting(Phase::kEnded)) {
    const bool theirs = for_all || each.starter;
    auto answer = theirs ? make_answer(FlightOutcome::kFreshened, Reason::kRevalidated, fresh)
                         : make_answer(FlightOutcome::kAskAgain, Reason::kPrivate, nullptr);
    answer->must_ask_alone = !theirs;
    post_answer(each.waiter, std::move(answer));
  }
}

void Flight::take_storable(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size) {
  const storage::WallTime now = storage::wall_now();
  StoreDecision decision = decide_storable(request_.request, head, now, context_.policy);
  // A refresh that fails does not replace a good stored response (G8).
  if (request_.selected && is_replaceable_error(head.status)) decision = {false, Reason::kOriginError, {}};
  std::unique_ptr<storage::StoreWriter> writer;
  if (decision.store) writer = context_.store.begin(request_.key, body_size);
  if (!writer) {
    return take_unstorable(head, body_size, decision.store ? Reason::kStoreFull : decision.reason);
  }
  head_ = make_stored_head(request_.key, request_.request, head, decision, request_time_, now);
  head_.filled_at = filled_at_;
  head_.validated_at = filled_at_;
  context_.table.remember_vary(request_.key, head_.selecting);
  const auto response = std::make_shared<const storage::StoredResponse>(head_, storage::make_memory_body({}),
                                                                        context_.store.describe());
  storage::StoredResponsePtr for_starter = response;
  if (!decision.withheld.empty()) {
    storage::StoredHead whole = head_;
    whole.response.fields = end_to_end_fields(head.fields);
    whole.response.fields.remove(storage::FieldName::kAge);
    for_starter = std::make_shared<const storage::StoredResponse>(
        std::move(whole), storage::make_memory_body({}), context_.store.describe());
  }

  const auto fill = std::make_shared<Fill>(
      storage::FillOptions{body_size, context_.store.max_in_memory(), kWindow}, context_.fill_budget);
  fill->write_to(std::move(writer));
  stored_to_be_ = true;
  const bool open = !facts_of(*response).validate_each_use;
  std::vector<Waiting> waiting;
  {
    const MutexLock lock(mutex_);
    fill_ = fill;
    open_response_ = response;
    open_body_size_ = body_size;
    phase_ = open ? Phase::kOpen : Phase::kClosed;
    waiting = std::exchange(waiting_, {});
  }
  for (const Waiting& each : waiting) {
    answer_with_fill(each.waiter, FlightOutcome::kStored, decision.reason,
                     each.starter ? for_starter : response, body_size);
  }
}

void Flight::take_unstorable(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size,
                             Reason reason) {
  storage::StoredHead passed;
  passed.key = request_.key;
  passed.response = {head.status, head.reason, end_to_end_fields(head.fields)};
  passed.request_time = request_time_;
  passed.response_time = storage::wall_now();
  // RFC 9110, 6.6.1: a recipient with a clock adds what the origin left out.
  if (!head.fields.has(storage::FieldName::kDate)) {
    passed.response.fields.add(storage::FieldName::kDate, storage::format_http_date(passed.response_time));
  }
  const auto response = std::make_shared<const storage::StoredResponse>(
      std::move(passed), storage::make_memory_body({}), context_.store.describe());
  // Nobody is to wait for this key's answers for a while; an error says nothing about the next answer.
  if (request_.may_join && head.status < 500) {
    context_.table.remember_not_shareable(request_.key, storage::mono_now());
  }
  const auto fill = std::make_shared<Fill>(storage::FillOptions{body_size, 0, kWindow}, context_.fill_budget);
  {
    const MutexLock lock(mutex_);
    fill_ = fill;
  }
  bool has_starter = false;
  for (const Waiting& each : take_waiting(Phase::kEnded)) {
    has_starter = has_starter || each.starter;
    if (each.starter) {
      answer_with_fill(each.waiter, FlightOutcome::kNotStorable, reason, response, body_size);
    } else {
      auto answer = make_answer(FlightOutcome::kAskAgain, reason, response);
      answer->must_ask_alone = true;
      post_answer(each.waiter, std::move(answer));
    }
  }
  context_.table.forget(*this);
  if (!has_starter) end();
}

std::shared_ptr<FlightAnswer> Flight::make_answer(FlightOutcome outcome, Reason reason,
                                                  storage::StoredResponsePtr response) const {
  auto answer = std::make_shared<FlightAnswer>();
  answer->outcome = outcome;
  answer->reason = reason;
  answer->response = std::move(response);
  answer->sent_at = sent_at_;
  answer->origin_time = origin_time_;
  return answer;
}

void Flight::post_answer(const std::shared_ptr<FlightWaiter>& waiter, std::shared_ptr<FlightAnswer> answer) {
  waiter->executor->post([waiter, answer = std::move(answer)] {
    if (!waiter->gone) waiter->answer(answer);
  });
}

void Flight::answer_with_fill(const std::shared_ptr<FlightWaiter>& waiter, FlightOutcome outcome,
                              Reason reason, const storage::StoredResponsePtr& response,
                              std::optional<std::uint64_t> body_size) {
  auto answer = make_answer(outcome, reason, response);
  answer->body_size = body_size;
  {
    const MutexLock lock(mutex_);
    answer->reader = open_reader_locked(waiter);
  }
  post_answer(waiter, std::move(answer));
}

std::unique_ptr<storage::FillReader> Flight::open_reader_locked(const std::shared_ptr<FlightWaiter>& waiter) {
  return fill_->open_reader(*waiter->executor, [waiter] {
    if (!waiter->gone) waiter->wake();
  });
}

}  // namespace freshet::revalidate
