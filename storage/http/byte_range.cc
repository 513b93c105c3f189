#include "storage/http/byte_range.h"

#include <algorithm>

#include "storage/http/field_syntax.h"

namespace freshet::storage {

namespace {

enum class SpecResult { kRange, kUnsatisfiable, kMalformed };

// "first-last", "first-" or "-suffix" against a representation of `size` bytes.
SpecResult resolve_spec(std::string_view spec, std::uint64_t size, ByteRange& range) {
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return SpecResult::kMalformed;
  const std::string_view left = trim_whitespace(spec.substr(0, dash));
  const std::string_view right = trim_whitespace(spec.substr(dash + 1));
  const std::optional<std::uint64_t> last = parse_decimal(right);
  if (!right.empty() && !last) return SpecResult::kMalformed;

  if (left.empty()) {
    if (!last) return SpecResult::kMalformed;
    if (*last == 0 || size == 0) return SpecResult::kUnsatisfiable;
    range = {*last >= size ? 0 : size - *last, size - 1};
    return SpecResult::kRange;
  }
  const std::optional<std::uint64_t> first = parse_decimal(left);
  if (!first || (last && *last < *first)) return SpecResult::kMalformed;
  if (*first >= size) return SpecResult::kUnsatisfiable;
  range = {*first, last && *last < size ? *last : size - 1};
  return SpecResult::kRange;
}

void append_size(std::string& out, std::uint64_t size) {
  out.append(std::to_string(size));
}

}  // namespace

ResolvedRanges resolve_ranges(std::string_view range_value, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  ResolvedRanges resolved;
  if (range_value.size() <= kUnit.size() ||
      !equals_ignoring_case(range_value.substr(0, kUnit.size()), kUnit)) {
    return resolved;
  }
  ListReader reader(range_value.substr(kUnit.size()));
  std::string_view spec;
  std::size_t specs = 0;
  std::uint64_t left = size;  // bytes of the whole that the ranges together have not asked for yet
  bool excessive = false;
  while (reader.next(spec)) {
    ByteRange range;
    const SpecResult result = resolve_spec(spec, size, range);
    if (result == SpecResult::kMalformed || ++specs > kMaxRanges) return {};
    if (result == SpecResult::kUnsatisfiable) continue;
    excessive |= range.size() > left;
    left -= std::min(left, range.size());
    resolved.ranges.push_back(range);
  }
  if (specs == 0 || (resolved.ranges.size() > 1 && excessive)) return {};
  resolved.outcome = resolved.ranges.empty() ? RangeOutcome::kUnsatisfiable : RangeOutcome::kPartial;
  return resolved;
}

void append_content_range(std::string& out, const ByteRange& range, std::uint64_t size) {
  out.append("bytes ");
  append_size(out, range.first);
  out.append("-");
  append_size(out, range.last);
  out.append("/");
  append_size(out, size);
}

void append_unsatisfied_content_range(std::string& out, std::uint64_t size) {
  out.append("bytes */");
  append_size(out, size);
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (text.size() <= kUnit.size() || !equals_ignoring_case(text.substr(0, kUnit.size()), kUnit)) {
    return std::nullopt;
  }
  text.remove_prefix(kUnit.size());
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
  const auto first = parse_decimal(text.substr(0, dash));
  const auto last = parse_decimal(text.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first) return std::nullopt;
  ContentRange result{{*first, *last}, std::nullopt};
  const std::string_view size = text.substr(slash + 1);
  if (size != "*") {
    result.size = parse_decimal(size);
    if (!result.size || *last >= *result.size) return std::nullopt;
  }
  return result;
}

}  // namespace freshet::storage
