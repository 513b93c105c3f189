#include "storage/fill.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

constexpr std::size_t kSmallestPiece = 16 * 1024;
constexpr std::size_t kLargestPiece = 256 * 1024;
// While the budget is exhausted.
constexpr std::size_t kLargestPieceThen = 64 * 1024;
constexpr std::size_t kWindowThen = 128 * 1024;
// What a disk tier that is slower than the origin may leave in memory for a reader that is behind.
constexpr std::uint64_t kMostUnwritten = std::uint64_t{4} << 20;
constexpr std::uint64_t kMostUnwrittenThen = std::uint64_t{512} << 10;

}  // namespace

Fill::Fill(FillOptions options, FillBudget& budget)
    : options_(options),
      budget_(budget),
      keep_whole_(options.expected_size.value_or(0) <= options.keep_whole_limit) {
  if (options_.hash) digest_.emplace();
}

Fill::~Fill() {
  const MutexLock lock(mutex_);
  budget_.give(held_locked());
}

void Fill::write_to(std::unique_ptr<StoreWriter> writer) {
  const MutexLock lock(mutex_);
  writer_ = std::move(writer);
  written_ = writer_ ? writer_->written_body() : nullptr;
}

std::size_t Fill::held_locked() const {
  std::size_t held = 0;
  for (const Piece& piece : pieces_) held += piece.capacity;
  return held;
}

void Fill::copy_in_locked(std::string_view bytes) {
  while (!bytes.empty()) {
    if (pieces_.empty() || pieces_.back().size == pieces_.back().capacity) {
      // A known rest is allocated exactly; an unknown one in pieces that double.
      const std::size_t largest = budget_.exhausted() ? kLargestPieceThen : kLargestPiece;
      std::size_t capacity =
          pieces_.empty() ? kSmallestPiece : std::min(largest, pieces_.back().capacity * 2);
      if (options_.expected_size && *options_.expected_size > size_) {
        capacity =
            static_cast<std::size_t>(std::min<std::uint64_t>(*options_.expected_size - size_, largest));
      }
      budget_.take(capacity);
      // One piece of memory with its count of owners, as it is accounted for once it is stored.
      pieces_.push_back({std::make_shared_for_overwrite<char[]>(capacity), 0, capacity, size_});
    }
    Piece& tail = pieces_.back();
    const std::size_t taken = std::min(bytes.size(), tail.capacity - tail.size);
    char* const place = tail.buffer.get() + tail.size;
    std::memcpy(place, bytes.data(), taken);
    if (writer_ && !refused_) refused_ = !writer_->append(Chunk(tail.buffer, place, taken));
    tail.size += taken;
    size_ += taken;
    bytes.remove_prefix(taken);
  }
}

std::uint64_t Fill::slowest_locked() const {
  std::uint64_t slowest = size_;
  for (const auto& reader : readers_) slowest = std::min(slowest, reader->position);
  return slowest;
}

std::size_t Fill::window() const {
  return budget_.exhausted() ? std::min(options_.window, kWindowThen) : options_.window;
}

bool Fill::over_window_locked() const {
  return !keep_whole_ && size_ - slowest_locked() > window();
}

void Fill::drop_passed_locked() {
  // After sealing nothing is added, and what the disk tier has not written yet is only here.
  if (keep_whole_ || state_ == State::kSealed) return;
  // What the disk tier has written can be read back from it, and nothing else may go: a reader that comes
  // later begins at 0. Without it, what all readers have passed goes. The last window stays in any case.
  std::uint64_t passed = disk_follows_locked() ? writer_->readable() : slowest_locked();
  const std::uint64_t window_start = size_ > window() ? size_ - window() : 0;
  passed = std::min(passed, window_start);
  auto first = pieces_.begin();
  while (pieces_.end() - first > 1 && first->start + first->size <= passed) {
    budget_.give(first->capacity);
    ++first;
  }
  pieces_.erase(pieces_.begin(), first);
}

Fill::Appetite Fill::append(std::string_view bytes, Executor& executor, const std::function<void()>& room) {
  Woken woken;
  std::unique_ptr<StoreWriter> dropped;
  Appetite appetite = Appetite::kMore;
  if (digest_) digest_->update(bytes);
  {
    const MutexLock lock(mutex_);
    FRESHET_CHECK(state_ == State::kGrowing);
    copy_in_locked(bytes);
    // Over the budget too, what fits the window is kept anyway.
    if (size_ > options_.keep_whole_limit || (budget_.exhausted() && size_ > window())) keep_whole_ = false;
    // Refused by the store: the response may still be kept in memory, if it is kept whole.
    if (refused_ && !keep_whole_) dropped = std::move(writer_);
    drop_passed_locked();
    if (must_pause_locked()) {
      paused_ = {&executor, room};
      appetite = Appetite::kPause;
      await_writer_locked(executor);
    }
    woken = take_waiting_locked();
  }
  wake_all(woken);
  return appetite;
}

bool Fill::writer_is_full_locked() const {
  return writer_ && !refused_ && writer_->wants_pause();
}

// Too much for a reader that is behind waits to be written, or for the memory that all fills share.
bool Fill::disk_lags_locked() const {
  if (keep_whole_ || !disk_follows_locked()) return false;
  const std::uint64_t unwritten = size_ - writer_->readable();
  if (budget_.exhausted()) return unwritten > kMostUnwrittenThen;
  return over_window_locked() && unwritten > kMostUnwritten;
}

bool Fill::must_pause_locked() const {
  return (over_window_locked() && !disk_follows_locked()) || writer_is_full_locked() || disk_lags_locked();
}

void Fill::await_writer_locked(Executor& executor) {
  const auto weak = weak_from_this();
  if (writer_is_full_locked()) {
    writer_->when_room([weak] {
      if (const auto fill = weak.lock()) fill->resume();
    });
  } else if (disk_lags_locked()) {
    writer_->when_written(executor, [weak] {
      if (const auto fill = weak.lock()) fill->resume_written();
    });
  }
}

void Fill::resume() {
  Room room;
  {
    const MutexLock lock(mutex_);
    room = take_room_locked();
    // The writer has room, but not the disk: that wakes next.
    if (paused_.executor != nullptr) await_writer_locked(*paused_.executor);
  }
  room.post();
}

// Also where the disk has not got on: then the next append shows that it takes no more.
void Fill::resume_written() {
  Room room;
  {
    const MutexLock lock(mutex_);
    drop_passed_locked();
    if (!writer_is_full_locked()) room = std::exchange(paused_, {});
  }
  room.post();
}

Fill::Sealed Fill::seal(HeaderFields trailers) {
  Sealed sealed;
  Woken woken;
  Room unneeded;
  if (digest_) sealed.digest = digest_->digest();
  {
    const MutexLock lock(mutex_);
    FRESHET_CHECK(state_ == State::kGrowing);
    state_ = State::kSealed;
    unneeded = std::exchange(paused_, {});
    trailers_ = std::move(trailers);
    sealed.size = size_;
    sealed.writer = std::move(writer_);
    if (keep_whole_) {
      ChunkList whole;
      whole.reserve(pieces_.size());
      for (const Piece& piece : pieces_) {
        Chunk chunk(piece.buffer, piece.buffer.get(), piece.size);
        // A body of unknown length ends in a half-empty buffer; what is stored is accounted byte by byte.
        whole.push_back(piece.size < piece.capacity ? Chunk::copy_of(chunk.view()) : std::move(chunk));
      }
      sealed.whole = std::move(whole);
    }
    woken = take_waiting_locked();
  }
  wake_all(woken);
  return sealed;
}

void Fill::fail() {
  Woken woken;
  std::unique_ptr<StoreWriter> dropped;
  Room unneeded;
  {
    const MutexLock lock(mutex_);
    if (state_ != State::kGrowing) return;
    state_ = State::kFailed;
    unneeded = std::exchange(paused_, {});
    dropped = std::move(writer_);
    woken = take_waiting_locked();
  }
  wake_all(woken);
}

Fill::State Fill::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

std::size_t Fill::reader_count() const {
  const MutexLock lock(mutex_);
  return readers_.size();
}

std::uint64_t Fill::size() const {
  const MutexLock lock(mutex_);
  return size_;
}

bool Fill::can_be_stored() const {
  const MutexLock lock(mutex_);
  return writer_ && (keep_whole_ || written_);
}

HeaderFields Fill::trailers() const {
  const MutexLock lock(mutex_);
  return trailers_;
}

std::shared_ptr<const StoredBody> Fill::written_body() const {
  const MutexLock lock(mutex_);
  return written_;
}

std::unique_ptr<FillReader> Fill::open_reader(Executor& executor, std::function<void()> wake) {
  auto reader = std::make_shared<ReaderState>();
  reader->executor = &executor;
  reader->wake = std::move(wake);
  {
    const MutexLock lock(mutex_);
    const bool begins_here = pieces_.empty() || pieces_.front().start == 0;
    const bool can_be_read_back = written_ && !refused_ && state_ != State::kFailed;
    if (!begins_here && !can_be_read_back) return nullptr;
    readers_.push_back(reader);
  }
  return std::make_unique<FillReader>(shared_from_this(), std::move(reader));
}

Fill::Read Fill::read(ReaderState& reader, std::uint64_t offset, std::size_t most, Chunk& chunk) {
  Read result = Read::kWait;
  Room room;
  {
    const MutexLock lock(mutex_);
    reader.position = offset;
    drop_passed_locked();
    room = take_room_locked();
    result = read_locked(reader, offset, most, chunk);
  }
  room.post();
  return result;
}

Fill::Read Fill::read_locked(ReaderState& reader, std::uint64_t offset, std::size_t most, Chunk& chunk) {
  if (offset >= size_) {
    if (state_ == State::kSealed) return Read::kEnd;
    if (state_ == State::kFailed) return Read::kFailed;
    reader.waiting = true;
    return Read::kWait;
  }
  const auto after =
      std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                       [](std::uint64_t wanted, const Piece& piece) { return wanted < piece.start; });
  if (after == pieces_.begin()) return Read::kBehind;
  const Piece& piece = *std::prev(after);
  const auto skip = static_cast<std::size_t>(offset - piece.start);
  chunk = Chunk(piece.buffer, piece.buffer.get() + skip, std::min(most, piece.size - skip));
  return Read::kData;
}

void Fill::close(const std::shared_ptr<ReaderState>& reader) {
  Room room;
  {
    const MutexLock lock(mutex_);
    readers_.erase(std::remove(readers_.begin(), readers_.end(), reader), readers_.end());
    drop_passed_locked();
    room = take_room_locked();
  }
  room.post();
}

Fill::Room Fill::take_room_locked() {
  return must_pause_locked() ? Room{} : std::exchange(paused_, {});
}

void Fill::Room::post() {
  if (executor != nullptr) executor->post(std::move(task));
}

Fill::Woken Fill::take_waiting_locked() {
  Woken woken;
  for (const auto& reader : readers_) {
    if (std::exchange(reader->waiting, false)) woken.push_back(reader);
  }
  return woken;
}

void Fill::wake_all(const Woken& woken) {
  for (const auto& reader : woken) {
    reader->executor->post([reader] {
      if (!reader->closed) reader->wake();
    });
  }
}

FillReader::FillReader(std::shared_ptr<Fill> fill, std::shared_ptr<Fill::ReaderState> state)
    : fill_(std::move(fill)), state_(std::move(state)) {}

FillReader::~FillReader() {
  state_->closed = true;
  fill_->close(state_);
}

Fill::Read FillReader::read(std::uint64_t offset, std::size_t most, Chunk& chunk) {
  return fill_->read(*state_, offset, most, chunk);
}

}  // namespace freshet::storage
