// Validation: asking the origin whether stored responses are still good, and taking its 304 (RFC 9111,
// sections 4.3.1, 4.3.4, 4.3.5 and 3.2). A 304 is applied only where it fits the stored validators, and its
// framing is never copied (G8). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "revalidate/policy/policy_options.h"
#include "storage/stored_response.h"
#include "storage/variant_set.h"

namespace freshet::revalidate {

// Conditions for the origin request; an empty string: no such field. Both empty: nothing can be validated,
// ask without conditions.
struct Conditions {
  std::string if_none_match;
  std::string if_modified_since;

  [[nodiscard]] bool empty() const { return if_none_match.empty() && if_modified_since.empty(); }
};

// Most entity tags that one If-None-Match offers.
inline constexpr std::size_t kMaxOfferedTags = 8;

// Of the variants of a key those that a 304 may select for a request that selects none of them: with its Vary
// naming Accept-Encoding, not one in a coding that the request does not ask for, nor one that is not coded
// because its own request asked for no coding. Origins that code on the way out (nginx, Express with
// compression) have one entity tag for all codings, and would confirm either.
[[nodiscard]] storage::VariantSet variants_for(const storage::VariantSet& variants,
                                               const storage::RequestHead& request);

// What to send. Where a stored response was selected, it alone is offered: its entity tag, and its
// Last-Modified beside it or instead. After a vary-miss (`selected` null) the entity tags of variants_for()
// are, newest first (RFC 9111, 4.3.1): the origin may know one of them for the answer to this request too.
// An entity tag that was made here is never offered: the origin does not know it.
[[nodiscard]] Conditions conditions_for(const storage::VariantSet& variants,
                                        const storage::StoredResponse* selected,
                                        const storage::RequestHead& request);
// Replaces the client's If-None-Match and If-Modified-Since (and drops If-Range and Range).
void apply_conditions(const Conditions& conditions, storage::HeaderFields& fields);

// Which stored response a 304 confirms; null if none, and then the request is made again without conditions.
// The first three as given to conditions_for(). RFC 9111, 4.3.4:
//   a strong validator in the 304: the newest stored response with the same one, or none; but the strong form
//   of the one tag that was offered, which is weak, confirms it: the origin has compared weakly what we sent,
//   and can have meant nothing else;
//   after a vary-miss not one that allows another origin by CORS, unless the 304 says whom it allows;
//   only weak ones: the newest that corresponds;
//   none at all: the stored response that was offered, if it was the only one (section 4.3.4 asks that it
//   have no validator either; origins that answer 304 with nothing but a date are common, and the condition
//   we sent can have meant that one only).
[[nodiscard]] storage::StoredResponsePtr choose_304(const storage::VariantSet& variants,
                                                    const storage::StoredResponse* selected,
                                                    const storage::RequestHead& request,
                                                    const storage::ResponseHead& head304);

// The other stored responses that it confirms too: those with the same strong entity tag (RFC 9111, 4.3.4).
[[nodiscard]] std::vector<storage::StoredResponsePtr> also_confirmed(const storage::VariantSet& variants,
                                                                     const storage::StoredResponse& chosen,
                                                                     const storage::ResponseHead& head304);

// The stored head updated by a 304 (RFC 9111, 3.2): each field of the 304 replaces the stored lines of that
// name; what it omits stays. Not copied: hop-by-hop and proxy fields, what Connection, no-cache="…" and
// private="…" name, framing (Content-Length, Content-Range, Transfer-Encoding), what describes the stored
// bytes (Content-Encoding, Content-MD5, Content-Digest, an entity tag of the origin where there is one), and
// Set-Cookie and Clear-Site-Data unless the options allow it. Age and times are the 304's; `sequence` becomes
// validated_at; the tags are those of the new head.
// `request` is the one that was answered: where Vary has changed, the selecting fields are taken from it.
// Where it would not have selected `old`, Vary, the selecting fields and Access-Control-* stay as they are.
[[nodiscard]] storage::StoredHead freshened_head(const storage::StoredHead& old,
                                                 const storage::ResponseHead& head304,
                                                 const storage::RequestHead& request,
                                                 storage::WallTime request_time,
                                                 storage::WallTime response_time, storage::Sequence sequence,
                                                 const PolicyOptions& options);

// What a 304 makes of a stored response for a request that had not selected it: the same content, chosen from
// now on by this request's header fields too (RFC 9111, 4.1). `fresh` is the freshened head.
[[nodiscard]] storage::StoredHead added_variant(const storage::StoredHead& fresh,
                                                const storage::ResponseHead& head304,
                                                const storage::RequestHead& request);

// Whether the store may keep the freshened head for others: not where the 304 brought no-store or private,
// or the request had Authorization or no-store and section 3.5 or 5.2.1.5 forbids. Then it serves this
// request only, and the stored response stays as it was.
[[nodiscard]] bool may_store_freshened(const storage::RequestHead& request, const storage::StoredHead& fresh,
                                       const PolicyOptions& options);

// A 200 to HEAD with the same validators and length (RFC 9111, 4.3.5): may update the stored response as a
// 304 would. Otherwise the stored response is outdated and must be validated.
[[nodiscard]] bool head_confirms(const storage::StoredResponse& stored, const storage::ResponseHead& head);

// Whether a 200 may have the very content that is stored: its head says nothing against it (status,
// Content-Type, Content-Encoding, the length as far as it is known). Its content is worth comparing then.
[[nodiscard]] bool may_have_same_content(const storage::StoredResponse& stored,
                                         const storage::ResponseHead& head,
                                         std::optional<std::uint64_t> body_size);

}  // namespace freshet::revalidate
