// What a flight does for responses that are kept in slices (slices.h): it takes a slice, or stores the head
// of a large response alone.
#include <utility>

#include "revalidate/flight.h"
#include "revalidate/flight_table.h"
#include "revalidate/policy/error_reuse.h"
#include "revalidate/policy/storability.h"
#include "storage/http/byte_range.h"

namespace freshet::revalidate {

using storage::Counter;
using storage::Fill;
using storage::MutexLock;

void invalidate_with_part(storage::TieredStore& store, const storage::CacheKey& key) {
  store.invalidate(key);
  store.invalidate_beside(part_key(key));
}

bool SliceMemory::knows(const storage::CacheKey& key) const {
  return unsliceable_.count(key.digest) > 0;
}

void SliceMemory::remember(const storage::CacheKey& key) {
  // What is forgotten costs one more request to the origin.
  if (unsliceable_.size() >= kMost) unsliceable_.clear();
  unsliceable_.insert(key.digest);
}

bool Flight::take_range_answer(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size) {
  if (request_.slice) {
    take_slice(head, body_size);
    return true;
  }
  if (!request_.may_store || request_.request.method != storage::Method::kGet) return false;
  if (request_.beginning && head.status != 200) return take_rest(head, body_size);
  if (head.status == 206 && request_.for_range) {
    const auto text = head.fields.first(storage::FieldName::kContentRange);
    const auto part = text ? storage::parse_content_range(*text) : std::nullopt;
    if (!part || !part->size) return false;
    if (store_sliced_head(head_of_the_whole(head), *part->size, nullptr)) return false;
    return take_part(head, body_size);
  }
  // Others may wait for it: they will find the head in the store.
  if (!request_.may_join || !body_size || !request_.request.fields.has(storage::FieldName::kRange)) {
    return false;
  }
  const std::shared_ptr<Flight> self = shared_from_this();
  return store_sliced_head(head, *body_size, [self] {
    for (const Waiting& each : self->take_waiting(Phase::kEnded)) {
      post_answer(each.waiter, self->make_answer(FlightOutcome::kAskAgain, Reason::kStoredInSlices, nullptr));
    }
    self->end();
  });
}

// `done` (may be empty): the origin is asked for nothing more, and who waits is told when the head is there.
bool Flight::store_sliced_head(const storage::ResponseHead& whole, std::uint64_t size,
                               std::function<void()> done) {
  if (!is_sliceable(whole, size, context_.slices) || context_.unsliceable.knows(request_.key)) return false;
  const storage::WallTime now = storage::wall_now();
  const StoreDecision decision = decide_storable(request_.request, whole, now, context_.policy);
  if (!decision.store || !decision.withheld.empty()) return false;
  std::unique_ptr<storage::StoreWriter> writer = context_.store.begin(request_.key, 0);
  if (!writer) return false;
  storage::StoredHead head =
      make_stored_head(request_.key, request_.request, whole, decision, request_time_, now, context_.policy);
  head.filled_at = filled_at_;
  head.validated_at = filled_at_;
  head.sliced = true;
  head.body_size = size;
  context_.table.remember_vary(request_.key, head.selecting);
  if (done) {
    call_.reset();
    permit_ = {};
  }
  const std::shared_ptr<Flight> self = shared_from_this();
  writer->commit(std::move(head), storage::ChunkList{}, context_.loop,
                 [self, done = std::move(done)](bool stored) {
                   // Where no tier takes it, the whole is fetched the next time.
                   if (!stored) self->context_.unsliceable.remember(self->request_.key);
                   if (done) done();
                 });
  return true;
}

// RFC 9111, 3.4: the rest of a stored beginning makes the whole, if it is of the same version. Otherwise the
// whole is asked for.
bool Flight::take_rest(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size) {
  const storage::StoredResponsePtr beginning = std::exchange(request_.beginning, nullptr);
  if (head.status != 206 && head.status != 416) return false;
  const auto rest = rest_of(beginning->head());
  std::string bytes;
  storage::Chunk chunk;
  while (bytes.size() < beginning->head().body_size &&
         beginning->body()->try_read(bytes.size(), chunk) == storage::StoredBody::TryRead::kData) {
    bytes.append(chunk.view());
  }
  if (bytes.size() != beginning->head().body_size || !is_rest_of(head, beginning->head()) ||
      body_size != rest->size() || !is_alive(beginning)) {
    request_.origin.fields.remove(storage::FieldName::kRange);
    request_.origin.fields.remove(storage::FieldName::kIfRange);
    ask();
    return true;
  }
  // The oldest of its bytes count.
  filled_at_ = beginning->head().filled_at;
  take_storable(head_of_the_whole(head), rest->last + 1);
  static_cast<void>(on_body(bytes));
  return true;
}

// A part that came alone goes to who asked for it, and into the store for those who want some of it.
bool Flight::take_part(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size) {
  const storage::WallTime now = storage::wall_now();
  // Whether the content is as long as Content-Range says shows when it is here: fits_its_place().
  storage::ResponseHead unframed = head;
  unframed.fields.remove(storage::FieldName::kContentLength);
  const StoreDecision decision = decide_part_storable(request_.request, unframed, now, context_.policy);
  if (!decision.store || !decision.withheld.empty() || body_size.value_or(0) > context_.max_object) {
    return false;
  }
  const storage::CacheKey key = part_key(request_.key);
  std::unique_ptr<storage::StoreWriter> writer = context_.store.begin(key, body_size);
  if (!writer) return false;
  head_ = make_stored_head(key, request_.request, head, decision, request_time_, now, context_.policy);
  head_.filled_at = filled_at_;
  head_.validated_at = filled_at_;
  if (const auto text = head.fields.first(storage::FieldName::kContentRange)) {
    const auto place = storage::parse_content_range(*text);
    if (place && place->range.first == 0) context_.table.remember_beginning(request_.key);
  }
  auto fill = std::make_shared<Fill>(
      storage::FillOptions{body_size, context_.store.max_in_memory(), kFillWindow}, context_.fill_budget);
  fill->write_to(std::move(writer));
  stored_to_be_ = true;
  open_fill(std::move(fill), make_response(head_, nullptr), body_size);
  return true;
}

bool Flight::fits_its_place(std::uint64_t size) const {
  if (request_.slice) return size == request_.slice->range.size();
  if (head_.response.status != 206) return true;
  const auto text = head_.response.fields.first(storage::FieldName::kContentRange);
  const auto part = text ? storage::parse_content_range(*text) : std::nullopt;
  return part && size > 0 && size <= part->range.size();
}

void Flight::take_slice(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size) {
  const SliceExpectation& expected = *request_.slice;
  const std::uint64_t size = expected.range.size();
  if (is_replaceable_error(head.status)) {
    return fail_all(Reason::kOriginError, "an error in the place of a slice");
  }
  if (!is_expected(head, expected) || body_size.value_or(size) != size) {
    if (is_same_whole(head, expected)) context_.unsliceable.remember(request_.whole_key);
    return fail_all(Reason::kSliceChanged, "another version than the slices that are stored");
  }
  context_.counters.add(Counter::kSlicesFetched);
  head_ = {};
  head_.key = request_.key;
  head_.response.status = 206;
  for (const storage::FieldName name : {storage::FieldName::kETag, storage::FieldName::kContentRange}) {
    head_.response.fields.add(name, *head.fields.first(name));
  }
  head_.request_time = request_time_;
  head_.response_time = storage::wall_now();
  head_.filled_at = filled_at_;
  head_.validated_at = filled_at_;
  // Kept whole while it comes: it is small, and the bound on fills counts it.
  auto fill = std::make_shared<Fill>(
      storage::FillOptions{size, static_cast<std::size_t>(size), static_cast<std::size_t>(size)},
      context_.fill_budget);
  if (auto writer = context_.store.begin(request_.key, size)) {
    fill->write_to(std::move(writer));
    stored_to_be_ = true;
  }
  open_fill(std::move(fill), make_response(head_, nullptr), size);
}

// All who wait, and who comes while it grows, read it.
void Flight::open_fill(std::shared_ptr<Fill> fill, const storage::StoredResponsePtr& response,
                       std::optional<std::uint64_t> body_size) {
  std::vector<Waiting> waiting;
  {
    const MutexLock lock(mutex_);
    fill_ = std::move(fill);
    open_response_ = response;
    open_body_size_ = body_size;
    phase_ = Phase::kOpen;
    waiting = std::exchange(waiting_, {});
  }
  send_off(take_overtaken(waiting, response->head()));
  store_reason_ = Reason::kStored;
  contacted(response->head().response.status, store_reason_);
  answer_stored(std::move(waiting));
}

}  // namespace freshet::revalidate
