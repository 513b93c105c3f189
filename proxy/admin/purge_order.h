// PurgeOrder: what an operator wants forgotten, in the words of /v1/invalidate:
//
//     {"urls": ["https://..."], "prefixes": ["https://.../"], "hosts": ["..."], "tags": ["..."], "all": true,
//      "soft": false}
//
// and the reply to it. `freshet purge` writes the one and reads the other; the edge the other way round.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange/search_rules.h"
#include "revalidate/policy/key_rules.h"
#include "storage/base/result.h"
#include "storage/invalidation/scope.h"

namespace freshet::proxy {

struct PurgeOrder {
  std::vector<std::string> urls;
  std::vector<std::string> prefixes;
  std::vector<std::string> hosts;
  std::vector<std::string> tags;
  bool all = false;
  bool soft = false;

  [[nodiscard]] std::size_t scopes() const {
    return urls.size() + prefixes.size() + hosts.size() + tags.size() + (all ? 1 : 0);
  }
};

// In short, for the event log: "http://a/b and 2 more".
[[nodiscard]] std::string purge_text(const PurgeOrder& order);

inline constexpr std::size_t kMostPurgeScopes = 10'000;

struct PurgeError {
  std::string member;  // "urls[3]"; empty: the whole
  std::string reason;
};

// Checks every scope and puts it into the form of cache keys; one error for each that is wrong. Also where
// there is none, or are too many.
std::vector<PurgeError> normalise(PurgeOrder& order);

// From JSON; all that is wrong with it at once. The scopes are as they were written.
std::vector<PurgeError> parse_purge_order(std::string_view json, PurgeOrder& order);
[[nodiscard]] std::string purge_order_json(const PurgeOrder& order);

// What the store is asked for. An https URL or prefix stands for its http form too: behind a TLS terminator
// that is not a trusted proxy, keys say http. `order` is normalised.
[[nodiscard]] storage::Invalidation invalidation_of(const PurgeOrder& order,
                                                    const revalidate::KeyRules& rules,
                                                    const SearchRules& search_rules);

struct PurgeReply {
  std::uint64_t sequence = 0;
  bool durable = false;
  std::string error;               // why it is not durable
  std::vector<PurgeError> errors;  // nothing was done
};

[[nodiscard]] std::string purge_reply_json(const PurgeOrder& order, const storage::Acknowledgement& done);
[[nodiscard]] std::string purge_errors_json(const std::vector<PurgeError>& errors);
// Either of the two.
[[nodiscard]] storage::Result<PurgeReply> parse_purge_reply(std::string_view json);

}  // namespace freshet::proxy
