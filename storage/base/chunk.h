// Chunk: an immutable run of body bytes with a shared owner, so that one copy of a body serves the store,
// the Fill that is still growing and every client that is being sent it. The owner may be a heap buffer or
// a block that RocksDB keeps pinned; a Chunk does not care.
//
// Copying a Chunk copies a reference. Any thread may hold one; nobody may write through it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::storage {

class Chunk {
 public:
  Chunk() = default;
  Chunk(std::shared_ptr<const void> owner, const char* data, std::size_t size)
      : owner_(std::move(owner)), data_(data), size_(size) {}

  static Chunk copy_of(std::string_view bytes);
  static Chunk adopt(std::string bytes);

  [[nodiscard]] const char* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::string_view view() const { return {data_, size_}; }

  // The bytes [offset, offset + length) of this chunk, clipped to it; shares the owner.
  [[nodiscard]] Chunk slice(std::size_t offset, std::size_t length) const;

 private:
  std::shared_ptr<const void> owner_;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

// A whole body in memory, in order; chunks may be of any sizes.
using ChunkList = std::vector<Chunk>;

[[nodiscard]] std::size_t total_size(const ChunkList& chunks);

// What the allocator takes for a piece of so many bytes: a word before it, rounded up to two. Nothing for
// nothing.
[[nodiscard]] constexpr std::size_t allocated(std::size_t bytes) {
  constexpr std::size_t kWord = sizeof(void*);
  constexpr std::size_t kLeast = 4 * kWord;
  if (bytes == 0) return 0;
  const std::size_t rounded = (bytes + kWord + 2 * kWord - 1) / (2 * kWord) * (2 * kWord);
  return rounded < kLeast ? kLeast : rounded;
}

}  // namespace freshet::storage
