// Byte ranges: Range and Content-Range (RFC 9110, section 14). resolve_ranges() turns what a client asked
// for into places in a representation of known length. Pure; a Range that is malformed, of another unit or
// of too many parts is ignored, as section 14.2 permits, and the whole is sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::storage {

// Both ends included; first <= last < the length it was resolved against.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  [[nodiscard]] std::uint64_t size() const { return last - first + 1; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

enum class RangeOutcome {
  kWhole,          // send the whole representation
  kPartial,        // `ranges` has at least one
  kUnsatisfiable,  // 416
};

struct ResolvedRanges {
  RangeOutcome outcome = RangeOutcome::kWhole;
  // In the order of the request, unsatisfiable ones left out. Those that overlap or have less than
  // kLeastGap between them are one (RFC 9110, 15.3.7.2), in the place of the first of them.
  std::vector<ByteRange> ranges;
};

// More parts than this are answered with the whole (RFC 9110, 14.2: a server may ignore egregious range
// requests), and so is a field of more than kMaxRangeSpecs elements, whatever they come to.
inline constexpr std::size_t kMaxRanges = 32;
inline constexpr std::size_t kMaxRangeSpecs = 1024;
// Bytes between two parts that are not worth a part's head.
inline constexpr std::uint64_t kLeastGap = 80;

[[nodiscard]] ResolvedRanges resolve_ranges(std::string_view range_value, std::uint64_t size);

// A Range of one element, before the representation's length is known. Exactly one of first and suffix is
// there.
struct SingleRange {
  std::optional<std::uint64_t> first;
  std::optional<std::uint64_t> last;
  std::optional<std::uint64_t> suffix;
};
// Nothing: several, malformed, or of another unit.
[[nodiscard]] std::optional<SingleRange> parse_single_range(std::string_view range_value);

// "bytes 0-99/200", and "bytes */200" for a 416.
void append_content_range(std::string& out, const ByteRange& range, std::uint64_t size);
void append_unsatisfied_content_range(std::string& out, std::uint64_t size);

struct ContentRange {
  ByteRange range;
  std::optional<std::uint64_t> size;  // nothing for "*"
};
// A 206's Content-Range in bytes; nothing if malformed, inconsistent, of another unit or unsatisfied.
[[nodiscard]] std::optional<ContentRange> parse_content_range(std::string_view text);

// Where one range lies in a stored part of a representation (RFC 9111, 3.3).
struct PlaceInPart {
  ByteRange within;  // of the part's own bytes
  ByteRange whole;   // of the representation
};
// Nothing: not wholly in it. `part`: with a size. `content_size`: the bytes that the part has; where an
// origin sent fewer than its Content-Range says, positions count from the part's beginning and a suffix from
// its end.
[[nodiscard]] std::optional<PlaceInPart> find_in_part(const SingleRange& range, const ContentRange& part,
                                                      std::uint64_t content_size);

}  // namespace freshet::storage
