// The steps of an exchange, in the order in which a request meets them.
#include <string>
#include <utility>

#include "proxy/exchange/exchange.h"
#include "revalidate/policy/content_tag.h"
#include "revalidate/policy/error_reuse.h"
#include "revalidate/policy/forwarding.h"
#include "revalidate/policy/freshness.h"
#include "revalidate/policy/invalidation.h"
#include "revalidate/policy/response_facts.h"
#include "revalidate/policy/selection.h"
#include "storage/http/field_syntax.h"

namespace freshet::proxy {

using revalidate::FlightAnswer;
using revalidate::FlightOutcome;
using revalidate::Reason;
using revalidate::ReuseDecision;
using storage::Counter;
using storage::Standing;

namespace {

// After so many answers that were meant for others, a request asks for itself.
constexpr int kMostAttempts = 3;
// So often it looks again because of a flight that ended meanwhile.
constexpr int kMostLooks = 3;

}  // namespace

Exchange::Outcome Exchange::receive_head() {
  facts_ = revalidate::make_request_facts(request_, body_.source != nullptr, context_.policy);
  if (request_.method == storage::Method::kConnect) return reply_error(501, Reason::kMethod);
  if (revalidate::is_final_recipient(request_)) return reply_error(501, Reason::kMethod);
  revalidate::remove_connection_fields(request_);
  if (request_.authority.empty()) request_.authority = context_.default_authority;
  take_debug_field();
  if (options_->request_ids && !explaining_) take_request_id();
  if (client_->trusted) take_forwarded_scheme();
  make_key();
  if (is_purge(request_)) return purge();
  // To the origin our tags say nothing, and without them the request would have no condition at all.
  if (facts_.has_if_match && revalidate::names_only_content_tags(request_)) {
    return reply_error(412, Reason::kOwnEntityTag);
  }
  if (!facts_.may_use_store()) {
    const bool get = request_.method == storage::Method::kGet || request_.method == storage::Method::kHead;
    why_ = !get ? Reason::kMethod : facts_.has_content ? Reason::kRequestBody : Reason::kUnsafeCondition;
    outcome_ = CacheOutcome::kPass;
    ask_alone_ = true;
    return go(Step::kJoinFlight);
  }
  return go(Step::kLookup);
}

Exchange::Outcome Exchange::lookup() {
  if (explaining_) return look_without_trace(key_, true);
  looked_up_at_.reset();
  if (++looks_ < kMostLooks) looked_up_at_ = context_.flights.table.ended(key_);
  storage::ResponseStore::LookupResult found = context_.store.try_lookup(key_);
  if (found.found == storage::ResponseStore::Found::kNeedsIo) {
    read_from_disk();
    return go(Step::kAwaitDisk);
  }
  if (found.memory_hit) context_.counters.add_alone(Counter::kMemoryHits);
  variants_ = std::move(found.variants);
  return go(Step::kDecide);
}

void Exchange::read_from_disk() {
  context_.store.lookup(key_, context_.flights.loop,
                        [this, alive = alive()](storage::VariantSetPtr variants) {
                          if (!*alive) return;
                          variants_ = std::move(variants);
                          step_ = Step::kDecide;
                          advance();
                        });
}

Exchange::Outcome Exchange::decide() {
  if (asks_for_part()) return look_up_part();
  if (use_part()) return Outcome::kGoOn;
  if (variants_) {
    selected_ = revalidate::select(*variants_, request_);
  } else {
    selected_.reset();
  }
  if (selected_ && !key_holds_for(*selected_)) return look_up_by_plain_key(*selected_);
  Standing standing = Standing::kCurrent;
  if (selected_) standing = context_.store.generations().standing(*selected_);
  if (standing == Standing::kDead) {
    // While it was on its way from the disk.
    variants_ = nullptr;
    selected_.reset();
  }
  ReuseDecision decision = revalidate::decide_reuse(facts_, selected_.get(), variants_ != nullptr, now(),
                                                    context_.policy, standing);
  if (decision.forced_by_client) bound_reload(decision);
  if (explaining_) explaining_->explanation.decision = decision;
  why_ = decision.reason;
  if (decision.kind != ReuseDecision::Kind::kGatewayTimeout) send_remembered_hints();
  switch (decision.kind) {
    case ReuseDecision::Kind::kServe:
      outcome_ = decision.ttl.count() < 0 ? CacheOutcome::kStale : CacheOutcome::kHit;
      status_.hit = true;
      status_.ttl = decision.ttl;
      // Whose slices have to be asked for stays selected.
      if (!selected_->head().sliced) return use_stored(std::move(selected_));
      return use_stored(selected_);
    case ReuseDecision::Kind::kServeStaleAndRevalidate:
      outcome_ = CacheOutcome::kStale;
      status_.hit = true;
      status_.ttl = decision.ttl;
      if (decision.invalidated) status_.detail = Reason::kInvalidated;
      revalidate_in_background();
      return use_stored(selected_);
    case ReuseDecision::Kind::kGatewayTimeout:
      return reply_error(504, decision.reason);
    case ReuseDecision::Kind::kValidate:
    case ReuseDecision::Kind::kFetch:
      break;
  }
  // What is selected but may not be validated is not offered; other variants may be (RFC 9111, 4.3.1).
  return go(Step::kJoinFlight);
}

// A fresh response that the client wants validated: the origin is asked once in a while, whoever else insists
// gets what is stored, also while that question is under way. Who was let through once stays so.
void Exchange::bound_reload(ReuseDecision& decision) {
  const bool asks =
      decision.kind == ReuseDecision::Kind::kValidate || decision.kind == ReuseDecision::Kind::kFetch;
  if (!asks) return;
  const storage::Milliseconds interval = context_.policy.reload_interval;
  revalidate::FlightTable& table = context_.flights.table;
  if (!may_force_) {
    may_force_ = explaining_ ? table.could_force(key_, context_.mono_time(), interval)
                             : table.may_force(key_, context_.mono_time(), interval);
  }
  if (may_force_) return;
  if (!explaining_) context_.counters.add(Counter::kReloadsBounded);
  decision.kind = ReuseDecision::Kind::kServe;
  decision.reason = status_.detail = Reason::kReloadInterval;
}

Exchange::Outcome Exchange::use_stored(storage::StoredResponsePtr response) {
  response_ = std::move(response);
  learn_search_rule(*response_);
  body_size_ = response_->head().body_size;
  return go(Step::kSendHead);
}

Exchange::FlightPlan Exchange::plan_flight() {
  FlightPlan plan;
  const bool uses_store = facts_.may_use_store();
  const bool get = request_.method == storage::Method::kGet;
  const bool may_collapse =
      !ask_alone_ && attempts_ < kMostAttempts && get && revalidate::may_collapse(facts_);
  plan.not_shareable =
      may_collapse && context_.flights.table.recall(key_, arrived_).not_shareable && !selected_;
  if (may_collapse && !plan.not_shareable && asks_far_into_the_unknown()) {
    range_forwarded_ = true;
    why_ = Reason::kFarRange;
  }
  plan.alone = !may_collapse || plan.not_shareable || range_forwarded_;
  plan.request = make_flight_request(plan.alone && uses_store);
  return plan;
}

Exchange::Outcome Exchange::join_flight() {
  FlightPlan plan = plan_flight();
  ++attempts_;
  step_ = Step::kAwaitFlight;
  auto& table = context_.flights.table;
  revalidate::FlightTable::Joined joined =
      plan.alone ? table.start_alone(std::move(plan.request), context_.flights, make_waiter())
                 : table.join_or_start(std::move(plan.request), context_.flights, make_waiter());
  if (joined.look_again) {
    --attempts_;
    return go(Step::kLookup);
  }
  if (!joined.ticket) return take_failure(Reason::kOverloaded);
  joined_ = joined.started == nullptr;
  ticket_ = std::move(joined.ticket);
  if (joined_) context_.counters.add(Counter::kCollapsed);
  return Outcome::kWait;
}

// `alone`: with nothing to validate, the client's own conditions and range go to the origin.
revalidate::FlightRequest Exchange::make_flight_request(bool alone) {
  const bool uses_store = facts_.may_use_store();
  revalidate::FlightRequest flight;
  flight.key = key_;
  flight.request = request_;
  flight.for_range = range_forwarded_;
  if (range_forwarded_) flight.may_store = true;
  if (uses_store && !range_forwarded_) {
    flight.stored = variants_;
    flight.selected = selected_;
    flight.may_store = true;
    flight.may_join = !alone;
    flight.looked_up_at = looked_up_at_;
  }
  // Its answer may be the GET's (RFC 9110, 9.3.3).
  if (request_.method == storage::Method::kPost) flight.may_store = true;
  conditions_forwarded_ = !range_forwarded_ && (!uses_store || (alone && !variants_));
  revalidate::ForwardingContext forwarding;
  forwarding.client_address = client_->address;
  forwarding.client_is_trusted = client_->trusted;
  forwarding.keep_conditions = conditions_forwarded_;
  forwarding.keep_range = conditions_forwarded_ || range_forwarded_;
  forwarding.announce_surrogate = context_.policy.announce_surrogate;
  flight.origin.method = request_.method_text;
  flight.origin.target = request_.target;
  flight.origin.fields = revalidate::origin_request_fields(request_, forwarding);
  if (!request_id_.empty()) flight.origin.fields.add(kRequestIdField, request_id_);
  if (beginning_ && flight.may_join && !variants_) ask_for_rest(flight);
  // "Content-Length: 0" goes on as such: some origins insist on it (RFC 9110, 8.6).
  flight.origin.has_body = body_.source != nullptr || body_.size.has_value();
  flight.origin.body_size = body_.size;
  flight.upload = body_.source;
  return flight;
}

revalidate::FlightWaiter Exchange::make_waiter() {
  revalidate::FlightWaiter waiter;
  waiter.executor = &context_.flights.loop;
  waiter.arrived = arrived_;
  waiter.has_condition = has_stored_tag();
  waiter.invalidate = [this](const storage::ResponseHead& head) { invalidate_by_use(head); };
  // The ticket's destructor silences all three, so they may name this.
  waiter.answer = [this](std::shared_ptr<FlightAnswer> answer) {
    answer_ = std::move(answer);
    advance();
  };
  waiter.wake = [this] { advance(); };
  waiter.informational = [this](storage::ResponseHead head) { pass_informational(std::move(head)); };
  return waiter;
}

// The client has what is stored: where the origin sends that once more, it is spared.
bool Exchange::has_stored_tag() const {
  return facts_.has_if_none_match && selected_ &&
         revalidate::evaluate_preconditions(facts_, request_,
                                            revalidate::validators_of(revalidate::facts_of(*selected_)), {})
                 .outcome == revalidate::Precondition::kNotModified;
}

void Exchange::revalidate_in_background() {
  revalidate::FlightRequest request = make_flight_request(false);
  // Also for a HEAD: only the answer to a GET can replace what is stored.
  request.request.method = storage::Method::kGet;
  request.request.method_text = request.origin.method = "GET";
  if (explaining_) {
    explaining_->explanation.asking = asking_of(std::move(request), false);
    explaining_->explanation.asking->background = true;
    return;
  }
  context_.flights.table.start_background(std::move(request), context_.flights);
}

Exchange::Outcome Exchange::take_answer() {
  if (!answer_) return Outcome::kWait;
  const std::shared_ptr<FlightAnswer> answer = std::exchange(answer_, nullptr);
  if (answer->outcome != FlightOutcome::kAskAgain) {
    origin_time_ = std::chrono::duration_cast<std::chrono::microseconds>(answer->origin_time);
  }
  forget_old_hints(*answer);
  switch (answer->outcome) {
    case FlightOutcome::kStored:
    case FlightOutcome::kFreshened:
      return take_stored_answer(*answer);
    case FlightOutcome::kNotStorable:
      return take_unstorable_answer(*answer);
    case FlightOutcome::kFailed:
      return take_failure(answer->reason);
    case FlightOutcome::kAskAgain:
      // Of an answer that was another's, an error says something to all; what else it was does not.
      if (answer->response && revalidate::is_replaceable_error(answer->response->head().response.status) &&
          serve_stale_instead()) {
        return Outcome::kGoOn;
      }
      return ask_again(answer->must_ask_alone);
  }
  return Outcome::kWait;
}

// G12: an answer to another's request is ours only if reuse allows it for this request.
Exchange::Outcome Exchange::take_stored_answer(FlightAnswer& answer) {
  if (joined_) {
    if (!key_holds_for(*answer.response)) return look_up_by_plain_key(*answer.response);
    if (!revalidate::matches(answer.response->head(), request_)) return ask_again(false);
    const bool arrived_before_sent = arrived_ < answer.sent_at;
    if (!revalidate::may_share_flight_answer(facts_, revalidate::facts_of(*answer.response),
                                             arrived_before_sent, context_.wall_time())) {
      return ask_again(facts_.has_credentials() || arrived_before_sent);
    }
  }
  learn_search_rule(*answer.response);
  status_.forwarded = revalidate::forwarded_for(why_);
  if (why_ == Reason::kInvalidated) status_.detail = why_;
  status_.collapsed = joined_;
  const auto& facts = revalidate::facts_of(*answer.response);
  status_.ttl =
      std::chrono::floor<storage::Seconds>(revalidate::remaining_freshness(facts, context_.wall_time()));
  if (answer.outcome == FlightOutcome::kFreshened) {
    status_.forwarded_status = answer.origin_status;
    if (answer.reason == Reason::kContentEqual) status_.detail = answer.reason;
    outcome_ = CacheOutcome::kRevalidated;
    ticket_.reset();
    return use_stored(answer.response);
  }
  status_.forwarded_status = answer.response->head().response.status;
  status_.stored = !joined_;
  if (range_forwarded_) status_.detail = Reason::kFarRange;
  outcome_ = joined_ ? CacheOutcome::kCollapsed : CacheOutcome::kMiss;
  response_ = answer.response;
  reader_ = std::move(answer.reader);
  body_size_ = answer.body_size;
  return asks_far_into_fill() ? leave_for_own_range() : go(Step::kSendHead);
}

Exchange::Outcome Exchange::take_unstorable_answer(FlightAnswer& answer) {
  const int status = answer.response->head().response.status;
  if (revalidate::is_replaceable_error(status) && serve_stale_instead()) {
    status_.forwarded_status = status;
    return Outcome::kGoOn;
  }
  if (revalidate::invalidates(request_.method, status)) invalidate_by_use(answer.response->head().response);
  status_.forwarded = revalidate::forwarded_for(why_);
  status_.forwarded_status = status;
  if (outcome_ != CacheOutcome::kPass) status_.detail = range_forwarded_ ? Reason::kFarRange : answer.reason;
  response_ = answer.response;
  reader_ = std::move(answer.reader);
  body_size_ = answer.body_size;
  return go(Step::kSendHead);
}

revalidate::ErrorReuse Exchange::error_reuse() const {
  return revalidate::decide_error_reuse(facts_, revalidate::facts_of(*selected_), context_.wall_time(),
                                        context_.policy, context_.store.generations().standing(*selected_));
}

// RFC 9111, 4.2.4 and 4.3.3: a stale stored response in place of an error.
bool Exchange::serve_stale_instead() {
  if (!selected_) return false;
  const revalidate::ErrorReuse reuse = error_reuse();
  if (!reuse.serve_stale) return false;
  ticket_.reset();
  outcome_ = CacheOutcome::kStale;
  status_.hit = true;
  status_.ttl = reuse.ttl;
  status_.detail = reuse.reason;
  why_ = reuse.reason;
  use_stored(selected_);
  return true;
}

Exchange::Outcome Exchange::take_failure(Reason reason) {
  if (serve_stale_instead()) return Outcome::kGoOn;
  ticket_.reset();
  status_.forwarded = revalidate::forwarded_for(why_);
  if (reason == Reason::kClientGone) return reply_error(sink_->upload_failure_status(), reason);
  const auto* stored = selected_ ? &revalidate::facts_of(*selected_) : nullptr;
  return reply_error(revalidate::failure_status(reason, stored), reason);
}

Exchange::Outcome Exchange::ask_again(bool alone) {
  ticket_.reset();
  ask_alone_ = ask_alone_ || alone;
  return go(Step::kLookup);
}

}  // namespace freshet::proxy
