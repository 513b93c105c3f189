// PURGE, from the permission to the acknowledgement. Answered here, always: no origin sees one.
#include <utility>

#include "proxy/exchange/exchange.h"
#include "revalidate/policy/tags.h"
#include "storage/http/field_name.h"

namespace freshet::proxy {

using revalidate::Reason;
using storage::Counter;

Exchange::Outcome Exchange::refuse_purge(int status, Reason reason, std::string why) {
  context_.counters.add(Counter::kPurgesRefused);
  purge_refused_ = std::move(why);
  refused_why_ = purge_refused_;
  return reply_error(status, reason);
}

// What is purged is not hinted at either. Where this request's key is not all that the URL has, of all keys:
// they are learned again.
void Exchange::forget_purged_hints(bool by_tag) {
  const revalidate::KeyRules& rules = options_->key_rules;
  if (by_tag || !rules.fields.empty() || !rules.cookies.empty()) {
    context_.flights.table.forget_hints();
  } else {
    context_.flights.table.remember_hints(key_, {});
  }
}

// Behind make_key().
Exchange::Outcome Exchange::purge() {
  outcome_ = CacheOutcome::kPass;
  const ExchangeOptions& options = *options_;
  if (!options.purge.on()) return refuse_purge(405, Reason::kPurgeForbidden, "PURGE is turned off.");
  if (!may_purge(request_, client_->address, options.purge)) {
    return refuse_purge(403, Reason::kPurgeForbidden,
                        "This client may not purge: see purge.allow and purge.token.");
  }
  if (body_.source != nullptr) {
    return refuse_purge(400, Reason::kBadRequest,
                        "A PURGE has no content; POST /v1/invalidate on the admin plane has.");
  }
  // The key's text without what has been added to it; the rules change a target only once.
  const auto uri = storage::make_cache_key(request_.scheme, request_.authority, request_.target);
  auto asked = read_purge(request_, uri.text, options.key_rules, *options.search_rules);
  if (!asked) return refuse_purge(400, Reason::kBadRequest, asked.error() + ".");
  const auto tags = request_.fields.combined(storage::FieldName::kSurrogateKey);
  if (options.early_hints && asked->strength == storage::Strength::kHard)
    forget_purged_hints(tags.has_value());
  // Its effect does not depend on whether the client waits for the answer.
  context_.store.purge(
      revalidate::with_every_tag(*asked), context_.flights.loop,
      [this, alive = alive(), asked = *asked, who = purge_client(request_, client_->address, options.purge),
       what = tags ? "tags " + *tags : uri.text](const storage::Acknowledgement& done) {
        log_purge(who, what, asked.strength, done);
        if (*alive) purged(asked, done);
      });
  return go(Step::kAwaitPurge);
}

void Exchange::purged(const storage::Invalidation& asked, const storage::Acknowledgement& done) {
  own_text_ = purge_reply_text(asked, done);
  own_type_ = "application/json";
  if (done.durable) {
    why_ = status_.detail = Reason::kPurge;
    own_status_ = 200;
    step_ = Step::kSendHead;
  } else {
    reply_error(503, Reason::kPurgeNotDurable);
  }
  advance();
}

}  // namespace freshet::proxy
