// 1xx on their way to the client, and 103 (Early Hints, RFC 8297) that are remembered: what an origin said
// once ahead of its answer is said to later clients while their answer is being looked for.
//
// Remembered are the lines of a 103 that say the same to everybody (Link, Content-Security-Policy), of
// requests without credentials; never a cookie. They are sent once a request, ahead of its answer, and an
// origin's own 103 that says no more is not repeated. Off unless `cache.early_hints` says so: some old
// clients take a 103 for the answer.
#include <utility>

#include "proxy/exchange/exchange.h"
#include "revalidate/policy/forwarding.h"

namespace freshet::proxy {

namespace {

constexpr int kEarlyHints = 103;

storage::HeaderFields lines_for_everybody(const storage::HeaderFields& fields) {
  storage::HeaderFields kept;
  for (const storage::HeaderFields::Line line : fields) {
    const bool common = storage::equals_ignoring_case(line.name, "Link") ||
                        storage::equals_ignoring_case(line.name, "Content-Security-Policy");
    if (common) kept.add_interned(line.id, line.name, line.value);
  }
  return kept;
}

}  // namespace

void Exchange::pass_informational(storage::ResponseHead head) {
  if (step_ != Step::kAwaitFlight) return;
  head.fields = revalidate::end_to_end_fields(head.fields);
  if (options_->early_hints && head.status == kEarlyHints) {
    storage::HeaderFields hints = lines_for_everybody(head.fields);
    const bool said = hints_ && hints_->wire() == hints.wire() && hints.size() == head.fields.size();
    origin_hinted_ = true;
    if (!facts_.has_credentials()) context_.flights.table.remember_hints(key_, std::move(hints));
    if (said) return;
  }
  sink_->send_informational(head);
  sink_->flush();
}

void Exchange::send_remembered_hints() {
  if (!options_->early_hints || hints_ || request_.method != storage::Method::kGet) return;
  hints_ = context_.flights.table.recall(key_, context_.mono_time()).early_hints;
  if (!hints_) return;
  storage::ResponseHead head;
  head.status = kEarlyHints;
  head.fields = *hints_;
  sink_->send_informational(head);
}

// A new answer of the origin without a 103 before it: what it said earlier no longer holds.
void Exchange::forget_old_hints(const revalidate::FlightAnswer& answer) {
  const bool new_answer = answer.outcome == revalidate::FlightOutcome::kStored ||
                          answer.outcome == revalidate::FlightOutcome::kNotStorable;
  if (!hints_ || joined_ || origin_hinted_ || !new_answer) return;
  context_.flights.table.remember_hints(key_, {});
}

}  // namespace freshet::proxy
