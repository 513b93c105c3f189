// Slices: how a large response is kept in pieces. Its head is stored alone (StoredHead::sliced, the length of
// the whole in body_size, no content); each slice is a stored response of its own, a 206 under the key
//
//     <key>#slice/<digest of tag and variant>/<filled_at of the head>/<slice size>/<number>
//
// so a slice belongs to exactly one version (RFC 9111, 3.4: a strong entity tag) of one stored head: what was
// purged is never found again, whoever stores what when. Freshness is the head's alone. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "revalidate/policy/policy_options.h"
#include "revalidate/policy/storability.h"
#include "storage/http/byte_range.h"
#include "storage/stored_response.h"

namespace freshet::revalidate {

struct SliceOptions {
  std::uint64_t slice_above = std::uint64_t{64} << 20U;  // bytes; a larger response is sliced
  std::uint64_t slice_size = std::uint64_t{1} << 20U;
};

// What the origin has to answer a slice's request with: anything else means another version.
struct SliceExpectation {
  std::string entity_tag;  // as in the field; strong
  storage::ByteRange range;
  std::uint64_t complete_size = 0;
};

// May this 200 be kept in slices: large, of known length, with a strong entity tag, and from an origin that
// does not say it has no ranges.
[[nodiscard]] bool is_sliceable(const storage::ResponseHead& response, std::uint64_t complete_size,
                                const SliceOptions& options);
// The head of the whole that a 206 is a part of: a 200 without Content-Range.
[[nodiscard]] storage::ResponseHead head_of_the_whole(const storage::ResponseHead& part);

[[nodiscard]] storage::ByteRange slice_range(std::uint64_t number, std::uint64_t complete_size,
                                             const SliceOptions& options);
// `head`: a sliced one.
[[nodiscard]] storage::CacheKey slice_key(const storage::StoredResponse& head, std::uint64_t number,
                                          const SliceOptions& options);
// Where a part that came alone is kept (RFC 9111, 3.3).
[[nodiscard]] storage::CacheKey part_key(const storage::CacheKey& whole);
[[nodiscard]] SliceExpectation expected_slice(const storage::StoredHead& head, std::uint64_t number,
                                              const SliceOptions& options);

// The most bytes of a beginning that are worth keeping and adding the rest to.
inline constexpr std::uint64_t kMostBeginning = 128 * 1024;
// What to ask for so that `part` becomes whole; nothing where it is no beginning, is whole already, or has
// other bytes than it says.
[[nodiscard]] std::optional<storage::ByteRange> rest_of(const storage::StoredHead& part);
// RFC 9111, 3.4: whether a 206 is the rest of `part`: exactly those bytes, and the same strong entity tag in
// both. Without one, nothing is combined.
[[nodiscard]] bool is_rest_of(const storage::ResponseHead& response, const storage::StoredHead& part);

// A 206 with the same strong entity tag, of the same whole, and exactly this part.
[[nodiscard]] bool is_expected(const storage::ResponseHead& response, const SliceExpectation& expected);
// A 200 of the same version: the origin does not do ranges.
[[nodiscard]] bool is_same_whole(const storage::ResponseHead& response, const SliceExpectation& expected);

}  // namespace freshet::revalidate
