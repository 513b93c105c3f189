// Byte scan: the first byte of a class in a piece of memory, sixteen at a time. A class says once, with the
// few verbs of a block, which of its bytes match; the same text is compiled for SSE2, for NEON, and for
// PlainBlock, which any compiler takes and which the tests hold the other two against.
//
// A class: struct IsComma { template <typename Block> static auto match(Block b) { return b.equal(','); } };
// Verbs give a Block whose bytes are 0xff where they hold and 0 elsewhere; combine them with |, & and
// and_not(). Reads nothing outside [p, end). Pure; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace freshet::storage {

inline constexpr std::size_t kBlockBytes = 16;

struct PlainBlock {
  std::array<std::uint8_t, kBlockBytes> bytes;

  static PlainBlock load(const char* p) {
    PlainBlock block{};
    std::memcpy(block.bytes.data(), p, kBlockBytes);
    return block;
  }
  [[nodiscard]] PlainBlock equal(char c) const {
    return each([c](std::uint8_t byte, std::uint8_t) { return byte == static_cast<std::uint8_t>(c); }, *this);
  }
  // Unsigned; `limit` at least 1.
  [[nodiscard]] PlainBlock below(std::uint8_t limit) const {
    return each([limit](std::uint8_t byte, std::uint8_t) { return byte < limit; }, *this);
  }
  [[nodiscard]] PlainBlock and_not(PlainBlock other) const {
    return each([](std::uint8_t a, std::uint8_t b) { return (a & ~b & 0xff) != 0; }, other);
  }
  PlainBlock operator|(PlainBlock other) const {
    return each([](std::uint8_t a, std::uint8_t b) { return (a | b) != 0; }, other);
  }
  PlainBlock operator&(PlainBlock other) const {
    return each([](std::uint8_t a, std::uint8_t b) { return (a & b) != 0; }, other);
  }
  // The index of the first byte that is set, or kBlockBytes.
  [[nodiscard]] std::size_t first() const {
    std::size_t i = 0;
    while (i < kBlockBytes && bytes[i] == 0) ++i;
    return i;
  }

 private:
  template <typename Holds>
  [[nodiscard]] PlainBlock each(Holds holds, const PlainBlock& other) const {
    PlainBlock result{};
    for (std::size_t i = 0; i < kBlockBytes; ++i)
      result.bytes[i] = holds(bytes[i], other.bytes[i]) ? 0xff : 0;
    return result;
  }
};

#if defined(__SSE2__)

struct FastBlock {
  __m128i bytes;

  static FastBlock load(const char* p) { return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))}; }
  [[nodiscard]] FastBlock equal(char c) const { return {_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c))}; }
  [[nodiscard]] FastBlock below(std::uint8_t limit) const {
    const __m128i most = _mm_set1_epi8(static_cast<char>(limit - 1));
    return {_mm_cmpeq_epi8(_mm_min_epu8(bytes, most), bytes)};
  }
  [[nodiscard]] FastBlock and_not(FastBlock other) const { return {_mm_andnot_si128(other.bytes, bytes)}; }
  FastBlock operator|(FastBlock other) const { return {_mm_or_si128(bytes, other.bytes)}; }
  FastBlock operator&(FastBlock other) const { return {_mm_and_si128(bytes, other.bytes)}; }
  [[nodiscard]] std::size_t first() const {
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(bytes));
    return static_cast<std::size_t>(std::countr_zero(mask | 1U << kBlockBytes));
  }
};

#elif defined(__ARM_NEON) && defined(__aarch64__)

struct FastBlock {
  uint8x16_t bytes;

  static FastBlock load(const char* p) { return {vld1q_u8(reinterpret_cast<const std::uint8_t*>(p))}; }
  [[nodiscard]] FastBlock equal(char c) const {
    return {vceqq_u8(bytes, vdupq_n_u8(static_cast<std::uint8_t>(c)))};
  }
  [[nodiscard]] FastBlock below(std::uint8_t limit) const { return {vcltq_u8(bytes, vdupq_n_u8(limit))}; }
  [[nodiscard]] FastBlock and_not(FastBlock other) const { return {vbicq_u8(bytes, other.bytes)}; }
  FastBlock operator|(FastBlock other) const { return {vorrq_u8(bytes, other.bytes)}; }
  FastBlock operator&(FastBlock other) const { return {vandq_u8(bytes, other.bytes)}; }
  [[nodiscard]] std::size_t first() const {
    // Four bits of each byte in one word: there is no movemask.
    const uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(bytes), 4);
    const std::uint64_t mask = vget_lane_u64(vreinterpret_u64_u8(narrow), 0);
    return static_cast<std::size_t>(std::countr_zero(mask)) / 4;
  }
};

#else

using FastBlock = PlainBlock;

#endif

// The same in less than a block, copied into one, whose other bytes are not looked at. Apart from the scan,
// which it would otherwise slow down.
template <typename Class, typename Block>
[[nodiscard, gnu::noinline]] const char* find_class_at_end(const char* p, const char* end) {
  const auto left = static_cast<std::size_t>(end - p);
  std::array<char, kBlockBytes> rest{};
  if (left > 0) std::memcpy(rest.data(), p, left);
  const std::size_t at = Class::match(Block::load(rest.data())).first();
  return at < left ? p + at : end;
}

// The first byte in [p, end) that Class matches, or `end`.
template <typename Class, typename Block = FastBlock>
[[nodiscard]] inline const char* find_class(const char* p, const char* end) {
  while (static_cast<std::size_t>(end - p) >= kBlockBytes) {
    const std::size_t at = Class::match(Block::load(p)).first();
    if (at != kBlockBytes) return p + at;
    p += kBlockBytes;
  }
  return find_class_at_end<Class, Block>(p, end);
}

}  // namespace freshet::storage
