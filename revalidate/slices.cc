#include "revalidate/slices.h"

#include <algorithm>

#include "storage/http/entity_tag.h"
#include "storage/http/field_syntax.h"

namespace freshet::revalidate {

namespace {

using storage::FieldName;
using storage::ResponseHead;

std::optional<storage::EntityTag> strong_tag(const ResponseHead& response) {
  if (response.fields.count(FieldName::kETag) != 1) return std::nullopt;
  auto tag = storage::parse_entity_tag(*response.fields.first(FieldName::kETag));
  if (tag && tag->weak) tag.reset();
  return tag;
}

bool has_tag(const ResponseHead& response, const std::string& expected) {
  const auto tag = strong_tag(response);
  const auto wanted = storage::parse_entity_tag(expected);
  return tag && wanted && storage::strong_match(*tag, *wanted);
}

}  // namespace

bool is_sliceable(const ResponseHead& response, std::uint64_t complete_size, const SliceOptions& options) {
  if (response.status != 200 || complete_size <= options.slice_above || !strong_tag(response)) return false;
  const auto ranges = response.fields.first(FieldName::kAcceptRanges);
  return !ranges || !storage::equals_ignoring_case(*ranges, "none");
}

ResponseHead head_of_the_whole(const ResponseHead& part) {
  ResponseHead whole{200, {}, part.fields};
  whole.fields.remove(FieldName::kContentRange);
  whole.fields.remove(FieldName::kContentLength);
  return whole;
}

storage::ByteRange slice_range(std::uint64_t number, std::uint64_t complete_size,
                               const SliceOptions& options) {
  const std::uint64_t first = number * options.slice_size;
  return {first, std::min(first + options.slice_size, complete_size) - 1};
}

storage::CacheKey slice_key(const storage::StoredResponse& head, std::uint64_t number,
                            const SliceOptions& options) {
  const auto tag = head.head().response.fields.first(FieldName::kETag).value_or("");
  const storage::Digest128 version =
      storage::digest128(std::string(tag).append("\n").append(head.variant().hex()));
  storage::CacheKey key;
  key.text = head.head().key.text;
  key.text.append("#slice/").append(version.hex()).append("/");
  key.text.append(std::to_string(head.head().filled_at)).append("/");
  key.text.append(std::to_string(options.slice_size)).append("/").append(std::to_string(number));
  key.digest = storage::digest128(key.text);
  return key;
}

storage::CacheKey part_key(const storage::CacheKey& whole) {
  storage::CacheKey key;
  key.text.append(whole.text).append("#part");
  key.digest = storage::digest128(key.text);
  return key;
}

SliceExpectation expected_slice(const storage::StoredHead& head, std::uint64_t number,
                                const SliceOptions& options) {
  return {std::string(head.response.fields.first(FieldName::kETag).value_or("")),
          slice_range(number, head.body_size, options), head.body_size};
}

std::optional<storage::ByteRange> rest_of(const storage::StoredHead& part) {
  const auto text = part.response.fields.first(FieldName::kContentRange);
  const auto place = text ? storage::parse_content_range(*text) : std::nullopt;
  if (!place || !place->size || place->range.first != 0 || place->range.size() != part.body_size ||
      part.body_size >= *place->size || part.body_size > kMostBeginning) {
    return std::nullopt;
  }
  return storage::ByteRange{part.body_size, *place->size - 1};
}

bool is_rest_of(const ResponseHead& response, const storage::StoredHead& part) {
  const auto rest = rest_of(part);
  const auto tag = part.response.fields.first(FieldName::kETag);
  return rest && tag && is_expected(response, {std::string(*tag), *rest, rest->last + 1});
}

bool is_expected(const ResponseHead& response, const SliceExpectation& expected) {
  if (response.status != 206 || !has_tag(response, expected.entity_tag)) return false;
  if (response.fields.count(FieldName::kContentRange) != 1) return false;
  const auto part = storage::parse_content_range(*response.fields.first(FieldName::kContentRange));
  return part && part->range == expected.range && part->size == expected.complete_size;
}

bool is_same_whole(const ResponseHead& response, const SliceExpectation& expected) {
  return response.status == 200 && has_tag(response, expected.entity_tag);
}

}  // namespace freshet::revalidate
