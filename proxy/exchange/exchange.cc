// The machine: life, loop, callbacks. What each step does stands in exchange_steps.cc, how a response is
// built in exchange_reply.cc.
#include "proxy/exchange/exchange.h"

#include <array>
#include <utility>

#include "storage/base/check.h"

namespace freshet::proxy {

Exchange::Exchange(ExchangeContext& context)
    : context_(context), pump_(context.flights.loop, [this] { advance(); }) {}

Exchange::Exchange(ExchangeContext& context, ResponseSink& sink, const ClientInfo& client)
    : Exchange(context) {
  serve(sink, client);
}

Exchange::~Exchange() {
  reset();
}

std::string_view Exchange::step_name() const {
  static constexpr std::array<std::string_view, 11> kNames = {
      "ReceiveHead", "Lookup",   "AwaitDisk", "Decide", "JoinFlight", "AwaitFlight",
      "AwaitPurge",  "SendHead", "SendBody",  "Finish", "Done"};
  return kNames[static_cast<std::size_t>(step_)];
}

void Exchange::serve(ResponseSink& sink, const ClientInfo& client) {
  FRESHET_CHECK(step_ == Step::kDone);
  sink_ = &sink;
  client_ = &client;
}

void Exchange::begin() {
  FRESHET_CHECK(step_ == Step::kDone);
  // Seldom another one; the count of its owners is left alone.
  if (options_ != context_.options) options_ = context_.options;
  arrived_ = context_.mono_time();
  arrived_wall_ = context_.wall_time();
  waited_ = false;
}

void Exchange::start(RequestBody body) {
  begin();
  body_ = body;
  step_ = Step::kReceiveHead;
  advance();
}

void Exchange::explain(std::function<void(Explanation)> explained) {
  explaining_ = std::make_unique<Explaining>();
  explaining_->explained = std::move(explained);
  start({});
}

void Exchange::refuse(int status, std::string_view why) {
  begin();
  refused_why_ = why;
  reply_error(status, revalidate::Reason::kBadRequest);
  advance();
}

void Exchange::reset() {
  if (alive_) *alive_ = false;
  alive_.reset();
  explaining_.reset();
  pump_.reset();
  sends_whole_ = false;
  // The reader leaves its fill before the ticket leaves the flight, which then sees who is left.
  reader_.reset();
  answer_.reset();
  ticket_.reset();
  response_.reset();
  selected_.reset();
  variants_ = nullptr;
  hints_.reset();
  first_chunk_ = {};
  request_.clear();
  key_.text.clear();
  asked_target_.clear();
  request_id_.clear();
  search_rule_.reset();
  step_ = Step::kDone;
  attempts_ = looks_ = 0;
  looked_up_at_.reset();
  ask_alone_ = joined_ = tell_key_ = may_force_ = origin_hinted_ = conditions_forwarded_ = prepared_ =
      has_body_ = range_forwarded_ = looked_for_part_ = false;
  parts_ = nullptr;
  place_.reset();
  beginning_.reset();
  body_size_.reset();
  status_ = {};
  outcome_ = CacheOutcome::kMiss;
  why_ = revalidate::Reason::kNone;
  precondition_ = {};
  multipart_.reset();
  sent_status_ = error_status_ = own_status_ = 0;
  own_text_.clear();
  refused_why_ = {};
  origin_time_.reset();
  first_byte_ = {};
  body_bytes_ = saved_bytes_ = 0;
}

void Exchange::client_gone() {
  if (done()) return;
  count_and_log(false);
  reset();
}

void Exchange::advance() {
  // Whoever has news while a step runs finds it running; the loop goes round once more.
  if (advancing_) {
    advance_again_ = true;
    return;
  }
  if (done()) return;
  advancing_ = true;
  Outcome outcome = Outcome::kGoOn;
  while (!done() && outcome == Outcome::kGoOn) {
    advance_again_ = false;
    outcome = run_step();
    if (advance_again_) outcome = Outcome::kGoOn;
  }
  advancing_ = false;
  waited_ = true;
  sink_->flush();
}

Exchange::Outcome Exchange::run_step() {
  switch (step_) {
    case Step::kReceiveHead:
      return receive_head();
    case Step::kLookup:
      return lookup();
    case Step::kAwaitDisk:
      return Outcome::kWait;
    case Step::kDecide:
      return decide();
    case Step::kJoinFlight:
      return explaining_ ? explain_asking() : join_flight();
    case Step::kAwaitFlight:
      return take_answer();
    case Step::kAwaitPurge:
      return Outcome::kWait;
    case Step::kSendHead:
      return explaining_ ? explain_reply() : send_head();
    case Step::kSendBody:
      return send_body();
    case Step::kFinish:
      return finish();
    case Step::kDone:
      return Outcome::kWait;
  }
  return Outcome::kWait;
}

Exchange::Outcome Exchange::go(Step next) {
  step_ = next;
  return Outcome::kGoOn;
}

std::shared_ptr<bool> Exchange::alive() {
  if (!alive_) alive_ = std::make_shared<bool>(true);
  return alive_;
}

}  // namespace freshet::proxy
