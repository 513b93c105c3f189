// BodyPump: the bytes of a response's content in order, wherever they are: a stored body in memory or on
// disk, or a Fill that is still growing (whose window the reader may have fallen behind, and then reads the
// disk tier). One piece of code moves bodies, whatever the exchange's state.
//
// Owned by an exchange and used again for each of its requests; on the worker's thread. next() never blocks:
// kWait means `wake` will be called. After kEnd, kBroken or reset() no wake comes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "revalidate/slice_reader.h"
#include "storage/base/executor.h"
#include "storage/fill.h"
#include "storage/stored_response.h"

namespace freshet::proxy {

class BodyPump {
 public:
  enum class Next { kData, kWait, kEnd, kBroken };
  static constexpr std::uint64_t kToTheEnd = UINT64_MAX;

  // `wake` runs on `executor` when a read from disk is done.
  BodyPump(storage::Executor& executor, std::function<void()> wake);
  ~BodyPump() { reset(); }

  // [begin, end) of a stored body.
  void start(const storage::StoredResponsePtr& response, std::uint64_t begin, std::uint64_t end);
  // The same of a growing one. The reader's own wake must lead here as well.
  void start(std::unique_ptr<storage::FillReader> reader, std::uint64_t begin, std::uint64_t end);
  // The same of a sliced one, whose head is `response`.
  void start(const storage::StoredResponsePtr& response, std::unique_ptr<revalidate::SliceReader> slices,
             std::uint64_t begin, std::uint64_t end);
  // Another part of the same content; of a growing one not before what was read.
  void go_on_with(std::uint64_t begin, std::uint64_t end);
  void reset();

  [[nodiscard]] Next next(storage::Chunk& chunk);
  // Only after kEnd, for a growing one.
  [[nodiscard]] storage::HeaderFields trailers() const;
  // The stored response whose body could not be read, after kBroken; null otherwise.
  [[nodiscard]] const storage::StoredResponsePtr& damaged() const { return damaged_; }
  // Null: not a sliced response.
  [[nodiscard]] const revalidate::SliceReader* slices() const { return slices_.get(); }
  // Whether kBroken is the origin's fault.
  [[nodiscard]] bool is_fill() const { return reader_ != nullptr; }

 private:
  // A read from disk that may outlive its request.
  struct DiskRead {
    bool abandoned = false;
    bool done = false;
    bool failed = false;
    storage::Chunk chunk;
  };

  Next next_of_fill(storage::Chunk& chunk);
  Next next_of_slices(storage::Chunk& chunk);
  Next next_of_body(const storage::StoredBody& body, storage::Chunk& chunk);
  Next take_read(storage::Chunk& chunk);
  Next advance(storage::Chunk& chunk);

  storage::Executor& executor_;
  const std::function<void()> wake_;
  storage::StoredResponsePtr response_;
  storage::StoredResponsePtr damaged_;
  std::unique_ptr<storage::FillReader> reader_;
  std::unique_ptr<revalidate::SliceReader> slices_;
  std::shared_ptr<DiskRead> read_;
  std::uint64_t offset_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace freshet::proxy
