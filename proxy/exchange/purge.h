// PURGE: what an operator asks of the data plane in the form that other caches have for it. The target URI is
// forgotten as a GET of it would be looked up; with Surrogate-Key, what carries those tags is, and the target
// says nothing. `Soft-Purge: 1` (or Fastly's spelling of it) makes stale instead.
//
// Who may: the addresses of `purge.allow`, and who shows `purge.token`. The address is the peer's, or what
// its PROXY header told; only a trusted proxy's X-Forwarded-For is believed instead. A request that some
// other proxy has passed on (it has X-Forwarded-For, Forwarded or Via) has no address that could be believed:
// it needs the token, or whoever reaches a proxy on this machine could purge through it.
//
// Pure but for log_purge(); any thread. RFC 6750, 2.1 for the token.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/exchange/search_rules.h"
#include "proxy/net/ip_address.h"
#include "revalidate/policy/key_rules.h"
#include "storage/base/result.h"
#include "storage/http/message_head.h"
#include "storage/invalidation/scope.h"

namespace freshet::proxy {

struct PurgeOptions {
  std::vector<IpNetwork> allow;
  std::vector<IpNetwork> trusted_proxies;
  // The same of clients of unix sockets, who have no address.
  bool allow_unix = false;
  bool trust_unix = false;
  std::string token;  // empty: none is accepted

  [[nodiscard]] bool on() const { return !allow.empty() || allow_unix || !token.empty(); }
};

// What stands for the address of who comes by a unix socket.
inline constexpr std::string_view kUnixPeer = "unix";

[[nodiscard]] bool is_purge(const storage::RequestHead& request);

// `peer`: the address of the connection's other end, or kUnixPeer.
[[nodiscard]] bool may_purge(const storage::RequestHead& request, std::string_view peer,
                             const PurgeOptions& options);

// Whether the fields carry "Authorization: Bearer `token`"; takes as long whatever they carry. False where
// `token` is empty.
[[nodiscard]] bool shows_token(std::string_view authorization, std::string_view token);

// The scopes of a target URI under all the keys that its responses may have. `uri`: as in the text of a key,
// before any rule.
void add_scopes_of_url(std::vector<storage::Scope>& scopes, std::string_view uri,
                       const revalidate::KeyRules& rules, const SearchRules& search_rules);

// A tag as it may be asked for: 1 to 1024 bytes, none of them a control. A cache group's name may have
// spaces.
[[nodiscard]] bool is_purge_tag(std::string_view tag);
// Each scope once.
void drop_repeated(std::vector<storage::Scope>& scopes);

// Who sends a PURGE that may, for the event log: "10.1.2.3", "10.1.2.3 by way of 10.9.0.1", "... with the
// token" where it is no allowed address.
[[nodiscard]] std::string purge_client(const storage::RequestHead& request, std::string_view peer,
                                       const PurgeOptions& options);

// What a PURGE asks for; the error is fit for the client. `uri`: the target, as above.
[[nodiscard]] storage::Result<storage::Invalidation> read_purge(const storage::RequestHead& request,
                                                                std::string_view uri,
                                                                const revalidate::KeyRules& rules,
                                                                const SearchRules& search_rules);

// The answer's content: {"sequence":12,"durable":true,...}.
[[nodiscard]] std::string purge_reply_text(const storage::Invalidation& purge,
                                           const storage::Acknowledgement& acknowledgement);

// One line of the event log for each purge that is in effect, never left out: they are an operator's, and
// the question who it was comes later. `what`: the scopes as they were
// asked for.
[[nodiscard]] std::string purge_log_line(std::string_view who, std::string_view what,
                                         storage::Strength strength,
                                         const storage::Acknowledgement& acknowledgement);
void log_purge(std::string_view who, std::string_view what, storage::Strength strength,
               const storage::Acknowledgement& acknowledgement);

}  // namespace freshet::proxy
