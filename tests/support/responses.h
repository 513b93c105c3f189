// Stored responses and bodies for tests, made in one line each. Plain functions; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "storage/stored_response.h"

namespace freshet::tests {

// Bytes that differ from place to place, so that a swapped or repeated piece shows.
inline std::string patterned(std::size_t size, std::uint64_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint64_t state = seed;
  for (char& byte : bytes) {
    state = (state * 48271U) % 2147483647U;
    byte = static_cast<char>(state & 0x7fU);
  }
  return bytes;
}

inline storage::CacheKey key_of(std::string_view path) {
  return storage::make_cache_key("http", "example.test", path);
}

// A key that falls into a shard of the test's choice (0 to 63).
inline storage::CacheKey key_in_shard(std::uint64_t shard, std::uint64_t number) {
  storage::CacheKey key = key_of("/" + std::to_string(shard) + "/" + std::to_string(number));
  key.digest.high = number * 64 + shard;
  return key;
}

struct HeadSpec {
  storage::CacheKey key;
  int response_time = 100;  // seconds
  std::string language{};   // the selecting value of Accept-Language; empty: no Vary
  storage::Sequence filled_at = 1;
  std::uint64_t body_id = 0;
};

inline storage::StoredHead head_of(const HeadSpec& spec) {
  storage::StoredHead head;
  head.key = spec.key;
  if (!spec.language.empty()) head.selecting.push_back({"accept-language", spec.language});
  head.response.status = 200;
  head.response.fields.add("ETag", "\"a\"");
  head.response_time = storage::wall_from_seconds(spec.response_time);
  head.request_time = head.response_time;
  head.filled_at = spec.filled_at;
  head.validated_at = spec.filled_at;
  head.body_id = spec.body_id;
  return head;
}

inline storage::StoredResponsePtr response_of(const HeadSpec& spec, std::string_view body = "body") {
  storage::StoredHead head = head_of(spec);
  head.body_size = body.size();
  return std::make_shared<const storage::StoredResponse>(
      std::move(head), storage::make_memory_body({storage::Chunk::copy_of(body)}), storage::Describe{});
}

// What a 304 makes of `old`: a new head, the old one's body.
inline storage::StoredResponsePtr freshened(const storage::StoredResponsePtr& old, int response_time,
                                            std::string_view extra = "") {
  storage::StoredHead head = old->head();
  head.response_time = storage::wall_from_seconds(response_time);
  if (!extra.empty()) head.response.fields.add("X-Extra", extra);
  return std::make_shared<const storage::StoredResponse>(std::move(head), old->body(), storage::Describe{});
}

// The whole body, by try_read; what was read so far if that fails.
inline std::string bytes_of(const storage::StoredBody& body, std::uint64_t size) {
  std::string bytes;
  storage::Chunk chunk;
  while (bytes.size() < size && body.try_read(bytes.size(), chunk) == storage::StoredBody::TryRead::kData) {
    bytes.append(chunk.view());
  }
  return bytes;
}

}  // namespace freshet::tests
