// Bodies that are read from disk chunk by chunk. DiskBody is that of a stored response; ReadBody that of one
// whose only chunk was read with its head; GrowingBody that of one which is still being written, up to what
// has reached the database. Both check that each chunk is theirs and whole; one that is not ends the reading,
// and the response is removed.
//
// A DiskBody remembers where in a file its chunks were read and found whole, and reads them from there as
// long as nobody has touched the file and the page cache has them: no look-up, no checksum of the same bytes
// again.
//
// Immutable (GrowingBody: but for its end); any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/rocksdb/store_core.h"
#include "storage/rocksdb/table_file.h"
#include "storage/stored_response.h"

namespace freshet::storage {

// What chunk `number` of a body of `body_size` bytes must be.
[[nodiscard]] ChunkLabel chunk_label(const Digest128& key, const BodyPlace& place, std::uint64_t body_size,
                                     std::uint32_t number);

class ChunkedBody : public StoredBody, public std::enable_shared_from_this<ChunkedBody> {
 public:
  TryRead try_read(std::uint64_t offset, Chunk& chunk) const final;
  void read(std::uint64_t offset, Executor& executor, std::function<void(Result<Chunk>)> done) const final;
  [[nodiscard]] bool on_disk() const final { return true; }

 protected:
  ChunkedBody(std::shared_ptr<StoreCore> core, const Digest128& key) : core_(std::move(core)), key_(key) {}

  [[nodiscard]] virtual ReadStatus read_at(std::uint64_t offset, bool cache_only, Chunk& chunk) const = 0;
  // Reads the chunk of that label and cuts off what stands before `offset`.
  [[nodiscard]] ReadStatus read_chunk(const ChunkLabel& label, std::uint64_t offset, bool cache_only,
                                      Chunk& chunk, std::optional<FilePlace>* place = nullptr) const;

  const std::shared_ptr<StoreCore> core_;
  const Digest128 key_;
};

// Follows its body where that is copied forward while it is being read.
class DiskBody final : public ChunkedBody {
 public:
  DiskBody(std::shared_ptr<StoreCore> core, const Digest128& key, std::uint64_t body_id,
           const BodyPlace& place, std::uint64_t size);
  // What else has read the chunk says where.
  void found_whole(std::uint32_t number, std::optional<FilePlace> place) const;

  [[nodiscard]] std::size_t memory_size() const override;
  [[nodiscard]] bool is_gone() const override { return core_->database().is_gone(place()); }

 private:
  [[nodiscard]] ReadStatus read_at(std::uint64_t offset, bool cache_only, Chunk& chunk) const override;
  // From where the chunk was found whole before, if nobody has touched the file and the page cache has it.
  [[nodiscard]] bool read_where_it_was(std::uint64_t offset, Chunk& chunk) const;
  // Looks the place up; false: it is where it was, or the head is gone.
  [[nodiscard]] bool has_moved(const BodyPlace& was) const;
  void set_place(const BodyPlace& place) const {
    place_ = (place.id << 1) | static_cast<std::uint64_t>(place.family);
  }
  [[nodiscard]] BodyPlace place() const {
    const std::uint64_t both = place_;
    return {static_cast<BodyFamily>(both & 1), both >> 1};
  }

  const std::uint64_t body_id_;
  const std::uint64_t size_;
  mutable std::atomic<std::uint64_t> place_{0};
  mutable std::atomic<bool> broken_{false};
  mutable Mutex mutex_;
  // Of each chunk; empty for a body of more than are worth the room. The bytes at a place that the body has
  // moved from are still its own.
  mutable std::vector<FilePlace> places_ GUARDED_BY(mutex_);
};

// For the request that looked it up: the chunk stays pinned as long as this lives, or is a part of the body
// where too much is pinned already (HeldChunks), and the rest is read like any other.
class ReadBody final : public StoredBody {
 public:
  ReadBody(Chunk chunk, std::shared_ptr<const StoredBody> on_disk)
      : chunk_(std::move(chunk)), on_disk_(std::move(on_disk)) {}
  TryRead try_read(std::uint64_t offset, Chunk& chunk) const override;
  void read(std::uint64_t offset, Executor& executor, std::function<void(Result<Chunk>)> done) const override;
  [[nodiscard]] std::size_t memory_size() const override { return 0; }
  [[nodiscard]] bool on_disk() const override { return true; }
  [[nodiscard]] bool pins_memory() const override { return true; }
  [[nodiscard]] std::shared_ptr<const StoredBody> without_pin() const override { return on_disk_; }

 private:
  const Chunk chunk_;
  const std::shared_ptr<const StoredBody> on_disk_;
};

// How far a body has been written; shared by its writer, its tasks and its readers.
struct WriteProgress {
  std::atomic<std::uint64_t> body_id{0};
  std::atomic<BodyFamily> family{BodyFamily::kNewcomers};  // said before the id is
  std::atomic<std::uint64_t> readable{0};                  // whole chunks only
  std::atomic<bool> failed{false};
  std::atomic<bool> aborted{false};
};

class GrowingBody final : public ChunkedBody {
 public:
  GrowingBody(std::shared_ptr<StoreCore> core, const Digest128& key,
              std::shared_ptr<const WriteProgress> progress)
      : ChunkedBody(std::move(core), key), progress_(std::move(progress)) {}

  [[nodiscard]] std::size_t memory_size() const override { return 0; }

 private:
  // Past what is readable: kMissing.
  [[nodiscard]] ReadStatus read_at(std::uint64_t offset, bool cache_only, Chunk& chunk) const override;

  const std::shared_ptr<const WriteProgress> progress_;
};

}  // namespace freshet::storage
