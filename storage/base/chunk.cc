#include "storage/base/chunk.h"

#include <algorithm>
#include <cstring>

namespace freshet::storage {

Chunk Chunk::copy_of(std::string_view bytes) {
  // One piece of memory for the bytes and their count of owners.
  const auto buffer = std::make_shared_for_overwrite<char[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.get(), bytes.data(), bytes.size());
  const char* data = buffer.get();
  return {buffer, data, bytes.size()};
}

Chunk Chunk::adopt(std::string bytes) {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  const char* data = owner->data();
  const std::size_t size = owner->size();
  return {std::move(owner), data, size};
}

Chunk Chunk::slice(std::size_t offset, std::size_t length) const {
  const std::size_t start = std::min(offset, size_);
  return {owner_, data_ + start, std::min(length, size_ - start)};
}

std::size_t total_size(const ChunkList& chunks) {
  std::size_t total = 0;
  for (const Chunk& chunk : chunks) total += chunk.size();
  return total;
}

}  // namespace freshet::storage
