#include "storage/stored_response.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

class MemoryBody final : public StoredBody {
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

  [[nodiscard]] std::size_t memory_size() const override {
    return total_size(chunks_) + chunks_.capacity() * sizeof(Chunk) +
           ends_.capacity() * sizeof(std::uint64_t);
  }

 private:
  const ChunkList chunks_;
  std::vector<std::uint64_t> ends_;  // where each chunk ends
};

}  // namespace

std::shared_ptr<const StoredBody> make_memory_body(ChunkList chunks) {
  return std::make_shared<MemoryBody>(std::move(chunks));
}

StoredResponse::StoredResponse(StoredHead head, std::shared_ptr<const StoredBody> body,
                               const Describe& describe)
    : head_(std::move(head)),
      body_(std::move(body)),
      variant_(variant_digest(head_.selecting)),
      facts_(describe ? describe(head_) : nullptr) {
  FRESHET_CHECK(body_ != nullptr);
}

std::size_t StoredResponse::memory_size() const {
  std::size_t size = sizeof(StoredResponse) + head_.key.text.capacity() + head_.response.reason.capacity() +
                     head_.response.fields.memory_size();
  for (const SelectingField& field : head_.selecting) {
    size += sizeof(SelectingField) + field.name.capacity() + (field.value ? field.value->capacity() : 0);
  }
  for (const std::string& tag : head_.tags) size += sizeof(std::string) + tag.capacity();
  return size + body_->memory_size();
}

}  // namespace freshet::storage
