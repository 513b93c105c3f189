// RequestFacts: what policy needs to know about a request, found in one pass over its fields when it
// arrives, so that each later question costs nothing. A plain value, owned by the exchange; it keeps no view
// into the request. Allocates nothing.
#pragma once

#include "revalidate/policy/cache_control.h"
#include "revalidate/policy/policy_options.h"
#include "storage/http/message_head.h"

namespace freshet::revalidate {

struct RequestFacts {
  storage::Method method = storage::Method::kGet;
  RequestDirectives directives;
  bool has_authorization = false;
  bool has_cookie = false;
  bool has_if_none_match = false;
  bool has_if_modified_since = false;
  bool has_if_match = false;
  bool has_if_unmodified_since = false;
  bool has_if_range = false;
  bool has_range = false;
  bool has_content = false;  // as the caller says

  [[nodiscard]] bool has_credentials() const { return has_authorization || has_cookie; }
  // Conditions that a cache answers itself.
  [[nodiscard]] bool has_cache_conditions() const { return has_if_none_match || has_if_modified_since; }
  // Conditions that only the origin may evaluate (RFC 9111, 4.3.2): the request goes there, alone.
  [[nodiscard]] bool has_origin_conditions() const { return has_if_match || has_if_unmodified_since; }
  // GET or HEAD without content: may be answered from the store at all.
  [[nodiscard]] bool may_use_store() const {
    return (method == storage::Method::kGet || method == storage::Method::kHead) && !has_content &&
           !has_origin_conditions();
  }
};

// `has_content`: the request has a body (Content-Length above 0, or Transfer-Encoding).
[[nodiscard]] RequestFacts make_request_facts(const storage::RequestHead& request, bool has_content,
                                              const PolicyOptions& options);

}  // namespace freshet::revalidate
