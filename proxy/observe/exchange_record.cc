#include "proxy/observe/exchange_record.h"

namespace freshet::proxy {

std::string_view cache_outcome_name(CacheOutcome outcome) {
  switch (outcome) {
    case CacheOutcome::kHit:
      return "hit";
    case CacheOutcome::kMiss:
      return "miss";
    case CacheOutcome::kRevalidated:
      return "revalidated";
    case CacheOutcome::kStale:
      return "stale";
    case CacheOutcome::kPass:
      return "pass";
    case CacheOutcome::kCollapsed:
      return "collapsed";
    case CacheOutcome::kError:
      return "error";
  }
  return "error";
}

}  // namespace freshet::proxy
