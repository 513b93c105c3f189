#include "revalidate/flight.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "revalidate/flight_table.h"
#include "revalidate/policy/error_reuse.h"
#include "revalidate/policy/forwarding.h"
#include "revalidate/policy/freshness.h"
#include "revalidate/policy/response_facts.h"
#include "revalidate/policy/selection.h"
#include "revalidate/policy/storability.h"
#include "revalidate/policy/validation.h"
#include "storage/base/check.h"
#include "storage/http/http_date.h"

namespace freshet::revalidate {

using storage::Counter;
using storage::Fill;
using storage::MutexLock;

namespace {

// Bytes that a response which nobody stores may be ahead of its slowest reader.
constexpr std::size_t kWindow = 512 * 1024;

Reason reason_of(OriginFailure failure) {
  switch (failure) {
    case OriginFailure::kConnect:
    case OriginFailure::kTls:
    case OriginFailure::kLocal:
      return Reason::kOriginUnreachable;
    case OriginFailure::kTimeout:
      return Reason::kOriginTimeout;
    case OriginFailure::kReset:
    case OriginFailure::kTruncated:
      return Reason::kOriginCut;
    case OriginFailure::kMalformed:
    case OriginFailure::kTooLarge:
      return Reason::kOriginMalformed;
    case OriginFailure::kUploadFailed:
      return Reason::kClientGone;
  }
  return Reason::kOriginUnreachable;
}

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

Flight::Ticket::Ticket(std::shared_ptr<Flight> flight, std::shared_ptr<FlightWaiter> waiter)
    : flight_(std::move(flight)), waiter_(std::move(waiter)) {}

Flight::Ticket::~Ticket() {
  waiter_->gone = true;
  flight_->table_.give_waiter();
  flight_->leave(waiter_);
}

void Flight::Ticket::upload_ready() {
  if (flight_->call_) flight_->call_->upload_ready();
}

Flight::Flight(FlightRequest request, FlightContext& context, storage::Digest128 slot)
    : request_(std::move(request)),
      context_(context),
      table_(context.table),
      loop_(context.loop),
      slot_(slot),
      filled_at_(context.store.generations().current()) {}

Flight::~Flight() = default;

std::unique_ptr<Flight::Ticket> Flight::join_as_starter(FlightWaiter waiter) {
  auto shared = std::make_shared<FlightWaiter>(std::move(waiter));
  {
    const MutexLock lock(mutex_);
    waiting_.push_back({shared, true});
    ++interested_;
  }
  return std::make_unique<Ticket>(shared_from_this(), std::move(shared));
}

std::unique_ptr<Flight::Ticket> Flight::join(FlightWaiter waiter) {
  if (!context_.store.generations().is_current(request_.key, filled_at_)) return nullptr;
  auto shared = std::make_shared<FlightWaiter>(std::move(waiter));
  const MutexLock lock(mutex_);
  if (phase_ == Phase::kEnded) return nullptr;
  if (phase_ == Phase::kAsking) {
    waiting_.push_back({shared, false});
  } else if (phase_ == Phase::kClosed) {
    latecomers_.push_back(shared);
  } else {
    auto answer = make_answer(FlightOutcome::kStored, Reason::kCollapsed, open_response_);
    answer->body_size = open_body_size_;
    answer->reader = open_reader_locked(shared);
    if (!answer->reader) {
      latecomers_.push_back(shared);
    } else {
      post_answer(shared, std::move(answer));
    }
  }
  ++interested_;
  return std::make_unique<Ticket>(shared_from_this(), std::move(shared));
}

void Flight::start() {
  self_ = shared_from_this();
  context_.active.insert(this);
  context_.counters.add(Counter::kFillsOpen);
  {
    const MutexLock lock(mutex_);
    background_ = interested_ == 0;
  }
  OriginPool::Acquired place = context_.pool.acquire(
      context_.loop, [this](OriginPool::Permit permit) { take_place(std::move(permit)); });
  switch (place.answer) {
    case OriginPool::Answer::kGranted:
      return take_place(std::move(place.permit));
    case OriginPool::Answer::kQueued:
      wait_ = std::move(place.wait);
      return;
    case OriginPool::Answer::kQueueFull:
      return fail_all(Reason::kOriginBusy, "too many requests wait for the origin");
  }
}

void Flight::take_place(OriginPool::Permit permit) {
  const std::shared_ptr<Flight> self = shared_from_this();
  if (!permit) return fail_all(Reason::kOriginBusy, "no place at the origin in time");
  permit_ = std::move(permit);
  if (request_.stored) {
    const Conditions conditions = conditions_for(*request_.stored, request_.selected.get());
    if (!conditions.empty()) {
      apply_conditions(conditions, request_.origin.fields);
      conditional_ = true;
    }
  }
  ask();
}

void Flight::ask() {
  context_.counters.add(Counter::kOriginRequests);
  if (conditional_) context_.counters.add(Counter::kOriginConditional);
  request_time_ = storage::wall_now();
  sent_at_ = storage::mono_now();
  call_ = context_.client.start(request_.origin, *this, request_.upload);
}

void Flight::on_sent() {
  request_time_ = storage::wall_now();
  sent_at_ = storage::mono_now();
}

void Flight::on_informational(storage::ResponseHead head) {
  std::shared_ptr<FlightWaiter> starter;
  {
    const MutexLock lock(mutex_);
    for (const Waiting& each : waiting_) {
      if (each.starter) starter = each.waiter;
    }
  }
  if (!starter) return;
  starter->executor->post([starter, head = std::move(head)] {
    if (!starter->gone && starter->informational) starter->informational(head);
  });
}

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

OriginHandler::Body Flight::on_body(std::string_view bytes) {
  if (body_paused_) {
    curl_waits_ = true;
    return Body::kPause;
  }
  const std::shared_ptr<Fill> fill = current_fill();
  if (!fill) return Body::kTaken;  // a 304's or an ended flight's stray bytes
  const std::weak_ptr<Flight> weak = weak_from_this();
  const auto appetite = fill->append(bytes, context_.loop, [weak] {
    const std::shared_ptr<Flight> self = weak.lock();
    if (!self) return;
    self->body_paused_ = false;
    if (std::exchange(self->curl_waits_, false) && self->call_) self->call_->resume();
  });
  if (appetite == Fill::Appetite::kPause) body_paused_ = true;
  if (stored_to_be_ && !fill->can_be_stored()) give_up_storing();
  end_if_unwanted();
  return Body::kTaken;
}

// The tiers have had enough of it. Those who have it read on; nobody waits for it any more, who comes now
// asks for himself (G5).
void Flight::give_up_storing() {
  stored_to_be_ = false;
  context_.table.forget(*this);
  for (const auto& waiter : take_latecomers()) {
    post_answer(waiter, make_answer(FlightOutcome::kAskAgain, Reason::kStoreFull, nullptr));
  }
}

void Flight::on_complete(storage::HeaderFields trailers) {
  const std::shared_ptr<Fill> fill = current_fill();
  if (!fill) return end();
  Fill::Sealed sealed = fill->seal(std::move(trailers));
  permit_ = {};
  if (stored_to_be_ && sealed.size <= context_.max_object) return commit(std::move(sealed));
  end();
}

void Flight::commit(Fill::Sealed sealed) {
  head_.body_size = sealed.size;
  if (!sealed.writer) return end();
  const std::shared_ptr<Flight> self = shared_from_this();
  sealed.writer->commit(std::move(head_), std::move(sealed.whole), context_.loop,
                        [self](bool /*stored*/) { self->end(); });
}

void Flight::on_failure(OriginError error) {
  context_.health.failed(error);
  if (const auto fill = current_fill()) fill->fail();
  fail_all(reason_of(error.failure), error.detail);
}

void Flight::fail_all(Reason reason, const std::string& detail) {
  for (const Waiting& each : take_waiting(Phase::kEnded)) {
    auto answer = make_answer(FlightOutcome::kFailed, reason, nullptr);
    answer->detail = detail;
    post_answer(each.waiter, std::move(answer));
  }
  end();
}

// The answer is given or nobody wants it: whoever came too late for it asks again.
void Flight::end() {
  const std::shared_ptr<Flight> self = shared_from_this();
  const auto latecomers = take_latecomers();
  context_.table.forget(*this);
  if (context_.active.erase(this) > 0) {
    context_.counters.add(Counter::kFillsOpen, -1);
    context_.table.give_fill();
  }
  call_.reset();
  wait_.reset();
  permit_ = {};
  self_.reset();
  for (const auto& waiter : latecomers) {
    post_answer(waiter, make_answer(FlightOutcome::kAskAgain, Reason::kNone, nullptr));
  }
}

void Flight::abandon() {
  const std::shared_ptr<Flight> self = shared_from_this();
  if (const auto fill = current_fill()) fill->fail();
  fail_all(Reason::kOverloaded, "shutting down");
}

std::shared_ptr<Fill> Flight::current_fill() {
  const MutexLock lock(mutex_);
  return fill_;
}

void Flight::leave(const std::shared_ptr<FlightWaiter>& waiter) {
  {
    const MutexLock lock(mutex_);
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(),
                                  [&](const Waiting& each) { return each.waiter == waiter; }),
                   waiting_.end());
    latecomers_.erase(std::remove(latecomers_.begin(), latecomers_.end(), waiter), latecomers_.end());
    if (--interested_ > 0) return;
  }
  // An upload's source goes with its ticket, on this same worker.
  if (request_.upload != nullptr) return end_if_unwanted();
  loop_.post([self = shared_from_this()] { self->end_if_unwanted(); });
}

void Flight::end_if_unwanted() {
  std::shared_ptr<Fill> fill;
  {
    const MutexLock lock(mutex_);
    if (interested_ > 0) return;
    if (background_ && fill_ == nullptr) return;
    fill = fill_;
  }
  const bool stored = stored_to_be_ && fill && fill->can_be_stored();
  if (stored) return;
  if (fill) fill->fail();
  end();
}

std::vector<std::shared_ptr<FlightWaiter>> Flight::take_latecomers() {
  const MutexLock lock(mutex_);
  phase_ = Phase::kEnded;
  return std::exchange(latecomers_, {});
}

std::vector<Flight::Waiting> Flight::take_waiting(Phase next) {
  const MutexLock lock(mutex_);
  phase_ = next;
  return std::exchange(waiting_, {});
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
