// StoredResponse: a response that may be used again, with everything that reuse needs to know. Immutable
// from the moment it is made, so it is shared between threads without a lock; freshening makes a new one
// that shares the old one's body (G3). A purge or an eviction drops a reference: who is sending it goes on.
//
// Storage keeps it and never asks what freshness means: what policy derives from a head is computed by the
// Describe function once, when the response is made or read from disk, and carried along as DerivedFacts.
// RFC 9111, sections 3 and 4.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/chunk.h"
#include "storage/base/clock.h"
#include "storage/base/executor.h"
#include "storage/base/result.h"
#include "storage/cache_key.h"
#include "storage/http/message_head.h"

namespace freshet::storage {

// Number in the order of invalidations; see storage/invalidation/generations.h.
using Sequence = std::uint64_t;

// A stored response against all invalidations so far: nothing concerns it; it must be validated before it is
// served as fresh; it is gone.
enum class Standing : std::uint8_t { kCurrent = 0, kStale = 1, kDead = 2 };

// Everything about a stored response but its body; what the disk keeps as the head record.
struct StoredHead {
  CacheKey key;
  SelectingFields selecting;
  // End-to-end fields only: no Connection and what it names, no Content-Length, Transfer-Encoding or Age
  // (what Age said is in `age_received`).
  ResponseHead response;
  WallTime request_time{};   // when the request left; RFC 9111, 4.2.3
  WallTime response_time{};  // when the head came
  std::uint64_t body_size = 0;
  Sequence filled_at = 0;     // newest invalidation when the body's origin request began
  Sequence validated_at = 0;  // the same for the last successful validation
  // The Age field's value, at most 2^31 (RFC 9111, 1.2.2).
  std::chrono::duration<std::uint32_t> age_received{0};
  // The request that filled it carried Cookie or Authorization (G12).
  bool request_had_credentials = false;
  // The ETag among the fields was made here, from the content's hash; the origin never sees it.
  bool own_entity_tag = false;
  // Only the head of a large response: the content is kept in slices (responses of their own), body_size is
  // the length of the whole, the body here is empty.
  bool sliced = false;
  // A later answer to HEAD has shown that the content has changed: never fresh (RFC 9111, 4.3.5).
  bool outdated = false;
  // Names that it can be invalidated by, together with others (RFC 9875): "group:" and a cache group's name.
  std::vector<std::string> tags;
  std::uint64_t body_id = 0;  // the disk tier's; 0: not on disk
};

// How many bytes the body of its own has: none where the content is in slices.
[[nodiscard]] inline std::uint64_t stored_body_size(const StoredHead& head) {
  return head.sliced ? 0 : head.body_size;
}

// What a layer above derived from a head. Opaque here.
class DerivedFacts {
 public:
  virtual ~DerivedFacts() = default;
  // Bytes of memory that they hold, for accounting.
  [[nodiscard]] virtual std::size_t memory_size() const { return 0; }
};
using Describe = std::function<std::unique_ptr<const DerivedFacts>(const StoredHead&)>;

// A body that can be read by offset, any number of times, from any thread.
class StoredBody {
 public:
  enum class TryRead { kData, kWouldBlock, kFailed };

  virtual ~StoredBody() = default;

  // Bytes from `offset` on, as many as lie in one piece (at least one where offset < size). Does no I/O:
  // kWouldBlock means read() must be used. kFailed: the bytes are gone or damaged.
  virtual TryRead try_read(std::uint64_t offset, Chunk& chunk) const = 0;

  // The same with I/O, elsewhere; `done` is posted to `executor`.
  virtual void read(std::uint64_t offset, Executor& executor,
                    std::function<void(Result<Chunk>)> done) const = 0;

  // All of it, where it lies in memory in one piece, for as long as this lives; else nothing, with null data.
  [[nodiscard]] virtual std::string_view whole() const { return {}; }

  // Bytes of memory this body holds; of one that lives on disk, those of the object.
  [[nodiscard]] virtual std::size_t memory_size() const = 0;
  // Its bytes have to be read from the disk tier, each time.
  [[nodiscard]] virtual bool on_disk() const { return false; }
  // The disk tier is sure to have lost it, or to have moved it.
  [[nodiscard]] virtual bool is_gone() const { return false; }

  // A body on disk whose bytes, all of them, were read already: it holds on to memory of the disk tier and is
  // for one request, not to be kept.
  [[nodiscard]] virtual bool pins_memory() const { return false; }
  // The same as it can be kept; null: it cannot.
  [[nodiscard]] virtual std::shared_ptr<const StoredBody> without_pin() const { return nullptr; }
};

// A whole body in memory.
[[nodiscard]] std::shared_ptr<const StoredBody> make_memory_body(ChunkList chunks);

class StoredResponse {
 public:
  // `describe` may be empty (then there are no facts). `body` is never null; a response without content has
  // an empty one. The head keeps no more memory than it needs.
  StoredResponse(StoredHead head, std::shared_ptr<const StoredBody> body, const Describe& describe);

  [[nodiscard]] const StoredHead& head() const { return head_; }
  [[nodiscard]] const std::shared_ptr<const StoredBody>& body() const { return body_; }
  // The body's bytes, where they all lie in memory in one piece, which lives as long as this does.
  [[nodiscard]] bool has_whole_body() const { return whole_body_ != nullptr; }
  [[nodiscard]] std::string_view whole_body() const {
    return {whole_body_, static_cast<std::size_t>(head_.body_size)};
  }
  [[nodiscard]] const DerivedFacts* facts() const { return facts_.get(); }
  [[nodiscard]] const Digest128& variant() const { return variant_; }

  // Bytes accounted for keeping this in memory: head, facts and body, with what the allocator adds.
  [[nodiscard]] std::size_t memory_size() const;

  // What a hit will read is fetched into the processor's cache, all of it at once instead of one piece after
  // the other: first the object, then, once that is there, what it points to.
  static void prefetch(const StoredResponse* response);
  void prefetch_parts() const;

  // What Generations said of it when `now` was the newest invalidation, if that was the last time that it was
  // asked; any thread.
  [[nodiscard]] std::optional<Standing> remembered(Sequence now) const {
    const std::uint64_t last = checked_.load(std::memory_order_relaxed);
    if (last >> 2U != now) return std::nullopt;
    return static_cast<Standing>(last & 3U);
  }
  void remember(Sequence now, Standing standing) const {
    checked_.store(now << 2U | static_cast<std::uint64_t>(standing), std::memory_order_relaxed);
  }

 private:
  const StoredHead head_;
  const std::shared_ptr<const StoredBody> body_;
  const Digest128 variant_;
  const std::unique_ptr<const DerivedFacts> facts_;
  const char* const whole_body_;
  // A Sequence, which is never 0 and stays far below 2^62, and what was found at it.
  mutable std::atomic<std::uint64_t> checked_{0};
};

using StoredResponsePtr = std::shared_ptr<const StoredResponse>;

}  // namespace freshet::storage
