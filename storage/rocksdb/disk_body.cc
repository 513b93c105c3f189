#include "storage/rocksdb/disk_body.h"

#include <algorithm>
#include <string>
#include <utility>

namespace freshet::storage {

namespace {

// A body moves once in the time that its whole family takes to turn over.
constexpr int kAttempts = 3;
// Chunks whose places are remembered at most: 2.5 KiB for a body of 16 MiB.
constexpr std::uint32_t kMostPlaces = 64;

StoredBody::TryRead to_try_read(ReadStatus status) {
  switch (status) {
    case ReadStatus::kFound:
      return StoredBody::TryRead::kData;
    case ReadStatus::kWouldBlock:
      return StoredBody::TryRead::kWouldBlock;
    case ReadStatus::kMissing:
    case ReadStatus::kDamaged:
    case ReadStatus::kFailed:
      return StoredBody::TryRead::kFailed;
  }
  return StoredBody::TryRead::kFailed;
}

Result<Chunk> to_result(ReadStatus status, Chunk chunk) {
  switch (status) {
    case ReadStatus::kFound:
      return chunk;
    case ReadStatus::kMissing:
      return Error{"the chunk is gone from disk"};
    case ReadStatus::kDamaged:
      return Error{"the chunk on disk is damaged"};
    case ReadStatus::kWouldBlock:
    case ReadStatus::kFailed:
      break;
  }
  return Error{"the chunk cannot be read from disk"};
}

}  // namespace

ChunkLabel chunk_label(const Digest128& key, const BodyPlace& place, std::uint64_t body_size,
                       std::uint32_t number) {
  const std::uint64_t start = std::uint64_t{number} * kBodyChunkSize;
  const std::uint64_t left = body_size > start ? body_size - start : 0;
  return {place.id, key, number, static_cast<std::uint32_t>(left < kBodyChunkSize ? left : kBodyChunkSize),
          place.family};
}

StoredBody::TryRead ChunkedBody::try_read(std::uint64_t offset, Chunk& chunk) const {
  return to_try_read(read_at(offset, true, chunk));
}

void ChunkedBody::read(std::uint64_t offset, Executor& executor,
                       std::function<void(Result<Chunk>)> done) const {
  core_->post_read([self = shared_from_this(), offset, &executor, done = std::move(done)] {
    Chunk chunk;
    const ReadStatus status = self->read_at(offset, false, chunk);
    // Moved: who asked may look at what is held as soon as he has let it go.
    executor.post([status, chunk = std::move(chunk), done] { done(to_result(status, chunk)); });
  });
}

ReadStatus ChunkedBody::read_chunk(const ChunkLabel& label, std::uint64_t offset, bool cache_only,
                                   Chunk& chunk, std::optional<FilePlace>* place) const {
  const ReadStatus status = core_->database().read_chunk(
      label, cache_only ? Database::Caching::kOnly : Database::Caching::kFill, chunk, place);
  const auto within = static_cast<std::size_t>(offset % kBodyChunkSize);
  if (status == ReadStatus::kFound) {
    if (within > 0) chunk = chunk.slice(within, chunk.size());
    chunk = core_->held_chunks().hold(std::move(chunk), label.size);
  }
  if (status == ReadStatus::kDamaged) {
    core_->report_damage("chunk " + std::to_string(label.number) + " of body " +
                         std::to_string(label.body_id));
  }
  if (status == ReadStatus::kFailed) core_->report_error("a chunk cannot be read");
  return status;
}

DiskBody::DiskBody(std::shared_ptr<StoreCore> core, const Digest128& key, std::uint64_t body_id,
                   const BodyPlace& place, std::uint64_t size)
    : ChunkedBody(std::move(core), key), body_id_(body_id), size_(size) {
  set_place(place);
  const std::uint32_t chunks = chunk_count_of(size);
  if (chunks <= kMostPlaces) places_.resize(chunks);
}

std::size_t DiskBody::memory_size() const {
  constexpr std::size_t kShared = 2 * sizeof(void*);  // a shared_ptr's counters and table
  const MutexLock lock(mutex_);
  return allocated(kShared + sizeof(*this)) + allocated(places_.capacity() * sizeof(FilePlace));
}

void DiskBody::found_whole(std::uint32_t number, std::optional<FilePlace> place) const {
  if (!place) return;
  const MutexLock lock(mutex_);
  if (number < places_.size()) places_[number] = std::move(*place);
}

bool DiskBody::read_where_it_was(std::uint64_t offset, Chunk& chunk) const {
  const auto number = static_cast<std::uint32_t>(offset / kBodyChunkSize);
  FilePlace at;
  {
    const MutexLock lock(mutex_);
    if (number >= places_.size()) return false;
    at = places_[number];
  }
  const std::shared_ptr<const TableFile> file = at.trusted(mono_now());
  if (!file) return false;
  const std::uint64_t within = offset % kBodyChunkSize;
  const std::size_t size = core_->held_chunks().most(
      static_cast<std::size_t>(std::min<std::uint64_t>(size_ - offset, kBodyChunkSize - within)));
  const std::shared_ptr<char[]> bytes(new char[size]);
  if (!file->read_now(at.offset + within, size, bytes.get())) return false;
  if (file->stamp() != at.stamp) return false;
  chunk = core_->held_chunks().hold(Chunk(bytes, bytes.get(), size), size);
  return true;
}

ReadStatus DiskBody::read_at(std::uint64_t offset, bool cache_only, Chunk& chunk) const {
  if (offset >= size_) return ReadStatus::kMissing;
  const auto number = static_cast<std::uint32_t>(offset / kBodyChunkSize);
  if (cache_only && read_where_it_was(offset, chunk)) {
    core_->used().mark(place().id);
    return ReadStatus::kFound;
  }
  ReadStatus status = ReadStatus::kMissing;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const BodyPlace at = place();
    core_->used().mark(at.id);
    std::optional<FilePlace> from;
    status = read_chunk(chunk_label(key_, at, size_, number), offset, cache_only, chunk, &from);
    found_whole(number, std::move(from));
    if (status != ReadStatus::kMissing) break;
    // Gone or copied forward: only the head can tell.
    if (cache_only) return ReadStatus::kWouldBlock;
    if (!has_moved(at)) break;
  }
  const bool lost = status == ReadStatus::kMissing || status == ReadStatus::kDamaged;
  if (lost && !broken_.exchange(true)) core_->remove_body(key_, body_id_);
  return status;
}

bool DiskBody::has_moved(const BodyPlace& was) const {
  bool moved = false;
  const auto look = [&](std::string_view /*at*/, std::string_view record) {
    const std::optional<BodyPlace> found = peek_place(record);
    if (peek_body_id(record) != body_id_ || !found || *found == was) return;
    set_place(*found);
    moved = true;
  };
  return core_->database().scan_heads(key_, false, look) == ReadStatus::kFound && moved;
}

StoredBody::TryRead ReadBody::try_read(std::uint64_t offset, Chunk& chunk) const {
  if (offset >= chunk_.size()) return on_disk_->try_read(offset, chunk);
  chunk = chunk_.slice(static_cast<std::size_t>(offset), chunk_.size());
  return TryRead::kData;
}

void ReadBody::read(std::uint64_t offset, Executor& executor, std::function<void(Result<Chunk>)> done) const {
  on_disk_->read(offset, executor, std::move(done));
}

ReadStatus GrowingBody::read_at(std::uint64_t offset, bool cache_only, Chunk& chunk) const {
  if (offset >= progress_->readable.load(std::memory_order_acquire)) return ReadStatus::kMissing;
  const ChunkLabel label{progress_->body_id.load(), key_, static_cast<std::uint32_t>(offset / kBodyChunkSize),
                         kBodyChunkSize, progress_->family.load()};
  return read_chunk(label, offset, cache_only, chunk);
}

}  // namespace freshet::storage
