// The bytes that the disk tier writes: keys, head records and chunk records, as FORMAT.md describes them.
// Pure functions between structs and strings; no RocksDB, no thread rules.
//
// Decoding takes nothing on trust: whatever the bytes are, it returns a record whose every field was inside
// its bounds and under a matching checksum, or nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/stored_response.h"

namespace freshet::storage {

// The version of everything in FORMAT.md, and the oldest that is read (and migrated when it is opened); a
// store of any other is refused.
constexpr std::uint32_t kFormatVersion = 3;
constexpr std::uint32_t kOldestFormatVersion = 1;
// All chunks of a body but its last have this many bytes.
constexpr std::uint32_t kBodyChunkSize = 256 * 1024;
// What stands before the bytes in a chunk record.
constexpr std::size_t kChunkHeaderSize = 32;
constexpr std::size_t kHeadKeySize = 32;
constexpr std::size_t kChunkKeySize = 12;

// Where bodies lie: newcomers in one family, what was used there in the other. FORMAT.md, "Eviction".
enum class BodyFamily : std::uint8_t { kNewcomers = 0, kMain = 1 };
constexpr std::size_t kBodyFamilies = 2;

// Where the chunks of one body lie. A body that is copied forward gets a new place; the id by which it is
// known (StoredHead::body_id) is that of its first place, and stays.
struct BodyPlace {
  BodyFamily family = BodyFamily::kNewcomers;
  std::uint64_t id = 0;
  friend bool operator==(const BodyPlace&, const BodyPlace&) = default;
};

// How many chunk records a body has (`body_size`: stored_body_size()): an empty one has an empty chunk, so
// that it ages like any other.
[[nodiscard]] std::uint32_t chunk_count_of(std::uint64_t body_size);

// Key of a head: the key's digest, then the variant's; the first 16 bytes find all variants.
[[nodiscard]] std::string head_key_prefix(const Digest128& key);
[[nodiscard]] std::optional<Digest128> decode_digest(std::string_view bytes);
[[nodiscard]] std::string head_key(const Digest128& key, const Digest128& variant);
// Key of a chunk: body id and number, big-endian, so that keys grow with time.
[[nodiscard]] std::string chunk_key(std::uint64_t body_id, std::uint32_t number);
[[nodiscard]] std::optional<std::uint64_t> body_id_of_chunk_key(std::string_view key);

// `head.body_id` names the body; its one extent is the whole of it, at `place`.
[[nodiscard]] std::string encode_head(const StoredHead& head, const BodyPlace& place);
// Where nothing was copied.
[[nodiscard]] inline std::string encode_head(const StoredHead& head) {
  return encode_head(head, {BodyFamily::kNewcomers, head.body_id});
}
// Nothing: damaged, or of an unknown form. `place`: where the body lies.
[[nodiscard]] std::optional<StoredHead> decode_head(std::string_view record, BodyPlace* place = nullptr);
// The body's id, or its place, without looking at the rest.
[[nodiscard]] std::optional<std::uint64_t> peek_body_id(std::string_view record);
[[nodiscard]] std::optional<BodyPlace> peek_place(std::string_view record);

// Whose chunk it is and how long.
struct ChunkLabel {
  std::uint64_t body_id = 0;  // of its place
  Digest128 key;              // of the response's cache key
  std::uint32_t number = 0;
  std::uint32_t size = 0;
  BodyFamily family = BodyFamily::kNewcomers;  // not in the record
  friend bool operator==(const ChunkLabel&, const ChunkLabel&) = default;
};
[[nodiscard]] std::string encode_chunk_header(const ChunkLabel& label);
// True when `record` is that very chunk, whole.
[[nodiscard]] bool is_chunk(std::string_view record, const ChunkLabel& expected);
// What a chunk record says of itself; its family is not known from it. Nothing: no chunk record.
[[nodiscard]] std::optional<ChunkLabel> decode_chunk_header(std::string_view record);

// Numbers in the `state` family, little-endian.
[[nodiscard]] std::string encode_u32(std::uint32_t value);
[[nodiscard]] std::string encode_u64(std::uint64_t value);
[[nodiscard]] std::optional<std::uint32_t> decode_u32(std::string_view bytes);
[[nodiscard]] std::optional<std::uint64_t> decode_u64(std::string_view bytes);

}  // namespace freshet::storage
