// An exchange that explains: the steps that take the place of those which would ask the origin or answer, and
// what is told of what was found on the way.
#include <algorithm>
#include <utility>

#include "proxy/exchange/exchange.h"
#include "revalidate/policy/response_facts.h"

namespace freshet::proxy {

using revalidate::Precondition;
using revalidate::Reason;
using storage::FieldName;

namespace {

bool contains(const storage::VariantSetPtr& set, const storage::StoredResponse& response) {
  if (!set) return false;
  return std::any_of(set->begin(), set->end(), [&](const storage::StoredResponsePtr& each) {
    return each->variant() == response.variant();
  });
}

// All that either tier has: of one variant what memory has, or what the look-up gave.
std::vector<storage::StoredResponsePtr> all_of(const storage::TieredStore::Peeked& found) {
  std::vector<storage::StoredResponsePtr> all;
  for (const storage::VariantSetPtr* set : {&found.variants, &found.in_memory, &found.on_disk}) {
    if (!*set) continue;
    for (const storage::StoredResponsePtr& each : **set) {
      const bool known = std::any_of(all.begin(), all.end(),
                                     [&](const auto& other) { return other->variant() == each->variant(); });
      if (!known) all.push_back(each);
    }
  }
  return all;
}

std::string field_of(const storage::HeaderFields& fields, FieldName name) {
  return fields.combined(name).value_or("");
}

Reason part_reason(const revalidate::PreconditionResult& result) {
  switch (result.outcome) {
    case Precondition::kNotModified:
      return Reason::kNotModified;
    case Precondition::kFailed:
      return Reason::kConditionFailed;
    case Precondition::kRangeNotSatisfiable:
      return Reason::kRangeNotSatisfiable;
    case Precondition::kProceed:
      break;
  }
  return result.ranges.empty() ? Reason::kNone : Reason::kPartOfStored;
}

}  // namespace

// `whole`: not a part of it.
Exchange::Outcome Exchange::look_without_trace(const storage::CacheKey& key, bool whole) {
  context_.store.look_without_trace(key, context_.flights.loop,
                                    [this, whole, alive = alive()](storage::TieredStore::Peeked found) {
                                      if (!*alive) return;
                                      (whole ? variants_ : parts_) = found.variants;
                                      if (whole) explaining_->found = std::move(found);
                                      step_ = Step::kDecide;
                                      advance();
                                    });
  return go(Step::kAwaitDisk);
}

// In the place of join_flight().
Exchange::Outcome Exchange::explain_asking() {
  Explanation& it = explaining_->explanation;
  FlightPlan plan = plan_flight();
  const bool joins = !plan.alone && context_.flights.table.in_progress(key_, request_);
  it.asking = asking_of(std::move(plan.request), plan.alone);
  it.asking->joins = joins;
  it.asking->not_shareable = plan.not_shareable;
  if (selected_) it.if_origin_fails = error_reuse();
  it.status_if_unreachable = revalidate::failure_status(
      Reason::kOriginUnreachable, selected_ ? &revalidate::facts_of(*selected_) : nullptr);
  status_.forwarded = revalidate::forwarded_for(why_);
  return finish_explaining();
}

ExplainedAsking Exchange::asking_of(revalidate::FlightRequest request, bool alone) const {
  ExplainedAsking asking;
  asking.own_conditions = revalidate::add_conditions(request);
  asking.method = request.origin.method;
  asking.target = request.origin.target;
  asking.if_none_match = field_of(request.origin.fields, FieldName::kIfNoneMatch);
  asking.if_modified_since = field_of(request.origin.fields, FieldName::kIfModifiedSince);
  asking.range = field_of(request.origin.fields, FieldName::kRange);
  asking.alone = alone;
  return asking;
}

// In the place of send_head().
Exchange::Outcome Exchange::explain_reply() {
  Explanation& it = explaining_->explanation;
  if (error_status_ != 0 || own_status_ != 0) {
    it.status = error_status_ != 0 ? error_status_ : own_status_;
    return finish_explaining();
  }
  decide_status();
  it.status = sent_status_;
  it.part = part_reason(precondition_);
  if (place_) it.part = Reason::kStoredPart;
  it.in_slices = response_->head().sliced;
  selected_ = response_;
  return finish_explaining();
}

Exchange::Outcome Exchange::finish_explaining() {
  Explanation& it = explaining_->explanation;
  it.request = request_;
  it.asked_target = asked_target_;
  it.key = key_;
  it.search_rule = search_rule_;
  it.key_rules = options_->key_rules;
  it.now = now();
  it.heuristic_fraction = context_.policy.heuristic_fraction;
  it.outcome = outcome_;
  it.reason = why_;
  revalidate::append_cache_status(it.cache_status, status_);
  explain_stored();
  it.contacts = context_.flights.table.contacts().of(key_);
  step_ = Step::kDone;
  const std::unique_ptr<Explaining> told = std::exchange(explaining_, nullptr);
  told->explained(std::move(told->explanation));
  return Outcome::kWait;
}

void Exchange::explain_stored() {
  Explanation& it = explaining_->explanation;
  const storage::Generations& generations = context_.store.generations();
  it.sequence = generations.current();
  it.purges = storage::scopes_covering(generations, key_);
  for (storage::StoredResponsePtr& each : all_of(explaining_->found)) {
    ExplainedResponse told;
    const storage::StoredHead& head = each->head();
    told.in_memory = contains(explaining_->found.in_memory, *each) && !each->body()->on_disk();
    told.on_disk = contains(explaining_->found.on_disk, *each);
    told.selected = selected_ && selected_->variant() == each->variant();
    told.standing = generations.standing(head);
    told.freshness =
        revalidate::account_of_freshness(head, revalidate::facts_of(*each), context_.policy, it.now);
    told.purges = storage::scopes_covering(generations, head);
    told.response = std::move(each);
    it.stored.push_back(std::move(told));
  }
}

}  // namespace freshet::proxy
