#include "revalidate/policy/reuse.h"

#include "revalidate/policy/freshness.h"

namespace freshet::revalidate {

namespace {

using Kind = ReuseDecision::Kind;
using storage::Milliseconds;
using storage::Seconds;
using storage::WallTime;

Reason why_store_is_no_use(const RequestFacts& request) {
  if (request.has_content) return Reason::kRequestBody;
  if (request.has_origin_conditions()) return Reason::kUnsafeCondition;
  return Reason::kMethod;
}

// What the client itself asks of a fresh response; kNone where it is content (RFC 9111, 5.2.1).
Reason client_demand(const RequestDirectives& d, Milliseconds age, Milliseconds left) {
  if (d.no_cache) return Reason::kClientNoCache;
  if (d.pragma_no_cache) return Reason::kClientPragma;
  if (d.max_age && (*d.max_age == Seconds{0} || age > *d.max_age)) return Reason::kClientMaxAge;
  if (d.min_fresh && left < *d.min_fresh) return Reason::kClientMinFresh;
  return Reason::kNone;
}

Reason why_stale(const ResponseFacts& facts) {
  if (facts.lifetime_source == LifetimeSource::kNone) return Reason::kNoFreshness;
  return facts.must_revalidate ? Reason::kMustRevalidate : Reason::kStale;
}

bool client_takes_stale(const RequestDirectives& d, const ResponseFacts& facts, Milliseconds left) {
  return d.max_stale && !facts.never_stale && -left <= *d.max_stale;
}

struct Verdict {
  Kind kind;
  Reason reason;
  bool forced_by_client = false;
};

// RFC 9111, section 4, from the top: what forbids first, what permits last. kValidate stands for "not as it
// is".
Verdict judge(const RequestFacts& request, const ResponseFacts& facts, Milliseconds age, Milliseconds left,
              bool marked_stale) {
  const bool fresh = left > Milliseconds{0} && !marked_stale;
  if (facts.outdated) return {Kind::kValidate, Reason::kOutdated};
  if (facts.no_cache) return {Kind::kValidate, Reason::kNoCache};
  if (!may_reuse_for(request, facts)) return {Kind::kValidate, Reason::kCredentials};
  const Reason demand = client_demand(request.directives, age, left);
  if (fresh) {
    if (demand != Reason::kNone) return {Kind::kValidate, demand, true};
    return {Kind::kServe, facts.lifetime_source == LifetimeSource::kHeuristic ? Reason::kHeuristicallyFresh
                                                                              : Reason::kFresh};
  }
  // A stale response is short of min-fresh by nature; that alone says nothing here.
  const bool client_wants_new = demand != Reason::kNone && demand != Reason::kClientMinFresh;
  if (client_wants_new) return {Kind::kValidate, demand};
  if (!marked_stale && client_takes_stale(request.directives, facts, left)) {
    return {Kind::kServe, Reason::kClientMaxStale};
  }
  if (facts.stale_while_revalidate && !request.directives.min_fresh &&
      -left <= facts.stale_while_revalidate_for()) {
    return {Kind::kServeStaleAndRevalidate, Reason::kStaleWhileRevalidate};
  }
  return {Kind::kValidate, marked_stale && left > Milliseconds{0} ? Reason::kInvalidated : why_stale(facts)};
}

}  // namespace

bool may_reuse_for(const RequestFacts& request, const ResponseFacts& stored) {
  if (request.has_authorization && !stored.shareable_with_authorization) return false;
  const bool credentials = request.has_credentials() || stored.request_had_credentials;
  return !credentials || stored.shareable_with_credentials;
}

ReuseDecision decide_reuse(const RequestFacts& request, const storage::StoredResponse* selected,
                           bool key_is_known, WallTime now, const PolicyOptions&,
                           storage::Standing standing) {
  const bool marked_stale = standing == storage::Standing::kStale;
  ReuseDecision decision;
  if (!request.may_use_store()) {
    decision.reason = why_store_is_no_use(request);
    return decision;
  }
  if (selected == nullptr) {
    decision.reason = key_is_known ? Reason::kVaryMiss : Reason::kUriMiss;
  } else {
    const ResponseFacts& facts = facts_of(*selected);
    const Milliseconds age = exact_age(facts, now);
    const Milliseconds left = Milliseconds(facts.freshness_lifetime) - age;
    const Verdict verdict = judge(request, facts, age, left, marked_stale);
    decision.kind = verdict.kind;
    decision.reason = verdict.reason;
    decision.forced_by_client = verdict.forced_by_client;
    decision.age = std::chrono::floor<Seconds>(age);
    decision.ttl = std::chrono::floor<Seconds>(left);
    decision.invalidated = marked_stale && left > Milliseconds{0};
    if (decision.invalidated) decision.ttl = Seconds{0};
    if (decision.kind == Kind::kValidate && !facts.has_validator) decision.kind = Kind::kFetch;
  }
  const bool needs_origin = decision.kind == Kind::kValidate || decision.kind == Kind::kFetch;
  if (needs_origin && request.directives.only_if_cached) {
    decision.kind = Kind::kGatewayTimeout;
    decision.reason = Reason::kOnlyIfCached;
  }
  return decision;
}

bool may_share_flight_answer(const RequestFacts& waiter, const ResponseFacts& answer,
                             bool arrived_before_sent, WallTime now) {
  if (!may_collapse(waiter) || !may_reuse_for(waiter, answer)) return false;
  // The origin gave this answer after the waiter had asked: it is as good as one of its own.
  if (arrived_before_sent) return true;
  const Milliseconds age = exact_age(answer, now);
  const Milliseconds left = Milliseconds(answer.freshness_lifetime) - age;
  return judge(waiter, answer, age, left, false).kind == Kind::kServe;
}

bool may_collapse(const RequestFacts& request) {
  return request.may_use_store() && !request.has_authorization && !request.directives.no_store;
}

}  // namespace freshet::revalidate
