#include "revalidate/policy/error_reuse.h"

#include <algorithm>

#include "revalidate/policy/freshness.h"

namespace freshet::revalidate {

using storage::Milliseconds;
using storage::Seconds;

bool is_replaceable_error(int status) {
  return status == 500 || status == 502 || status == 503 || status == 504;
}

int failure_status(Reason reason, const ResponseFacts* selected) {
  switch (reason) {
    case Reason::kOriginTimeout:
      return 504;
    case Reason::kOriginBusy:
    case Reason::kOverloaded:
      return 503;
    case Reason::kOriginUnreachable:
    case Reason::kOriginCut:
      return selected != nullptr && selected->never_stale ? 504 : 502;
    default:
      return 502;
  }
}

ErrorReuse decide_error_reuse(const RequestFacts& request, const ResponseFacts& stored, storage::WallTime now,
                              const PolicyOptions& options, storage::Standing standing) {
  Milliseconds left = remaining_freshness(stored, now);
  if (standing != storage::Standing::kCurrent) left = std::min(left, Milliseconds{0});
  ErrorReuse result;
  result.age = current_age(stored, now);
  result.ttl = std::chrono::floor<Seconds>(left);
  if (standing == storage::Standing::kDead) return result;
  if (!request.may_use_store() || !may_reuse_for(request, stored)) return result;

  const std::optional<Seconds> stated = stored.stale_if_error();
  Seconds grace = stated.value_or(options.stale_if_error);
  if (request.directives.stale_if_error) grace = std::min(grace, *request.directives.stale_if_error);
  const bool fresh = standing == storage::Standing::kCurrent && is_fresh(stored, now) && !stored.no_cache;
  // An error that is stored is no better than the one that came.
  const bool may_be_stale = !stored.never_stale && !is_replaceable_error(stored.status);
  result.serve_stale = fresh || (may_be_stale && grace > Seconds{0} && -left <= grace);
  if (result.serve_stale) result.reason = stated ? Reason::kStaleIfError : Reason::kStaleOnError;
  return result;
}

}  // namespace freshet::revalidate
