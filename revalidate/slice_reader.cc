#include "revalidate/slice_reader.h"

#include <algorithm>
#include <utility>

#include "revalidate/flight_table.h"

namespace freshet::revalidate {

using storage::Chunk;
using storage::Fill;
using storage::StoredBody;

namespace {

constexpr std::size_t kPiece = 256 * 1024;
// After so many answers that were meant for others, a slice is asked for alone.
constexpr int kMostAttempts = 3;
// While there is no place for another fill: a transfer that has begun is not broken for that at once.
constexpr storage::Milliseconds kRefusedFor{50};
constexpr int kMostRefusals = 100;

}  // namespace

struct SliceReader::Slice : std::enable_shared_from_this<Slice> {
  enum class State { kLookingUp, kAsking, kStored, kFilling, kChanged, kFailed };
  // A read from disk.
  struct Read {
    bool done = false;
    bool failed = false;
    Chunk chunk;
  };

  std::uint64_t number = 0;
  storage::ByteRange range;
  State state = State::kLookingUp;
  Reason reason = Reason::kNone;  // of kChanged and kFailed
  int attempts = 0;
  int refusals = 0;
  // FlightTable::ended() from before the store was asked; once.
  std::optional<std::uint64_t> looked_up_at;
  bool looked_again = false;
  std::unique_ptr<storage::IoTimer> again;
  storage::StoredResponsePtr stored;
  // The reader leaves its fill before the ticket leaves the flight.
  std::unique_ptr<Flight::Ticket> ticket;
  std::unique_ptr<storage::FillReader> reader;
  std::shared_ptr<Read> read;
  bool gone = false;  // nobody reads it any more: callbacks that come do nothing
};

SliceReader::SliceReader(FlightContext& context, storage::StoredResponsePtr head, MakeRequest make_request,
                         std::function<void()> wake)
    : context_(context),
      head_(std::move(head)),
      make_request_(std::move(make_request)),
      wake_(std::move(wake)) {}

SliceReader::~SliceReader() {
  drop(current_);
  drop(ahead_);
}

void SliceReader::drop(std::shared_ptr<Slice>& slice) {
  if (!slice) return;
  slice->gone = true;
  slice->again.reset();
  slice->reader.reset();
  slice->ticket.reset();
  slice.reset();
}

std::shared_ptr<SliceReader::Slice> SliceReader::begin(std::uint64_t number) {
  auto slice = std::make_shared<Slice>();
  slice->number = number;
  slice->range = slice_range(number, head_->head().body_size, context_.slices);
  look_up(slice);
  return slice;
}

SliceReader::Slice& SliceReader::slice_at(std::uint64_t number) {
  if (current_ && current_->number == number) return *current_;
  drop(current_);
  if (ahead_ && ahead_->number == number) {
    current_ = std::exchange(ahead_, nullptr);
  } else {
    drop(ahead_);
    current_ = begin(number);
  }
  return *current_;
}

void SliceReader::look_up(const std::shared_ptr<Slice>& slice) {
  slice->state = Slice::State::kLookingUp;
  const storage::CacheKey key = slice_key(*head_, slice->number, context_.slices);
  slice->looked_up_at.reset();
  if (!slice->looked_again) slice->looked_up_at = context_.table.ended(key);
  storage::ResponseStore::LookupResult found = context_.store.try_lookup(key);
  if (found.found != storage::ResponseStore::Found::kNeedsIo) return take_stored(*slice, found.variants);
  context_.store.lookup(key, context_.loop, [this, slice](const storage::VariantSetPtr& variants) {
    if (slice->gone) return;
    take_stored(*slice, variants);
    wake_();
  });
}

void SliceReader::take_stored(Slice& slice, const storage::VariantSetPtr& found) {
  const storage::StoredResponsePtr stored = found ? found->front() : nullptr;
  const SliceExpectation expected = expected_slice(head_->head(), slice.number, context_.slices);
  if (!stored || stored->head().body_size != slice.range.size() ||
      !is_expected(stored->head().response, expected)) {
    return ask(slice);
  }
  slice.stored = stored;
  slice.state = Slice::State::kStored;
}

void SliceReader::ask(Slice& slice) {
  slice.state = Slice::State::kAsking;
  ++asked_for_;
  FlightRequest request = make_request_();
  const bool alone = !request.may_join || ++slice.attempts > kMostAttempts;
  request.key = slice_key(*head_, slice.number, context_.slices);
  request.slice = expected_slice(head_->head(), slice.number, context_.slices);
  request.whole_key = head_->head().key;
  request.stored = nullptr;
  request.selected = nullptr;
  request.may_store = true;
  request.looked_up_at = slice.looked_up_at;
  request.origin.fields.set(storage::FieldName::kRange, "bytes=" + std::to_string(slice.range.first) + "-" +
                                                            std::to_string(slice.range.last));
  request.origin.fields.set(storage::FieldName::kIfRange, request.slice->entity_tag);
  auto& table = context_.table;
  FlightTable::Joined joined = alone ? table.start_alone(std::move(request), context_, make_waiter(slice))
                                     : table.join_or_start(std::move(request), context_, make_waiter(slice));
  slice.ticket = std::move(joined.ticket);
  if (joined.look_again) {
    --asked_for_;
    slice.looked_again = true;
    return look_up(slice.shared_from_this());
  }
  if (!slice.ticket) refused(slice);
}

void SliceReader::refused(Slice& slice) {
  if (++slice.refusals > kMostRefusals) {
    slice.state = Slice::State::kFailed;
    slice.reason = Reason::kOverloaded;
    return;
  }
  --asked_for_;
  slice.attempts = 0;
  if (!slice.again) {
    slice.again = context_.loop.timer([this, &slice] {
      ask(slice);
      if (slice.state == Slice::State::kFailed) wake_();
    });
  }
  slice.again->arm(kRefusedFor);
}

FlightWaiter SliceReader::make_waiter(Slice& slice) {
  FlightWaiter waiter;
  waiter.executor = &context_.loop;
  waiter.arrived = storage::mono_now();
  // The ticket's destructor silences both, and the slice owns the ticket.
  waiter.answer = [this, &slice](const std::shared_ptr<FlightAnswer>& answer) {
    take_answer(slice, *answer);
    wake_();
  };
  waiter.wake = [this] { wake_(); };
  return waiter;
}

void SliceReader::take_answer(Slice& slice, FlightAnswer& answer) {
  switch (answer.outcome) {
    case FlightOutcome::kStored:
      slice.reader = std::move(answer.reader);
      slice.state = Slice::State::kFilling;
      return;
    case FlightOutcome::kAskAgain: {
      slice.ticket.reset();
      const bool ahead = ahead_.get() == &slice;
      look_up(ahead ? ahead_ : current_);
      return;
    }
    case FlightOutcome::kFailed:
    case FlightOutcome::kFreshened:
    case FlightOutcome::kNotStorable:
      break;
  }
  slice.reason = answer.reason;
  slice.state = answer.reason == Reason::kSliceChanged ? Slice::State::kChanged : Slice::State::kFailed;
}

SliceReader::Next SliceReader::read(std::uint64_t offset, std::uint64_t end, Chunk& chunk) {
  const std::uint64_t number = offset / context_.slices.slice_size;
  slice_at(number);
  const Next next = read_slice(current_, offset - current_->range.first, chunk);
  // Not before this slice has shown that the origin still has the version.
  if (next == Next::kData && end > current_->range.last + 1 && !ahead_) ahead_ = begin(number + 1);
  return next;
}

// `offset`: within the slice.
SliceReader::Next SliceReader::read_slice(const std::shared_ptr<Slice>& slice, std::uint64_t offset,
                                          Chunk& chunk) {
  switch (slice->state) {
    case Slice::State::kLookingUp:
    case Slice::State::kAsking:
      return Next::kWait;
    case Slice::State::kStored:
      return read_body(slice, *slice->stored->body(), offset, chunk);
    case Slice::State::kChanged:
    case Slice::State::kFailed:
      return fail(slice->reason);
    case Slice::State::kFilling:
      break;
  }
  const std::uint64_t left = slice->range.size() - offset;
  switch (
      slice->reader->read(offset, static_cast<std::size_t>(std::min<std::uint64_t>(left, kPiece)), chunk)) {
    case Fill::Read::kData:
      return Next::kData;
    case Fill::Read::kWait:
      return Next::kWait;
    case Fill::Read::kEnd:
    case Fill::Read::kFailed:
      return fail(Reason::kOriginCut);
    case Fill::Read::kBehind:
      break;
  }
  const std::shared_ptr<const StoredBody> written = slice->reader->fill().written_body();
  return written ? read_body(slice, *written, offset, chunk) : fail(Reason::kStoreFailure);
}

SliceReader::Next SliceReader::read_body(const std::shared_ptr<Slice>& slice, const StoredBody& body,
                                         std::uint64_t offset, Chunk& chunk) {
  if (slice->read) {
    if (!slice->read->done) return Next::kWait;
    const std::shared_ptr<Slice::Read> read = std::exchange(slice->read, nullptr);
    if (read->failed) return unreadable(*slice);
    chunk = std::move(read->chunk);
    return Next::kData;
  }
  switch (body.try_read(offset, chunk)) {
    case StoredBody::TryRead::kData:
      return Next::kData;
    case StoredBody::TryRead::kFailed:
      return unreadable(*slice);
    case StoredBody::TryRead::kWouldBlock:
      break;
  }
  slice->read = std::make_shared<Slice::Read>();
  body.read(offset, context_.loop, [this, slice, read = slice->read](storage::Result<Chunk> result) {
    if (slice->gone) return;
    read->done = true;
    read->failed = !result.ok();
    if (result.ok()) read->chunk = result.take();
    wake_();
  });
  return Next::kWait;
}

// A slice that cannot be read from the store is fetched anew: its bytes are the same.
SliceReader::Next SliceReader::unreadable(Slice& slice) {
  if (!slice.stored) return fail(Reason::kStoreFailure);
  context_.store.remove(*slice.stored);
  slice.stored.reset();
  ask(slice);
  return slice.state == Slice::State::kFailed ? fail(slice.reason) : Next::kWait;
}

SliceReader::Next SliceReader::fail(Reason reason) {
  reason_ = reason;
  return reason == Reason::kSliceChanged ? Next::kChanged : Next::kFailed;
}

}  // namespace freshet::revalidate
