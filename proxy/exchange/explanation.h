// Explanation: what the edge would do with a request now, and by what. An exchange fills it that goes the way
// of any other and stops where it would ask the origin or begin to answer (Exchange::explain()), so the
// decision is made by what decides; nothing is stored, counted, promoted or asked on the way.
//
// Plain values and shared responses: made on a worker, read on the admin plane's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange/search_rules.h"
#include "proxy/observe/exchange_record.h"
#include "revalidate/origin_contacts.h"
#include "revalidate/policy/error_reuse.h"
#include "revalidate/policy/freshness_account.h"
#include "revalidate/policy/key_rules.h"
#include "revalidate/policy/policy_options.h"
#include "revalidate/policy/reuse.h"
#include "storage/cache_key.h"
#include "storage/http/message_head.h"
#include "storage/invalidation/covering.h"
#include "storage/stored_response.h"

namespace freshet::proxy {

struct ExplainedResponse {
  storage::StoredResponsePtr response;
  bool in_memory = false;  // its head; its body may be on disk alone
  bool on_disk = false;
  bool selected = false;
  storage::Standing standing = storage::Standing::kCurrent;
  revalidate::FreshnessAccount freshness;
  std::vector<storage::CoveringScope> purges;
};

// The request that would go to the origin.
struct ExplainedAsking {
  std::string method;
  std::string target;
  std::string if_none_match;  // as it would be sent; with it, or the next, the request is conditional
  std::string if_modified_since;
  std::string range;
  bool own_conditions = false;  // the edge's, made of what is stored; else the client's
  bool background = false;      // behind a stale answer
  bool alone = false;           // nobody joins
  bool joins = false;           // one that is under way
  bool not_shareable = false;   // answers of this key were not lately
};

struct Explanation {
  // The request as it was decided by.
  storage::RequestHead request;
  std::string asked_target;  // as it was written, where key rules change it; else empty
  storage::CacheKey key;
  SearchRules::Rule search_rule;
  revalidate::KeyRules key_rules;
  storage::WallTime now{};
  double heuristic_fraction = 0;  // PolicyOptions'

  std::vector<ExplainedResponse> stored;
  std::vector<storage::CoveringScope> purges;  // of the key
  storage::Sequence sequence = 0;              // of the newest invalidation

  std::optional<revalidate::ReuseDecision> decision;  // where the store was asked
  CacheOutcome outcome = CacheOutcome::kMiss;
  revalidate::Reason reason = revalidate::Reason::kNone;
  // What goes out of the stored response: kNone for all of it.
  revalidate::Reason part = revalidate::Reason::kNone;
  int status = 0;            // 0: the origin's
  std::string cache_status;  // as far as it is known
  bool in_slices = false;    // what is served; slices that are not stored are asked for

  std::optional<ExplainedAsking> asking;
  std::optional<revalidate::ErrorReuse> if_origin_fails;  // with something selected
  int status_if_unreachable = 0;

  std::vector<revalidate::OriginContact> contacts;  // the newest first
};

}  // namespace freshet::proxy
