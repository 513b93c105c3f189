// Selection: which of a key's stored responses was chosen by header fields like this request's (RFC 9111,
// section 4.1). Values are compared after normalising what cannot change the meaning: whitespace, several
// lines against one list, empty list elements; Accept-Encoding and Accept-Language also without regard to
// case and order (weights are what orders them; RFC 9110, 12.5.3 and 12.5.4), with weights in their shortest
// form, x-gzip as gzip, and without refusing a coding that is not accepted anyway. "*", identity and what it
// weighs stay: they change what an origin may choose. Lists of over 64 members are compared as they stand. A
// response in the one language
// that a request prefers to all others is selected whatever else either request would have taken. Pure;
// where nothing varies, nothing is looked at or allocated.
#pragma once

#include <optional>
#include <string>

#include "storage/stored_response.h"
#include "storage/variant_set.h"

namespace freshet::revalidate {

// The selecting header fields of this response with the request's values; empty without Vary; nothing for
// "Vary: *" (no later request matches), for a Vary that cannot be read, and where it names a field that the
// edge writes anew for each client (X-Forwarded-For, Forwarded).
[[nodiscard]] std::optional<storage::SelectingFields> selecting_fields(const storage::ResponseHead& response,
                                                                       const storage::RequestHead& request);
// Of fields that another response of the same key varied by: the names of `like`, this request's values (so
// that waiters regroup by variant before an answer).
[[nodiscard]] storage::SelectingFields selecting_fields_like(const storage::SelectingFields& like,
                                                             const storage::RequestHead& request);

// The value of one request header field as compared; nothing if the request has none.
[[nodiscard]] std::optional<std::string> normalised_value(const storage::RequestHead& request,
                                                          std::string_view lower_case_name);

[[nodiscard]] bool matches(const storage::StoredHead& stored, const storage::RequestHead& request);

// Of the stored responses that this request selects the most recent one by Date (RFC 9111, 4); among equals
// the first: `variants` is newest first by response_time. Null if none.
[[nodiscard]] storage::StoredResponsePtr select(const storage::VariantSet& variants,
                                                const storage::RequestHead& request);

}  // namespace freshet::revalidate
