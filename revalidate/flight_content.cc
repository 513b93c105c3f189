// How a flight takes the content of a response that is to be stored: it may be given an entity tag (RFC 9110,
// 8.8.3), and it may be the content that is stored already.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "revalidate/flight.h"
#include "revalidate/flight_table.h"
#include "revalidate/policy/content_tag.h"
#include "revalidate/policy/forwarding.h"
#include "revalidate/policy/response_facts.h"
#include "revalidate/policy/validation.h"
#include "storage/comparing_writer.h"

namespace freshet::revalidate {

using storage::Counter;
using storage::Fill;
using storage::MutexLock;

namespace {

// Content of a stated length up to this is awaited whole, so that the first answer has its tag too.
constexpr std::uint64_t kMostAwaited = 64 * 1024;
// And no longer than this: an origin that writes slowly is streamed.
constexpr storage::Milliseconds kLongestAwaited{100};

}  // namespace

std::unique_ptr<storage::StoreWriter> Flight::begin_writer(const storage::ResponseHead& head,
                                                           std::optional<std::uint64_t> body_size) {
  auto begin = [&store = context_.store, key = request_.key, body_size] {
    return store.begin(key, body_size);
  };
  const storage::StoredResponsePtr& old = request_.selected;
  if (!is_alive(old) || old->head().key != request_.key || !may_have_same_content(*old, head, body_size)) {
    return begin();
  }
  compared_ = old;
  const std::weak_ptr<Flight> weak = weak_from_this();
  return std::make_unique<storage::ComparingWriter>(
      old, std::move(begin), context_.loop,
      [weak] {
        if (const std::shared_ptr<Flight> self = weak.lock()) self->take_difference();
      },
      [weak](storage::StoredHead head_to_store) {
        if (const std::shared_ptr<Flight> self = weak.lock()) self->take_equal(std::move(head_to_store));
      });
}

void Flight::begin_fill(std::unique_ptr<storage::StoreWriter> writer,
                        std::optional<std::uint64_t> body_size) {
  const storage::HeaderFields& fields = head_.response.fields;
  own_tag_ =
      context_.policy.content_tags && head_.response.status == 200 && !fields.has(storage::FieldName::kETag);
  if (body_size && *body_size == content_at_hand_ && *body_size <= context_.store.max_in_memory() &&
      !compared_) {
    content_writer_ = std::move(writer);
    return;
  }
  const auto fill = std::make_shared<Fill>(
      storage::FillOptions{body_size, context_.store.max_in_memory(), kFillWindow, own_tag_},
      context_.fill_budget);
  fill->write_to(std::move(writer));
  stored_to_be_ = true;
  const storage::StoredResponsePtr response = make_response(head_, nullptr);
  const bool open = !facts_of(*response).validate_each_use;
  const bool awaited = own_tag_ && body_size && *body_size <= kMostAwaited;
  const bool comparing = own_tag_ && compared_;
  std::vector<Waiting> answered;
  std::vector<Waiting> overtaken;
  {
    const MutexLock lock(mutex_);
    overtaken = take_overtaken(waiting_, head_);
    fill_ = fill;
    open_response_ = response;
    open_body_size_ = body_size;
    awaiting_ = awaited;
    comparing_ = comparing;
    phase_ = !open ? Phase::kClosed : awaited ? Phase::kAsking : Phase::kOpen;
    answered = take_answered_locked();
    // The beginning may be gone by the time that the others are answered.
    for (Waiting& each : waiting_) each.reader = open_reader_locked(each.waiter);
  }
  send_off(overtaken);
  answer_stored(std::move(answered));
  if (!awaited) return;
  await_timer_ = context_.loop.timer([this] { stop_awaiting(); });
  await_timer_->arm(kLongestAwaited);
}

// The content takes its time: only those go on waiting whom comparing may spare it.
void Flight::stop_awaiting() {
  std::vector<Waiting> waiting;
  {
    const MutexLock lock(mutex_);
    if (!std::exchange(awaiting_, false)) return;
    if (phase_ == Phase::kAsking) phase_ = Phase::kOpen;
    waiting = take_answered_locked();
  }
  answer_stored(std::move(waiting));
}

// Of those who wait, all who do not have to any longer.
std::vector<Flight::Waiting> Flight::take_answered_locked() {
  const auto waits = [awaiting = awaiting_, comparing = comparing_](const Waiting& each) {
    return awaiting || (comparing && each.waiter->has_condition);
  };
  const auto end = std::stable_partition(waiting_.begin(), waiting_.end(), waits);
  std::vector<Waiting> answered(std::make_move_iterator(end), std::make_move_iterator(waiting_.end()));
  waiting_.erase(end, waiting_.end());
  return answered;
}

// The head as one of them gets it: what is withheld from the store goes to the starter.
storage::StoredResponsePtr Flight::response_for(const Waiting& waiting,
                                                const storage::StoredResponsePtr& response) const {
  if (!waiting.starter || !whole_fields_) return response;
  storage::StoredHead head = response->head();
  const auto tag = head.own_entity_tag ? head.response.fields.first(storage::FieldName::kETag) : std::nullopt;
  storage::HeaderFields fields = *whole_fields_;
  if (tag) fields.add(storage::FieldName::kETag, *tag);
  head.response.fields = std::move(fields);
  return make_response(std::move(head), response);
}

void Flight::answer_stored(std::vector<Waiting> waiting) {
  storage::StoredResponsePtr response;
  std::optional<std::uint64_t> body_size;
  {
    const MutexLock lock(mutex_);
    response = open_response_;
    body_size = open_body_size_;
  }
  for (Waiting& each : waiting) {
    answer_with_fill(each.waiter, FlightOutcome::kStored, store_reason_, response_for(each, response),
                     body_size, std::move(each.reader));
  }
}

// Who waits for the content, or for what comparing says, waits no longer: it is another than what is stored.
void Flight::answer_awaiting() {
  answer_stored(take_awaiting());
}

std::vector<Flight::Waiting> Flight::take_awaiting() {
  const MutexLock lock(mutex_);
  awaiting_ = comparing_ = false;
  if (phase_ == Phase::kAsking) phase_ = Phase::kOpen;
  return std::exchange(waiting_, {});
}

OriginHandler::Body Flight::on_body(std::string_view bytes) {
  if (body_paused_) {
    call_waits_ = true;
    return Body::kPause;
  }
  if (content_writer_) {
    content_ = storage::Chunk::copy_of(bytes);
    return Body::kTaken;
  }
  const std::shared_ptr<Fill> fill = current_fill();
  if (!fill) return Body::kTaken;  // a 304's or an ended flight's stray bytes
  if (request_.slice && fill->size() + bytes.size() > request_.slice->range.size()) {
    on_failure({OriginFailure::kMalformed, "a slice that is longer than its Content-Range"});
    return Body::kTaken;
  }
  const std::weak_ptr<Flight> weak = weak_from_this();
  const auto appetite = fill->append(bytes, context_.loop, [weak] {
    const std::shared_ptr<Flight> self = weak.lock();
    if (!self) return;
    self->body_paused_ = false;
    if (std::exchange(self->call_waits_, false) && self->call_) self->call_->resume();
  });
  if (appetite == Fill::Appetite::kPause) body_paused_ = true;
  if (stored_to_be_ && !fill->can_be_stored()) give_up_storing();
  end_if_unwanted();
  return Body::kTaken;
}

// The tiers have had enough of it. Those who have it read on; nobody waits for it any more, who comes now
// asks for himself (G5).
void Flight::give_up_storing() {
  stored_to_be_ = false;
  context_.table.forget(*this);
  answer_awaiting();
  for (const auto& waiter : take_latecomers()) {
    post_answer(waiter, make_answer(FlightOutcome::kAskAgain, Reason::kStoreFull, nullptr));
  }
}

// Of the trailers, what can do no harm (RFC 9110, 6.5.1).
void Flight::on_complete(storage::HeaderFields trailers) {
  if (content_writer_) return commit_content();
  const std::shared_ptr<Fill> fill = current_fill();
  if (!fill) return end();
  Fill::Sealed sealed = fill->seal(forwarded_trailers(trailers));
  permit_ = {};
  const bool stored = stored_to_be_ && sealed.writer && sealed.size <= context_.max_object &&
                      fits_its_place(sealed.size) && !is_replaced();
  if (!stored) {
    answer_awaiting();
    return end();
  }
  const std::shared_ptr<Flight> self = shared_from_this();
  take_whole(sealed);
  commit(std::move(sealed));
  // Those without a condition need not wait for what is being compared or written.
  stop_awaiting();
}

// An invalidation is newer than this answer, and a flight newer than both: what that one stores is not to be
// overwritten by what is stale already. (What is dead the store does not take.)
bool Flight::is_replaced() const {
  return context_.store.generations().standing(head_) != storage::Standing::kCurrent &&
         !context_.table.holds(*this);
}

// Other content than what is stored. The first answer still has its tag, if it is awaited.
void Flight::take_difference() {
  std::vector<Waiting> waiting;
  {
    const MutexLock lock(mutex_);
    if (!std::exchange(comparing_, false)) return;
    waiting = take_answered_locked();
  }
  answer_stored(std::move(waiting));
}

// The content that is stored already came once more: that response is kept, with a head made of this
// answer's. An invalidation since this answer was asked for wins: the store no longer has the old one then.
void Flight::take_equal(storage::StoredHead head) {
  head.body_id = compared_->head().body_id;
  head.body_size = compared_->head().body_size;
  const storage::StoredResponsePtr fresh = make_response(std::move(head), compared_);
  if (is_alive(fresh)) context_.store.freshen(compared_, fresh);
  context_.counters.add(Counter::kContentEqual);
  for (const Waiting& each : take_awaiting()) {
    auto answer = make_answer(FlightOutcome::kFreshened, Reason::kContentEqual, response_for(each, fresh));
    answer->origin_status = 200;
    post_answer(each.waiter, std::move(answer));
  }
}

// The head as it will be stored.
void Flight::take_whole(const Fill::Sealed& sealed) {
  head_.body_size = sealed.size;
  if (!own_tag_ || !sealed.digest) return;
  add_own_tag(*sealed.digest);
  const storage::StoredResponsePtr response = make_response(head_, nullptr);
  const MutexLock lock(mutex_);
  open_response_ = response;
}

void Flight::add_own_tag(const storage::Digest128& digest) {
  storage::HeaderFields& fields = head_.response.fields;
  const std::string type = fields.combined(storage::FieldName::kContentType).value_or("");
  const std::string encoding = fields.combined(storage::FieldName::kContentEncoding).value_or("");
  fields.add(storage::FieldName::kETag, "\"" + content_tag(digest, type, encoding) + "\"");
  head_.own_entity_tag = true;
}

// What came with its head: one response is made, which the store keeps and those who wait are given.
void Flight::commit_content() {
  const std::shared_ptr<Flight> self = shared_from_this();
  permit_ = {};
  head_.body_size = content_.size();
  if (own_tag_) add_own_tag(storage::digest128(content_.view()));
  const std::unique_ptr<storage::StoreWriter> writer = std::move(content_writer_);
  head_.body_id = writer->body_id();
  const bool stored = !is_replaced();
  const auto response = std::make_shared<const storage::StoredResponse>(
      std::move(head_), storage::make_memory_body({std::move(content_)}), context_.store.describe());
  committing_ = stored;
  if (stored) {
    writer->commit_whole(response, context_.loop, [self, response](bool /*stored*/) {
      self->answer_with_content(response, self->take_waiting(Phase::kEnded));
      self->end();
    });
  }
  // Where memory does not take it the disk takes its time, for which nobody waits who is here by now.
  answer_with_content(response, take_waiting(stored ? Phase::kAsking : Phase::kEnded));
  if (!stored) end();
}

void Flight::answer_with_content(const storage::StoredResponsePtr& response, std::vector<Waiting> waiting) {
  send_off(take_overtaken(waiting, response->head()));
  for (const Waiting& each : waiting) {
    auto answer = make_answer(FlightOutcome::kStored, store_reason_, response_for(each, response));
    answer->body_size = response->head().body_size;
    post_answer(each.waiter, std::move(answer));
  }
}

void Flight::commit(Fill::Sealed sealed) {
  committing_ = true;
  const std::shared_ptr<Flight> self = shared_from_this();
  sealed.writer->commit(std::move(head_), std::move(sealed.whole), context_.loop, [self](bool /*stored*/) {
    self->answer_awaiting();
    self->end();
  });
}

}  // namespace freshet::revalidate
