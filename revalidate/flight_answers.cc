// How a flight takes the origin's answer, and what it tells those who wait.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "revalidate/flight.h"
#include "revalidate/flight_table.h"
#include "revalidate/policy/error_reuse.h"
#include "revalidate/policy/forwarding.h"
#include "revalidate/policy/freshness.h"
#include "revalidate/policy/invalidation.h"
#include "revalidate/policy/response_facts.h"
#include "revalidate/policy/selection.h"
#include "revalidate/policy/storability.h"
#include "revalidate/policy/validation.h"
#include "storage/http/http_date.h"

namespace freshet::revalidate {

using storage::Counter;
using storage::Fill;
using storage::MutexLock;
using storage::Standing;

namespace {

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

// RFC 9110, 6.6.1: a recipient with a clock adds what the origin left out.
void add_missing_date(storage::HeaderFields& fields, storage::WallTime response_time) {
  if (fields.has(storage::FieldName::kDate)) return;
  fields.add(storage::FieldName::kDate, storage::format_http_date(response_time));
}

}  // namespace

void Flight::on_head(storage::ResponseHead head, std::optional<std::uint64_t> body_size) {
  // What a GET would get; the content itself is known to be empty.
  if (request_.request.method == storage::Method::kHead) body_size = stated_length(head.fields);
  context_.health.answered();
  origin_time_ = std::chrono::duration_cast<storage::Milliseconds>(storage::mono_now() - sent_at_);
  if (head.status == 304) context_.counters.add(Counter::kOriginNotModified);
  if (conditional_ && take_validation(head)) return;
  if (head.status == 304 && !has_conditions(request_.origin.fields)) {
    return fail_all(Reason::kOriginMalformed, "a 304 to a request without conditions");
  }
  // The answer to the client's own conditions.
  if (head.status == 304) return take_unstorable(head, body_size, Reason::kNone);
  if (request_.request.method == storage::Method::kHead && take_head(head)) return;
  if (take_range_answer(head, body_size)) return;
  if (!request_.may_store || body_size.value_or(0) > context_.max_object) {
    return take_unstorable(head, body_size, request_.may_store ? Reason::kTooLarge : Reason::kBypass);
  }
  take_storable(head, body_size);
}

// The answer to our own conditions. False: it is one that a request without them might have had.
bool Flight::take_validation(const storage::ResponseHead& head) {
  switch (head.status) {
    case 304:
      take_304(head);
      return true;
    case 206:
    case 412:
    case 416:
      // No client has asked for a part or set a condition that can fail.
      ask_unconditionally();
      return true;
    default:
      return false;
  }
}

// The same again, without conditions: what came fits nothing that is stored (any more).
void Flight::ask_unconditionally() {
  request_.stored = nullptr;
  conditional_ = false;
  apply_conditions({}, request_.origin.fields);
  filled_at_ = context_.store.generations().current();
  ask();
}

bool Flight::is_alive(const storage::StoredResponsePtr& stored) const {
  return stored && context_.store.generations().standing(*stored) != Standing::kDead;
}

storage::StoredResponsePtr Flight::make_response(storage::StoredHead head,
                                                 const storage::StoredResponsePtr& body_of) const {
  return std::make_shared<const storage::StoredResponse>(
      std::move(head), body_of ? body_of->body() : storage::make_memory_body({}), context_.store.describe());
}

storage::StoredResponsePtr Flight::freshened(const storage::StoredResponsePtr& old,
                                             const storage::ResponseHead& head,
                                             storage::Sequence validated_at) const {
  return make_response(freshened_head(old->head(), head, request_.request, request_time_, storage::wall_now(),
                                      validated_at, context_.policy),
                       old);
}

// RFC 9111, 4.3.4.
void Flight::take_304(const storage::ResponseHead& head) {
  const storage::StoredResponsePtr old =
      choose_304(*request_.stored, request_.selected.get(), request_.request, head);
  if (!is_alive(old)) return ask_unconditionally();
  storage::StoredResponsePtr answer = freshened(old, head, filled_at_);
  // By a tag that it has from now on.
  if (!is_alive(answer)) return ask_unconditionally();
  const bool for_all = may_store_freshened(request_.request, answer->head(), context_.policy);
  if (for_all) {
    context_.store.freshen(old, answer);
    for (const storage::StoredResponsePtr& each : also_confirmed(*request_.stored, *old, head)) {
      if (is_alive(each)) context_.store.freshen(each, freshened(each, head, filled_at_));
    }
  }
  if (!matches(old->head(), request_.request)) {
    // It is good for those who select it, and from now on for this request's variant too.
    const storage::StoredResponsePtr confirmed = answer;
    answer = make_response(added_variant(confirmed->head(), head, request_.request), confirmed);
    if (for_all) context_.store.add_variant(confirmed, answer);
    context_.table.remember_vary(request_.key, answer->head().selecting);
  }
  answer_freshened(answer, for_all, head.status);
}

// RFC 9111, 4.3.5: what a 200 to HEAD says of the stored response that it would have selected. True: it has
// confirmed it, and the freshened one is the answer. That its fields do not contradict is no validation of
// what a soft invalidation has made stale.
bool Flight::take_head(const storage::ResponseHead& head) {
  const storage::StoredResponsePtr& old = request_.selected;
  if (head.status != 200 || !request_.may_store || !is_alive(old)) return false;
  if (!head_confirms(*old, head)) {
    // What one user gets says nothing to others.
    if (request_.request.fields.has(storage::FieldName::kAuthorization)) return false;
    storage::StoredHead outdated = old->head();
    outdated.outdated = true;
    context_.store.freshen(old, make_response(std::move(outdated), old));
    return false;
  }
  const storage::StoredResponsePtr fresh = freshened(old, head, old->head().validated_at);
  if (!may_store_freshened(request_.request, fresh->head(), context_.policy)) return false;
  context_.store.freshen(old, fresh);
  answer_freshened(fresh, true, head.status);
  return true;
}

void Flight::answer_freshened(const storage::StoredResponsePtr& fresh, bool for_all, int origin_status) {
  contacted(origin_status, Reason::kRevalidated);
  std::vector<Waiting> waiting = take_waiting(Phase::kEnded);
  send_off(take_overtaken(waiting, fresh->head()));
  for (const Waiting& each : waiting) {
    const bool theirs = for_all || each.starter;
    auto answer = theirs ? make_answer(FlightOutcome::kFreshened, Reason::kRevalidated, fresh)
                         : make_answer(FlightOutcome::kAskAgain, Reason::kPrivate, nullptr);
    answer->must_ask_alone = !theirs;
    answer->origin_status = origin_status;
    post_answer(each.waiter, std::move(answer));
  }
}

// Of those who wait for this answer, who came after an invalidation that it is older than, as far as that can
// be told: one that came before they joined, and the answer has not passed since.
std::vector<Flight::Waiting> Flight::take_overtaken(std::vector<Waiting>& waiting,
                                                    const storage::StoredHead& answer) const {
  if (context_.store.generations().standing(answer) == Standing::kCurrent) return {};
  const auto end = std::stable_partition(waiting.begin(), waiting.end(), [this](const Waiting& each) {
    return each.starter || each.joined_at <= filled_at_;
  });
  std::vector<Waiting> overtaken(std::make_move_iterator(end), std::make_move_iterator(waiting.end()));
  waiting.erase(end, waiting.end());
  return overtaken;
}

void Flight::send_off(const std::vector<Waiting>& overtaken) const {
  for (const Waiting& each : overtaken) {
    post_answer(each.waiter, make_answer(FlightOutcome::kAskAgain, Reason::kInvalidated, nullptr));
  }
}

void Flight::take_storable(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size) {
  const storage::WallTime now = storage::wall_now();
  StoreDecision decision = decide_storable(request_.request, head, now, context_.policy);
  // A refresh that fails does not replace a good stored response (G8).
  const bool has_good_one =
      is_alive(request_.selected) && !is_replaceable_error(request_.selected->head().response.status);
  if (has_good_one && is_replaceable_error(head.status)) decision = {false, Reason::kOriginError, {}};
  std::unique_ptr<storage::StoreWriter> writer;
  if (decision.store) {
    invalidate_by_use(head);
    head_ =
        make_stored_head(request_.key, request_.request, head, decision, request_time_, now, context_.policy);
    head_.filled_at = filled_at_;
    head_.validated_at = filled_at_;
    writer = begin_writer(head, body_size);
  }
  if (!writer) {
    return take_unstorable(head, body_size, decision.store ? Reason::kStoreFull : decision.reason);
  }
  context_.table.remember_vary(request_.key, head_.selecting);
  store_reason_ = decision.reason;
  contacted(head.status, store_reason_);
  if (!decision.withheld.empty()) {
    whole_fields_ = end_to_end_fields(head.fields);
    whole_fields_->remove(storage::FieldName::kAge);
    add_missing_date(*whole_fields_, now);
  }
  begin_fill(std::move(writer), body_size);
}

// RFC 9111, 4.4: what the answer to an unsafe method invalidates goes before that answer is stored (RFC 9110,
// 9.3.3), so that it stays.
void Flight::invalidate_by_use(const storage::ResponseHead& head) {
  if (!invalidates(request_.request.method, head.status)) return;
  invalidate_with_part(context_.store, request_.key);
  // It knows which keys the target has; it belongs to this worker, as nobody joins an unsafe method.
  const std::shared_ptr<FlightWaiter> waiter = starter();
  if (waiter && !waiter->gone && waiter->invalidate) waiter->invalidate(head);
  filled_at_ = context_.store.generations().current();
}

void Flight::take_unstorable(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size,
                             Reason reason) {
  contacted(head.status, reason);
  storage::StoredHead passed;
  passed.key = request_.key;
  passed.response = {head.status, head.reason, end_to_end_fields(head.fields)};
  passed.request_time = request_time_;
  passed.response_time = storage::wall_now();
  add_missing_date(passed.response.fields, passed.response_time);
  const storage::StoredResponsePtr response = make_response(std::move(passed), nullptr);
  // Nobody is to wait for this key's answers for a while; an error says nothing about the next answer.
  if (request_.may_join && head.status < 500) {
    context_.table.remember_not_shareable(request_.key, storage::mono_now());
  }
  const auto fill =
      std::make_shared<Fill>(storage::FillOptions{body_size, 0, kFillWindow}, context_.fill_budget);
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
                              std::optional<std::uint64_t> body_size,
                              std::unique_ptr<storage::FillReader> reader) {
  auto answer = make_answer(outcome, reason, response);
  answer->body_size = body_size;
  answer->reader = std::move(reader);
  if (!answer->reader) {
    const MutexLock lock(mutex_);
    answer->reader = open_reader_locked(waiter);
  }
  if (!answer->reader) {
    // The beginning is gone.
    answer = make_answer(FlightOutcome::kAskAgain, reason, nullptr);
    answer->must_ask_alone = true;
  }
  post_answer(waiter, std::move(answer));
}

std::unique_ptr<storage::FillReader> Flight::open_reader_locked(const std::shared_ptr<FlightWaiter>& waiter) {
  return fill_->open_reader(*waiter->executor, [waiter] {
    if (!waiter->gone) waiter->wake();
  });
}

}  // namespace freshet::revalidate
