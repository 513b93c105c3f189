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
  const std::string_view left = spec.substr(0, dash);
  const std::string_view right = spec.substr(dash + 1);
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

// Makes one of those that overlap or nearly touch; what is left keeps the order in which it was asked for.
void coalesce(std::vector<ByteRange>& ranges) {
  struct Asked {
    ByteRange range;
    std::size_t place;
  };
  std::vector<Asked> asked;
  asked.reserve(ranges.size());
  for (const ByteRange& range : ranges) asked.push_back({range, asked.size()});
  std::sort(asked.begin(), asked.end(),
            [](const Asked& a, const Asked& b) { return a.range.first < b.range.first; });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < asked.size(); ++i) {
    Asked& before = asked[kept];
    const Asked& next = asked[i];
    const bool apart =
        next.range.first > before.range.last && next.range.first - before.range.last - 1 >= kLeastGap;
    if (apart) {
      asked[++kept] = next;
    } else {
      before.range.last = std::max(before.range.last, next.range.last);
      before.place = std::min(before.place, next.place);
    }
  }
  asked.resize(kept + 1);
  std::sort(asked.begin(), asked.end(), [](const Asked& a, const Asked& b) { return a.place < b.place; });
  ranges.clear();
  for (const Asked& each : asked) ranges.push_back(each.range);
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
  while (reader.next(spec)) {
    ByteRange range;
    const SpecResult result = resolve_spec(spec, size, range);
    if (result == SpecResult::kMalformed || ++specs > kMaxRangeSpecs) return {};
    if (result == SpecResult::kRange) resolved.ranges.push_back(range);
  }
  if (specs == 0) return {};
  if (resolved.ranges.size() > 1) coalesce(resolved.ranges);
  if (resolved.ranges.size() > kMaxRanges) return {};
  resolved.outcome = resolved.ranges.empty() ? RangeOutcome::kUnsatisfiable : RangeOutcome::kPartial;
  return resolved;
}

std::optional<SingleRange> parse_single_range(std::string_view range_value) {
  constexpr std::string_view kUnit = "bytes=";
  if (range_value.size() <= kUnit.size() ||
      !equals_ignoring_case(range_value.substr(0, kUnit.size()), kUnit)) {
    return std::nullopt;
  }
  const std::string_view spec = trim_whitespace(range_value.substr(kUnit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view left = spec.substr(0, dash);
  const std::string_view right = spec.substr(dash + 1);
  const auto first = parse_decimal(left);
  const auto last = parse_decimal(right);
  if ((!left.empty() && !first) || (!right.empty() && !last)) return std::nullopt;
  if (!first) return last ? std::optional(SingleRange{{}, {}, last}) : std::nullopt;
  if (last && *last < *first) return std::nullopt;
  return SingleRange{first, last, std::nullopt};
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

std::optional<PlaceInPart> find_in_part(const SingleRange& range, const ContentRange& part,
                                        std::uint64_t content_size) {
  if (!part.size || content_size == 0 || content_size > part.range.size()) return std::nullopt;
  const std::uint64_t size = *part.size;
  if (range.suffix) {
    const std::uint64_t asked = *range.suffix;
    if (asked == 0 || asked > content_size || part.range.last != size - 1) return std::nullopt;
    return PlaceInPart{{content_size - asked, content_size - 1}, {size - asked, size - 1}};
  }
  const std::uint64_t first = *range.first;
  const std::uint64_t last = std::min(range.last.value_or(size - 1), size - 1);
  if (first < part.range.first || first - part.range.first >= content_size || last > part.range.last ||
      last < first) {
    return std::nullopt;
  }
  const ByteRange within{first - part.range.first, std::min(last - part.range.first, content_size - 1)};
  return PlaceInPart{within, {first, part.range.first + within.last}};
}

}  // namespace freshet::storage
