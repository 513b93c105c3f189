#include "storage/comparing_writer.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/mutex.h"

namespace freshet::storage {

namespace {

constexpr std::uint64_t kFull = 1024 * 1024;  // in the queue
constexpr std::uint64_t kMaxQueued = 4 * kFull;
// Of the equal prefix, until the real writer has written what it was given.
constexpr std::uint64_t kCopyStep = 8 * 1024 * 1024;

std::size_t equal_bytes(const char* a, const char* b, std::size_t size) {
  if (std::memcmp(a, b, size) == 0) return size;
  return static_cast<std::size_t>(std::mismatch(a, a + size, b).first - a);
}

}  // namespace

// What readers see: the stored body up to where it is equal, then the real one. Any thread.
class ComparingWriter::Body final : public StoredBody {
 public:
  explicit Body(std::shared_ptr<const StoredBody> old) : old_(std::move(old)) {}

  TryRead try_read(std::uint64_t offset, Chunk& chunk) const override {
    const Part part = part_at(offset);
    if (!part.body) return TryRead::kFailed;
    const TryRead read = part.body->try_read(offset, chunk);
    if (read == TryRead::kData) chunk = clipped(chunk, part.size);
    return read;
  }

  void read(std::uint64_t offset, Executor& executor,
            std::function<void(Result<Chunk>)> done) const override {
    const Part part = part_at(offset);
    if (!part.body) {
      executor.post([done = std::move(done)] { done(Error{"not written yet"}); });
      return;
    }
    part.body->read(offset, executor,
                    [body = part.body, size = part.size, done = std::move(done)](Result<Chunk> got) {
                      done(got.ok() ? Result<Chunk>(clipped(got.value(), size)) : std::move(got));
                    });
  }

  [[nodiscard]] std::size_t memory_size() const override { return 0; }

  [[nodiscard]] std::uint64_t readable() const {
    const MutexLock lock(mutex_);
    return std::max(equal_, real_ != nullptr ? real_->readable() : 0);
  }
  void set_equal(std::uint64_t size) {
    const MutexLock lock(mutex_);
    equal_ = size;
  }
  // `real`: null before it goes.
  void set_real(const StoreWriter* real) {
    std::shared_ptr<const StoredBody> body = real != nullptr ? real->written_body() : nullptr;
    const MutexLock lock(mutex_);
    real_ = real;
    if (body) real_body_ = std::move(body);
  }

 private:
  struct Part {
    std::shared_ptr<const StoredBody> body;
    std::uint64_t size = 0;  // from the offset on
  };
  [[nodiscard]] Part part_at(std::uint64_t offset) const {
    const MutexLock lock(mutex_);
    if (offset < equal_) return {old_, equal_ - offset};
    return {real_body_, ~std::uint64_t{0}};
  }
  static Chunk clipped(const Chunk& chunk, std::uint64_t size) {
    return chunk.size() <= size ? chunk : chunk.slice(0, static_cast<std::size_t>(size));
  }

  const std::shared_ptr<const StoredBody> old_;
  mutable Mutex mutex_;
  std::uint64_t equal_ GUARDED_BY(mutex_) = 0;
  const StoreWriter* real_ GUARDED_BY(mutex_) = nullptr;
  std::shared_ptr<const StoredBody> real_body_ GUARDED_BY(mutex_);
};

// The machine; kept alive by its steps in progress. On the executor's thread, but for drop() and the body.
class ComparingWriter::Core final : public std::enable_shared_from_this<Core> {
 public:
  Core(StoredResponsePtr old, std::function<std::unique_ptr<StoreWriter>()> begin_real, Executor& executor,
       std::function<void()> on_difference, std::function<void(StoredHead)> on_equal)
      : old_(std::move(old)),
        old_size_(stored_body_size(old_->head())),
        begin_real_(std::move(begin_real)),
        executor_(executor),
        on_difference_(std::move(on_difference)),
        on_equal_(std::move(on_equal)),
        body_(std::make_shared<Body>(old_->body())) {}
  ~Core() { body_->set_real(nullptr); }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  bool append(const Chunk& chunk);
  void commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
              std::function<void(bool)> visible);
  // Steps in progress do nothing more; not after commit().
  void drop() {
    if (!committed_) dropped_ = true;
  }

  [[nodiscard]] bool full() const { return full_; }
  void when_room(std::function<void()> room) { room_ = std::move(room); }
  void when_written(Executor& executor, std::function<void()> done) {
    if (state_ == State::kForwarding) return real_->when_written(executor, std::move(done));
    executor.post(std::move(done));
  }
  [[nodiscard]] const std::shared_ptr<Body>& body() const { return body_; }
  [[nodiscard]] std::uint64_t body_id() const { return real_ ? real_->body_id() : 0; }
  [[nodiscard]] bool equal() const { return equal_; }

 private:
  enum class State { kComparing, kCopying, kForwarding, kRefused };
  struct Commit {
    StoredHead head;
    std::optional<ChunkList> whole;
    Executor* executor = nullptr;
    std::function<void(bool)> visible;
  };

  void compare();
  [[nodiscard]] bool matches(Chunk stored);
  void read_stored(std::uint64_t offset, void (Core::*taken)(Result<Chunk>));
  void take_for_comparing(Result<Chunk> stored);
  void differ();
  void begin_real();
  void copy_prefix();
  void take_for_copying(Result<Chunk> stored);
  bool copy(const Chunk& stored);
  void forward_queue();
  void lose_stored();
  void refuse();
  void tell_room();
  void finish_if_due();
  void finish_equal();
  void finish_real();
  void answer(bool stored);

  const StoredResponsePtr old_;
  const std::uint64_t old_size_;
  const std::function<std::unique_ptr<StoreWriter>()> begin_real_;
  Executor& executor_;
  const std::function<void()> on_difference_;
  const std::function<void(StoredHead)> on_equal_;
  const std::shared_ptr<Body> body_;
  std::atomic<bool> dropped_{false};

  State state_ = State::kComparing;
  bool waiting_ = false;        // a step will go on from here
  std::uint64_t compared_ = 0;  // equal so far
  std::uint64_t copied_ = 0;    // of them, given to the real writer
  std::deque<Chunk> queue_;     // what came and is neither compared nor forwarded
  std::uint64_t queued_ = 0;    // its bytes
  std::atomic<bool> full_{false};
  std::function<void()> room_;
  std::unique_ptr<StoreWriter> real_;
  std::optional<Commit> commit_;
  bool committed_ = false;
  bool equal_ = false;
};

bool ComparingWriter::Core::append(const Chunk& chunk) {
  if (state_ == State::kRefused) return false;
  if (chunk.empty()) return true;
  if (state_ == State::kForwarding) {
    // Kept: another tier may take the whole at the commit.
    if (!real_->append(chunk)) state_ = State::kRefused;
    return state_ != State::kRefused;
  }
  queue_.push_back(chunk);
  queued_ += chunk.size();
  if (!waiting_) compare();
  if (queued_ > kFull) full_ = true;
  if (queued_ > kMaxQueued) refuse();
  return state_ != State::kRefused;
}

// As far as it goes without waiting.
void ComparingWriter::Core::compare() {
  while (!queue_.empty()) {
    if (compared_ == old_size_) return differ();
    Chunk stored;
    const StoredBody::TryRead read = old_->body()->try_read(compared_, stored);
    if (read == StoredBody::TryRead::kWouldBlock) return read_stored(compared_, &Core::take_for_comparing);
    if (read == StoredBody::TryRead::kFailed || stored.empty()) return lose_stored();
    if (!matches(std::move(stored))) return differ();
  }
}

// Takes from the queue what equals `stored`; false at the first byte that does not.
bool ComparingWriter::Core::matches(Chunk stored) {
  bool same = true;
  while (same && !queue_.empty() && !stored.empty()) {
    Chunk& first = queue_.front();
    const std::size_t size = std::min(first.size(), stored.size());
    const std::size_t taken = equal_bytes(first.data(), stored.data(), size);
    same = taken == size;
    compared_ += taken;
    queued_ -= taken;
    stored = stored.slice(taken, stored.size() - taken);
    first = first.slice(taken, first.size() - taken);
    if (first.empty()) queue_.pop_front();
  }
  body_->set_equal(compared_);
  tell_room();
  return same;
}

void ComparingWriter::Core::tell_room() {
  if (!full_ || queued_ > kFull / 2) return;
  full_ = false;
  if (room_) executor_.post(std::exchange(room_, {}));
}

void ComparingWriter::Core::read_stored(std::uint64_t offset, void (Core::*taken)(Result<Chunk>)) {
  waiting_ = true;
  old_->body()->read(offset, executor_, [self = shared_from_this(), taken](Result<Chunk> stored) {
    if (self->dropped_) return;
    self->waiting_ = false;
    (self.get()->*taken)(std::move(stored));
  });
}

void ComparingWriter::Core::take_for_comparing(Result<Chunk> stored) {
  if (state_ == State::kComparing) {
    if (!stored.ok() || stored.value().empty()) {
      lose_stored();
    } else if (matches(stored.take())) {
      compare();
    } else {
      differ();
    }
  }
  finish_if_due();
}

void ComparingWriter::Core::differ() {
  state_ = State::kCopying;
  waiting_ = true;
  executor_.post([self = shared_from_this()] {
    if (self->dropped_) return;
    self->waiting_ = false;
    if (self->on_difference_) self->on_difference_();
    if (!self->dropped_) self->begin_real();
  });
}

void ComparingWriter::Core::begin_real() {
  if (state_ == State::kCopying) {
    real_ = begin_real_();
    if (real_ && !(commit_ && commit_->whole)) return copy_prefix();
    // With the whole at hand nothing has to be copied.
    if (real_) {
      state_ = State::kForwarding;
    } else {
      refuse();
    }
  }
  finish_if_due();
}

void ComparingWriter::Core::copy_prefix() {
  std::uint64_t step = 0;
  while (state_ == State::kCopying && copied_ < compared_) {
    if (step >= kCopyStep) {
      waiting_ = true;
      return real_->when_written(executor_, [self = shared_from_this()] {
        if (self->dropped_) return;
        self->waiting_ = false;
        if (self->state_ == State::kCopying) return self->copy_prefix();
        self->finish_if_due();
      });
    }
    Chunk stored;
    const StoredBody::TryRead read = old_->body()->try_read(copied_, stored);
    if (read == StoredBody::TryRead::kWouldBlock) return read_stored(copied_, &Core::take_for_copying);
    if (read == StoredBody::TryRead::kFailed || !copy(stored)) break;
    step += stored.size();
  }
  if (state_ == State::kCopying && copied_ < compared_) refuse();
  if (state_ == State::kCopying) forward_queue();
  finish_if_due();
}

void ComparingWriter::Core::take_for_copying(Result<Chunk> stored) {
  if (state_ == State::kCopying) {
    if (stored.ok() && copy(stored.value())) return copy_prefix();
    refuse();
  }
  finish_if_due();
}

bool ComparingWriter::Core::copy(const Chunk& stored) {
  const std::uint64_t size = std::min<std::uint64_t>(stored.size(), compared_ - copied_);
  copied_ += size;
  return size > 0 && real_->append(stored.slice(0, static_cast<std::size_t>(size)));
}

void ComparingWriter::Core::forward_queue() {
  state_ = State::kForwarding;
  for (const Chunk& chunk : std::exchange(queue_, {})) {
    queued_ -= chunk.size();
    if (state_ == State::kForwarding && !real_->append(chunk)) state_ = State::kRefused;
  }
  // Only now: who asks how much is readable holds the fill's lock, this step does not.
  body_->set_real(real_.get());
  tell_room();
}

// The stored body cannot be read. With nothing compared yet, nothing is lost for the new one.
void ComparingWriter::Core::lose_stored() {
  if (compared_ == 0) {
    differ();
  } else {
    refuse();
  }
}

void ComparingWriter::Core::refuse() {
  state_ = State::kRefused;
  queue_.clear();
  queued_ = 0;
  body_->set_real(nullptr);
  real_ = nullptr;
  tell_room();
}

void ComparingWriter::Core::commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
                                   std::function<void(bool)> visible) {
  FRESHET_CHECK(!committed_);
  committed_ = true;
  commit_ = Commit{std::move(head), std::move(whole), &executor, std::move(visible)};
  finish_if_due();
}

void ComparingWriter::Core::finish_if_due() {
  if (!commit_ || waiting_) return;
  if (state_ == State::kComparing) {
    // Fewer bytes than are stored: the difference is at the end.
    if (compared_ < old_size_) return differ();
    return finish_equal();
  }
  finish_real();
}

void ComparingWriter::Core::finish_equal() {
  equal_ = stored_body_size(commit_->head) == compared_;
  if (equal_ && on_equal_) on_equal_(std::move(commit_->head));
  answer(equal_);
}

void ComparingWriter::Core::finish_real() {
  if (!real_ && commit_->whole) real_ = begin_real_();
  if (!real_ || (state_ == State::kRefused && !commit_->whole)) return answer(false);
  Commit commit = std::move(*commit_);
  commit_.reset();
  real_->commit(std::move(commit.head), std::move(commit.whole), *commit.executor, std::move(commit.visible));
}

void ComparingWriter::Core::answer(bool stored) {
  Commit commit = std::move(*commit_);
  commit_.reset();
  commit.executor->post([stored, visible = std::move(commit.visible)] { visible(stored); });
}

ComparingWriter::ComparingWriter(StoredResponsePtr old,
                                 std::function<std::unique_ptr<StoreWriter>()> begin_real, Executor& executor,
                                 std::function<void()> on_difference,
                                 std::function<void(StoredHead)> on_equal)
    : core_(std::make_shared<Core>(std::move(old), std::move(begin_real), executor, std::move(on_difference),
                                   std::move(on_equal))) {}

ComparingWriter::~ComparingWriter() {
  core_->drop();
}

bool ComparingWriter::append(const Chunk& chunk) {
  return core_->append(chunk);
}

bool ComparingWriter::wants_pause() const {
  return core_->full();
}

void ComparingWriter::when_room(std::function<void()> room) {
  core_->when_room(std::move(room));
}

std::uint64_t ComparingWriter::readable() const {
  return core_->body()->readable();
}

std::shared_ptr<const StoredBody> ComparingWriter::written_body() const {
  return core_->body();
}

std::uint64_t ComparingWriter::body_id() const {
  return core_->body_id();
}

void ComparingWriter::when_written(Executor& executor, std::function<void()> done) {
  core_->when_written(executor, std::move(done));
}

void ComparingWriter::commit(StoredHead head, std::optional<ChunkList> whole, Executor& executor,
                             std::function<void(bool stored)> visible) {
  core_->commit(std::move(head), std::move(whole), executor, std::move(visible));
}

bool ComparingWriter::equal() const {
  return core_->equal();
}

}  // namespace freshet::storage
