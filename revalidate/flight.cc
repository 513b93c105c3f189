#include "revalidate/flight.h"

#include <algorithm>
#include <utility>

#include "revalidate/flight_table.h"
#include "revalidate/policy/validation.h"

namespace freshet::revalidate {

using storage::Counter;
using storage::Fill;
using storage::MutexLock;
using storage::Standing;

namespace {

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

}  // namespace

bool add_conditions(FlightRequest& request) {
  if (!request.stored) return false;
  const Conditions conditions = conditions_for(*request.stored, request.selected.get(), request.request);
  if (conditions.empty()) return false;
  apply_conditions(conditions, request.origin.fields);
  return true;
}

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
    waiting_.push_back({shared, true, filled_at_});
    ++interested_;
  }
  return std::make_unique<Ticket>(shared_from_this(), std::move(shared));
}

std::unique_ptr<Flight::Ticket> Flight::join(FlightWaiter waiter) {
  const storage::Generations& generations = context_.store.generations();
  const storage::Sequence joined_at = generations.current();
  if (generations.standing_of_key(request_.key, filled_at_) != Standing::kCurrent) return nullptr;
  // It validates what is forgotten by now, by a tag of that: it will have to ask again, or brings another.
  if (conditional_ && request_.selected && generations.standing(*request_.selected) == Standing::kDead) {
    return nullptr;
  }
  auto shared = std::make_shared<FlightWaiter>(std::move(waiter));
  const MutexLock lock(mutex_);
  if (phase_ == Phase::kEnded) return nullptr;
  // By a tag that its answer has; also where that is awaited.
  if (open_response_ && generations.standing(*open_response_) != Standing::kCurrent) return nullptr;
  if (phase_ == Phase::kAsking) {
    waiting_.push_back({shared, false, joined_at});
  } else if (phase_ == Phase::kOpen && comparing_ && shared->has_condition) {
    // Without its beginning it will be told to ask again.
    waiting_.push_back({shared, false, joined_at, open_reader_locked(shared)});
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

bool Flight::has_ended() const {
  const MutexLock lock(mutex_);
  return phase_ == Phase::kEnded;
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
  if (add_conditions(request_)) conditional_ = true;
  ask();
}

void Flight::ask() {
  context_.counters.add(Counter::kOriginRequests);
  if (conditional_) context_.counters.add(Counter::kOriginConditional);
  request_time_ = storage::wall_now();
  sent_at_ = storage::mono_now();
  content_at_hand_ = 0;
  call_ = context_.client.start(request_.origin, *this, request_.upload);
}

void Flight::on_sent() {
  request_time_ = storage::wall_now();
  sent_at_ = storage::mono_now();
}

void Flight::on_informational(storage::ResponseHead head) {
  const std::shared_ptr<FlightWaiter> waiter = starter();
  if (!waiter) return;
  waiter->executor->post([waiter, head = std::move(head)] {
    if (!waiter->gone && waiter->informational) waiter->informational(head);
  });
}

// Null: it has left, or has its answer.
std::shared_ptr<FlightWaiter> Flight::starter() {
  const MutexLock lock(mutex_);
  for (const Waiting& each : waiting_) {
    if (each.starter) return each.waiter;
  }
  return nullptr;
}

void Flight::on_failure(OriginError error) {
  context_.health.failed(error);
  if (const auto fill = current_fill()) fill->fail();
  contacted(0, reason_of(error.failure));
  fail_all(reason_of(error.failure), error.detail);
}

void Flight::contacted(int status, Reason reason) {
  OriginContact contact;
  contact.at = request_time_;
  contact.took = std::chrono::duration_cast<storage::Milliseconds>(storage::mono_now() - sent_at_);
  contact.method = request_.request.method;
  contact.conditional = conditional_;
  contact.status = status;
  contact.reason = reason;
  table_.contacts().add(request_.key, contact);
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
  await_timer_.reset();
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
  // Whole and being stored, or to be stored: it goes on without anybody, but not without its upload.
  if (committing_ || (stored_to_be_ && request_.upload == nullptr && fill && fill->can_be_stored())) return;
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
  if (phase_ != Phase::kEnded) phase_ = next;
  return std::exchange(waiting_, {});
}

}  // namespace freshet::revalidate
