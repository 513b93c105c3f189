// Preconditions: the client's own conditions and Range against a response we hold (RFC 9110, sections 13 and
// 14; RFC 9111, 4.3.2). Used for a stored response on a hit, and for a 200 that has just come. If-Match and
// If-Unmodified-Since are never evaluated here: RequestFacts::has_origin_conditions() sends such requests to
// the origin. Pure; allocates nothing unless a Range is asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "revalidate/policy/request_facts.h"
#include "revalidate/policy/response_facts.h"
#include "storage/http/byte_range.h"

namespace freshet::revalidate {

enum class Precondition {
  kProceed,              // send it: whole, or `ranges` of it
  kNotModified,          // 304
  kFailed,               // 412
  kRangeNotSatisfiable,  // 416
};

struct PreconditionResult {
  Precondition outcome = Precondition::kProceed;
  // With kProceed: what of a 200 to send as 206: one range, or several as multipart/byteranges. Empty: all.
  std::vector<storage::ByteRange> ranges;
};

// What a condition is compared with. Views into the message it was taken from.
struct Validators {
  int status = 0;
  std::optional<storage::EntityTag> entity_tag;
  std::optional<storage::WallTime> last_modified;
  std::optional<storage::WallTime> date;
  storage::WallTime response_time{};
};
[[nodiscard]] Validators validators_of(const ResponseFacts& facts);
[[nodiscard]] Validators validators_of(const storage::ResponseHead& response,
                                       storage::WallTime response_time);

// `size`: the body's length; nothing while it is not known (then Range is not applied). Conditions count only
// against a 2xx (RFC 9110, 13.2.1), Range only for GET against a 200.
[[nodiscard]] PreconditionResult evaluate_preconditions(const RequestFacts& facts,
                                                        const storage::RequestHead& request,
                                                        const Validators& validators,
                                                        std::optional<std::uint64_t> size);

// Access-Control-*: answers the Origin of one request (Fetch standard, CORS protocol).
[[nodiscard]] bool is_cors_field(std::string_view name);

// The fields of a 304 (RFC 9110, 15.4.5): Cache-Control, Content-Location, Date, ETag, Expires, Vary, and the
// targeted and CORS fields that belong to the answer rather than to the representation; Last-Modified only
// without ETag. Age, Via and Cache-Status are the caller's.
[[nodiscard]] bool belongs_in_304(const storage::HeaderFields::Line& line, bool has_entity_tag);
void append_fields_for_304(const storage::HeaderFields& stored, storage::HeaderFields& out);

// The fields of a 206 (RFC 9110, 15.3.7): the stored ones and Content-Range. Content-Length is the caller's.
void append_fields_for_206(const storage::HeaderFields& stored, const storage::ByteRange& range,
                           std::uint64_t size, storage::HeaderFields& out);
// Of one with several parts (15.3.7.2): no Content-Range, and `content_type` in the place of the stored one,
// which stands in each part.
void append_fields_for_multipart_206(const storage::HeaderFields& stored, std::string_view content_type,
                                     storage::HeaderFields& out);
// The fields of a 416: Content-Range, and what a cache needs (Date, Vary, Cache-Control are left out: an
// error of this request, not of the representation).
void append_fields_for_416(std::uint64_t size, storage::HeaderFields& out);

}  // namespace freshet::revalidate
