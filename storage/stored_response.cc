#include "storage/stored_response.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

// The two counters of a shared_ptr, and its table of functions.
constexpr std::size_t kShared = 2 * sizeof(void*);

constexpr std::size_t kCacheLine = 64;

// Any address may be given, null too.
void prefetch_lines(const void* from, std::size_t lines) {
  if (from == nullptr) return;
  for (std::size_t i = 0; i < lines; ++i) {
    __builtin_prefetch(static_cast<const char*>(from) + i * kCacheLine);  // NOLINT
  }
}

std::size_t held_by(const std::string& text) {
  static const std::size_t inside = std::string().capacity();
  return text.capacity() > inside ? allocated(text.capacity() + 1) : 0;
}

// The bytes and their owner are one piece (Chunk::copy_of).
std::size_t held_by(const Chunk& chunk) {
  return allocated(chunk.size() + kShared);
}

// A whole body in memory, by offset.
class WholeBody : public StoredBody {
 public:
  void read(std::uint64_t offset, Executor& executor,
            std::function<void(Result<Chunk>)> done) const override {
    Chunk chunk;
    const bool ok = try_read(offset, chunk) == TryRead::kData;
    executor.post([ok, chunk, done = std::move(done)] {
      if (ok) {
        done(chunk);
      } else {
        done(Error{"read past the end of a body in memory"});
      }
    });
  }
};

// Most are: nothing has to be looked for.
class OneChunkBody final : public WholeBody {
 public:
  explicit OneChunkBody(Chunk chunk) : chunk_(std::move(chunk)) {}

  TryRead try_read(std::uint64_t offset, Chunk& chunk) const override {
    if (offset >= chunk_.size()) return TryRead::kFailed;
    chunk = offset == 0 ? chunk_ : chunk_.slice(static_cast<std::size_t>(offset), chunk_.size());
    return TryRead::kData;
  }
  [[nodiscard]] std::string_view whole() const override { return chunk_.view(); }
  [[nodiscard]] std::size_t memory_size() const override {
    return allocated(kShared + sizeof(*this)) + held_by(chunk_);
  }

 private:
  const Chunk chunk_;
};

class MemoryBody final : public WholeBody {
 public:
  explicit MemoryBody(ChunkList chunks) : chunks_(std::move(chunks)) {
    std::uint64_t end = 0;
    ends_.reserve(chunks_.size());
    for (const Chunk& chunk : chunks_) {
      end += chunk.size();
      ends_.push_back(end);
    }
  }

  TryRead try_read(std::uint64_t offset, Chunk& chunk) const override {
    const auto end = std::upper_bound(ends_.begin(), ends_.end(), offset);
    if (end == ends_.end()) return TryRead::kFailed;
    const Chunk& holder = chunks_[static_cast<std::size_t>(end - ends_.begin())];
    const std::uint64_t start = *end - holder.size();
    chunk = offset == start ? holder : holder.slice(static_cast<std::size_t>(offset - start), holder.size());
    return TryRead::kData;
  }

  [[nodiscard]] std::size_t memory_size() const override {
    std::size_t size = allocated(kShared + sizeof(*this)) + allocated(chunks_.capacity() * sizeof(Chunk)) +
                       allocated(ends_.capacity() * sizeof(std::uint64_t));
    for (const Chunk& chunk : chunks_) size += held_by(chunk);
    return size;
  }

 private:
  const ChunkList chunks_;
  std::vector<std::uint64_t> ends_;  // where each chunk ends
};

}  // namespace

std::shared_ptr<const StoredBody> make_memory_body(ChunkList chunks) {
  if (chunks.size() == 1) return std::make_shared<OneChunkBody>(std::move(chunks.front()));
  chunks.shrink_to_fit();
  return std::make_shared<MemoryBody>(std::move(chunks));
}

namespace {

// Heads are read into buffers that are larger than what came.
StoredHead compact(StoredHead head) {
  head.key.text.shrink_to_fit();
  head.selecting.shrink_to_fit();
  head.response.reason.shrink_to_fit();
  head.response.fields.shrink_to_fit();
  head.tags.shrink_to_fit();
  return head;
}

}  // namespace

StoredResponse::StoredResponse(StoredHead head, std::shared_ptr<const StoredBody> body,
                               const Describe& describe)
    : head_(compact(std::move(head))),
      body_(std::move(body)),
      variant_(variant_digest(head_.selecting)),
      facts_(describe ? describe(head_) : nullptr),
      whole_body_(body_ && body_->whole().size() == head_.body_size ? body_->whole().data() : nullptr) {
  FRESHET_CHECK(body_ != nullptr);
}

void StoredResponse::prefetch(const StoredResponse* response) {
  // The counts of its owners stand in front of it.
  prefetch_lines(reinterpret_cast<const char*>(response) - kShared,
                 (sizeof(StoredResponse) + kShared) / kCacheLine + 1);
}

void StoredResponse::prefetch_parts() const {
  constexpr std::size_t kLines = 5;
  prefetch_lines(head_.response.fields.memory(), kLines);
  prefetch_lines(facts_.get(), 2);
  prefetch_lines(whole_body_, kLines);
}

std::size_t StoredResponse::memory_size() const {
  std::size_t size = allocated(kShared + sizeof(StoredResponse)) + held_by(head_.key.text) +
                     held_by(head_.response.reason) + head_.response.fields.memory_size() +
                     allocated(head_.selecting.capacity() * sizeof(SelectingField)) +
                     allocated(head_.tags.capacity() * sizeof(std::string));
  for (const SelectingField& field : head_.selecting) {
    size += held_by(field.name) + (field.value ? held_by(*field.value) : 0);
  }
  for (const std::string& tag : head_.tags) size += held_by(tag);
  return size + (facts_ ? facts_->memory_size() : 0) + body_->memory_size();
}

}  // namespace freshet::storage
