#include "storage/rocksdb/held_chunks.h"

#include <algorithm>
#include <utility>

namespace freshet::storage {

namespace {

constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kSmallPiece = 16 * 1024;

struct Held {
  Held(Chunk given, std::size_t size, std::shared_ptr<std::atomic<std::uint64_t>> sum)
      : chunk(std::move(given)), bytes(size), total(std::move(sum)) {
    *total += bytes;
  }
  ~Held() { *total -= bytes; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  const Chunk chunk;
  const std::size_t bytes;
  const std::shared_ptr<std::atomic<std::uint64_t>> total;
};

}  // namespace

std::size_t HeldChunks::most(std::size_t wanted) const {
  const std::uint64_t now = held();
  if (now + wanted <= memory_ / 4) return wanted;
  return std::min(wanted, now + kPiece <= memory_ / 2 ? kPiece : kSmallPiece);
}

Chunk HeldChunks::hold(Chunk chunk, std::size_t pinned) const {
  const std::size_t fits = most(pinned);
  if (fits == pinned) return count(std::move(chunk), pinned);
  Chunk copy = Chunk::copy_of(chunk.view().substr(0, fits));
  const std::size_t bytes = copy.size();
  return count(std::move(copy), bytes);
}

Chunk HeldChunks::count(Chunk chunk, std::size_t bytes) const {
  const char* data = chunk.data();
  const std::size_t size = chunk.size();
  return {std::make_shared<const Held>(std::move(chunk), bytes, held_), data, size};
}

}  // namespace freshet::storage
