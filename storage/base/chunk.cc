#include "storage/base/chunk.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace freshet::storage {

namespace {

// Below what malloc() maps by itself (M_MMAP_THRESHOLD), with room for what stands beside bodies.
constexpr std::size_t kHeapStep = std::size_t{120} * 1024;
constexpr std::size_t kBesideABody = 1024;

// glibc has the heap of a thread that is not the first grow page by page, with one mprotect() each: as bodies
// come in, one for each. Asked for more at once and given it back, it keeps the room for what comes next.
void grow_heap_in_steps(std::size_t bytes) {
  thread_local std::size_t left = 0;
  const std::size_t taken = bytes + kBesideABody;
  if (taken > kHeapStep / 2) return;
  if (left < taken) {
    void* volatile step = ::operator new(kHeapStep);  // else it may be left out
    ::operator delete(step);
    left = kHeapStep;
  }
  left -= taken;
}

}  // namespace

Chunk Chunk::copy_of(std::string_view bytes) {
  grow_heap_in_steps(bytes.size());
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
