// The edge's own entity tags: a stored 200 that came without one gets a strong validator from its content
// (RFC 9110, section 8.8.3). The origin has never heard of them and never does: they are taken out of the
// conditions of what is sent to it. Content-Type and Content-Encoding count too, since a strong validator
// changes with whatever a client sees of the representation. Pure.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/hash.h"
#include "storage/http/message_head.h"

namespace freshet::revalidate {

// The opaque part, without quotes: "fr1-" and 32 lower-case hex digits. An absent field is "".
[[nodiscard]] std::string content_tag(const storage::Digest128& content, std::string_view content_type,
                                      std::string_view content_encoding);

// Whether an opaque part has that form.
[[nodiscard]] bool is_content_tag(std::string_view opaque);

// Takes ours, weak ones too, out of If-None-Match and If-Match; a field that has named nothing else is
// removed, any other element stays byte for byte. An If-Range with one of ours is removed with the Range
// that hangs on it. An If-Match that names only ours must have been answered before (see below): without it
// the request would be unconditional.
void strip_content_tags(storage::HeaderFields& fields);

// If-Match names entity tags, and each of them is ours: the origin could only answer 412, so this edge does.
[[nodiscard]] bool names_only_content_tags(const storage::RequestHead& request);

}  // namespace freshet::revalidate
