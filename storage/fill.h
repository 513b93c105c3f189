// Fill: the body of one response while it arrives. One writer (the flight, on its worker) appends; any
// number of readers, on any worker, read from the beginning, each at its own pace.
//
//     Growing ──seal()──> Sealed        the body is whole
//        └─────fail()───> Failed        it was cut: readers break their transfers visibly (G2)
//
// It begins when the head is known; before that the flight stands for it. Memory is bounded (G6): while the
// body is small enough to keep whole it is kept whole (for the memory tier); past that only a window is, and
// what leaves the window is read back from the disk tier by readers that are behind (Read::kBehind). Where
// nothing is being written to disk, the writer is told to pause until the slowest reader has moved on; so it
// is where the store's writer cannot keep up (StoreWriter::wants_pause()), and where a reader is behind on a
// disk that is slower than the origin, until the disk has followed.
//
// A reader that found nothing to read is woken once, by a task posted to its executor: never by a timer.
// append(), seal(), fail() come from the writer's thread; readers' calls from their own. Held by shared_ptr.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/base/chunk.h"
#include "storage/base/counters.h"
#include "storage/base/executor.h"
#include "storage/base/hash.h"
#include "storage/base/mutex.h"
#include "storage/http/header_fields.h"
#include "storage/response_store.h"

namespace freshet::storage {

// The bytes that all fills together may hold; shared by all workers. Over the limit fills keep small windows
// only; over twice the limit no new one is begun.
class FillBudget {
 public:
  explicit FillBudget(std::size_t limit) : limit_(limit) {}
  void take(std::size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void give(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] bool exhausted() const { return used_.load(std::memory_order_relaxed) > limit_; }
  [[nodiscard]] bool overdrawn() const { return used_.load(std::memory_order_relaxed) > 2 * limit_; }
  [[nodiscard]] std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

struct FillOptions {
  std::optional<std::uint64_t> expected_size;
  std::size_t keep_whole_limit = 0;  // bytes; a larger body is not kept whole
  std::size_t window = 512 * 1024;   // bytes kept for readers once it is not kept whole
  bool hash = false;                 // seal() gives the digest of the body
};

class FillReader;

class Fill : public std::enable_shared_from_this<Fill> {
 public:
  enum class State { kGrowing, kSealed, kFailed };
  enum class Appetite { kMore, kPause };
  enum class Read { kData, kWait, kEnd, kFailed, kBehind };

  Fill(FillOptions options, FillBudget& budget);
  ~Fill();
  Fill(const Fill&) = delete;
  Fill& operator=(const Fill&) = delete;

  // Writer. `writer` is the disk tier's (or null: nothing is written); the fill owns it until sealing.
  void write_to(std::unique_ptr<StoreWriter> writer);
  // All of `bytes` is taken. kPause: no more until `room`, which is posted once to `executor`.
  [[nodiscard]] Appetite append(std::string_view bytes, Executor& executor,
                                const std::function<void()>& room);
  // What seal() gives back for committing.
  struct Sealed {
    std::unique_ptr<StoreWriter> writer;
    std::optional<ChunkList> whole;  // if it was kept whole
    std::uint64_t size = 0;
    std::optional<Digest128> digest;  // with FillOptions::hash
  };
  [[nodiscard]] Sealed seal(HeaderFields trailers);
  void fail();

  // Any thread.
  [[nodiscard]] State state() const;
  [[nodiscard]] std::size_t reader_count() const;
  // Bytes that have arrived.
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] std::optional<std::uint64_t> expected_size() const { return options_.expected_size; }
  // True while the whole body can still be stored somewhere.
  [[nodiscard]] bool can_be_stored() const;
  // Only when sealed.
  [[nodiscard]] HeaderFields trailers() const;
  // What the disk tier has of it, for a reader that is behind.
  [[nodiscard]] std::shared_ptr<const StoredBody> written_body() const;

  // A reader from byte 0. `wake` runs on `executor`. Null when the beginning is gone and cannot be read
  // back.
  [[nodiscard]] std::unique_ptr<FillReader> open_reader(Executor& executor, std::function<void()> wake);

 private:
  friend class FillReader;

  // A buffer that is being filled or full; bytes below `size` never change.
  struct Piece {
    std::shared_ptr<char[]> buffer;
    std::size_t size = 0;
    std::size_t capacity = 0;
    std::uint64_t start = 0;
  };
  // One reader's side that the fill must see; shared so that a wake in flight survives its reader.
  struct ReaderState {
    Executor* executor = nullptr;
    std::function<void()> wake;
    std::uint64_t position = 0;
    bool waiting = false;
    // Set and read on the reader's thread only: a wake that is already posted does nothing.
    bool closed = false;
  };
  using Woken = std::vector<std::shared_ptr<ReaderState>>;

  // The paused writer's task, to be posted when no lock is held.
  struct Room {
    Executor* executor = nullptr;
    std::function<void()> task;
    void post();
  };

  Read read(ReaderState& reader, std::uint64_t offset, std::size_t most, Chunk& chunk);
  Read read_locked(ReaderState& reader, std::uint64_t offset, std::size_t most, Chunk& chunk)
      REQUIRES(mutex_);
  void close(const std::shared_ptr<ReaderState>& reader);
  void copy_in_locked(std::string_view bytes) REQUIRES(mutex_);
  void drop_passed_locked() REQUIRES(mutex_);
  // Whether what is dropped from memory can be read back from the disk tier.
  [[nodiscard]] bool disk_follows_locked() const REQUIRES(mutex_) { return writer_ && written_ && !refused_; }
  [[nodiscard]] std::uint64_t slowest_locked() const REQUIRES(mutex_);
  [[nodiscard]] std::size_t window() const;
  [[nodiscard]] bool over_window_locked() const REQUIRES(mutex_);
  [[nodiscard]] Woken take_waiting_locked() REQUIRES(mutex_);
  [[nodiscard]] std::size_t held_locked() const REQUIRES(mutex_);
  [[nodiscard]] Room take_room_locked() REQUIRES(mutex_);
  [[nodiscard]] bool writer_is_full_locked() const REQUIRES(mutex_);
  [[nodiscard]] bool disk_lags_locked() const REQUIRES(mutex_);
  [[nodiscard]] bool must_pause_locked() const REQUIRES(mutex_);
  void await_writer_locked(Executor& executor) REQUIRES(mutex_);
  void resume();
  void resume_written();
  static void wake_all(const Woken& woken);

  const FillOptions options_;
  FillBudget& budget_;
  std::optional<StreamDigest> digest_;  // the writer's thread only
  mutable Mutex mutex_;
  State state_ GUARDED_BY(mutex_) = State::kGrowing;
  bool keep_whole_ GUARDED_BY(mutex_);
  std::vector<Piece> pieces_ GUARDED_BY(mutex_);
  std::uint64_t size_ GUARDED_BY(mutex_) = 0;
  std::vector<std::shared_ptr<ReaderState>> readers_ GUARDED_BY(mutex_);
  std::unique_ptr<StoreWriter> writer_ GUARDED_BY(mutex_);
  bool refused_ GUARDED_BY(mutex_) = false;  // the writer takes no more
  std::shared_ptr<const StoredBody> written_ GUARDED_BY(mutex_);
  HeaderFields trailers_ GUARDED_BY(mutex_);
  Room paused_ GUARDED_BY(mutex_);  // empty: the writer is not paused
};

// One reader's place. Belongs to one thread; its destructor leaves the fill.
class FillReader {
 public:
  FillReader(std::shared_ptr<Fill> fill, std::shared_ptr<Fill::ReaderState> state);
  ~FillReader();
  FillReader(const FillReader&) = delete;
  FillReader& operator=(const FillReader&) = delete;

  // Bytes from `offset` on (not below an offset that was read before), at most `most`. kWait: `wake` will
  // run. kBehind: they have left the window; read them from fill().written_body().
  [[nodiscard]] Fill::Read read(std::uint64_t offset, std::size_t most, Chunk& chunk);
  [[nodiscard]] Fill& fill() { return *fill_; }

 private:
  const std::shared_ptr<Fill> fill_;
  const std::shared_ptr<Fill::ReaderState> state_;
};

}  // namespace freshet::storage
