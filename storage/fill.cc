#include "storage/fill.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/base/check.h"

namespace freshet::storage {

namespace {

constexpr std::size_t kSmallestPiece = 16 * 1024;
constexpr std::size_t kLargestPiece = 256 * 1024;

}  // namespace

Fill::Fill(FillOptions options, FillBudget& budget)
    : options_(options),
      budget_(budget),
      keep_whole_(options.expected_size.value_or(0) <= options.keep_whole_limit) {}

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
      std::size_t capacity =
          pieces_.empty() ? kSmallestPiece : std::min(kLargestPiece, pieces_.back().capacity * 2);
      if (options_.expected_size && *options_.expected_size > size_) {
        capacity =
            static_cast<std::size_t>(std::min<std::uint64_t>(*options_.expected_size - size_, kLargestPiece));
      }
      budget_.take(capacity);
      pieces_.push_back({std::shared_ptr<char[]>(new char[capacity]), 0, capacity, size_});
    }
    Piece& tail = pieces_.back();
    const std::size_t taken = std::min(bytes.size(), tail.capacity - tail.size);
    char* const place = tail.buffer.get() + tail.size;
    std::memcpy(place, bytes.data(), taken);
    // Refused by the store: the response may still be kept in memory, if it is kept whole.
    if (writer_ && !writer_->append(Chunk(tail.buffer, place, taken)) && !keep_whole_) writer_.reset();
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

bool Fill::over_window_locked() const {
  return !keep_whole_ && size_ - slowest_locked() > options_.window;
}

void Fill::drop_passed_locked() {
  if (keep_whole_) return;
  std::uint64_t passed = slowest_locked();
  // What the disk tier has written can be read back from it; the last window stays for those who keep up.
  if (writer_ && written_) passed = std::max(passed, writer_->readable());
  const std::uint64_t window_start = size_ > options_.window ? size_ - options_.window : 0;
  passed = std::min(passed, window_start);
  while (pieces_.size() > 1 && pieces_.front().start + pieces_.front().size <= passed) {
    budget_.give(pieces_.front().capacity);
    pieces_.pop_front();
  }
}

Fill::Appetite Fill::append(std::string_view bytes, Executor& executor, const std::function<void()>& room) {
  Woken woken;
  Appetite appetite = Appetite::kMore;
  {
    const MutexLock lock(mutex_);
    FRESHET_CHECK(state_ == State::kGrowing);
    copy_in_locked(bytes);
    if (size_ > options_.keep_whole_limit || budget_.exhausted()) keep_whole_ = false;
    drop_passed_locked();
    // With a disk tier behind, its own bound on what waits to be written limits the window.
    const bool disk_bounds_it = writer_ && written_;
    if (over_window_locked() && !disk_bounds_it) {
      paused_executor_ = &executor;
      room_ = room;
      appetite = Appetite::kPause;
    }
    woken = take_waiting_locked();
  }
  wake_all(woken);
  return appetite;
}

Fill::Sealed Fill::seal(HeaderFields trailers) {
  Sealed sealed;
  Woken woken;
  {
    const MutexLock lock(mutex_);
    FRESHET_CHECK(state_ == State::kGrowing);
    state_ = State::kSealed;
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
  {
    const MutexLock lock(mutex_);
    if (state_ != State::kGrowing) return;
    state_ = State::kFailed;
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

bool Fill::can_be_stored() const {
  const MutexLock lock(mutex_);
  return writer_ != nullptr;
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
    if (!begins_here && !written_) return nullptr;
    readers_.push_back(reader);
  }
  return std::make_unique<FillReader>(shared_from_this(), std::move(reader));
}

Fill::Read Fill::read(ReaderState& reader, std::uint64_t offset, std::size_t most, Chunk& chunk) {
  const MutexLock lock(mutex_);
  reader.position = offset;
  drop_passed_locked();
  resume_writer_if_room_locked();
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
  const MutexLock lock(mutex_);
  readers_.erase(std::remove(readers_.begin(), readers_.end(), reader), readers_.end());
  drop_passed_locked();
  resume_writer_if_room_locked();
}

void Fill::resume_writer_if_room_locked() {
  if (paused_executor_ == nullptr || over_window_locked()) return;
  std::exchange(paused_executor_, nullptr)->post(std::exchange(room_, nullptr));
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
