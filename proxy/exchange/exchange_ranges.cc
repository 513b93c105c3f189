// The part of an exchange that is about parts of a response: what of it the client's conditions and Range ask
// for, and how several ranges go out one after the other.
#include <algorithm>
#include <utility>

#include "proxy/exchange/exchange.h"
#include "revalidate/policy/response_facts.h"
#include "revalidate/policy/selection.h"

namespace freshet::proxy {

using storage::ByteRange;

namespace {

// What begins further in than this is not waited for, and not fetched together with all that lies before it.
constexpr std::uint64_t kNear = 1024 * 1024;

bool ascending(const std::vector<ByteRange>& ranges) {
  return std::is_sorted(ranges.begin(), ranges.end(),
                        [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
}

}  // namespace

// The client's own conditions and Range against response_.
void Exchange::evaluate_request() {
  precondition_ = {};
  if (place_) precondition_.ranges = {place_->within};
  const bool reads = request_.method == storage::Method::kGet || request_.method == storage::Method::kHead;
  if (conditions_forwarded_ || !reads || (!facts_.has_cache_conditions() && !facts_.has_range)) return;
  precondition_ = revalidate::evaluate_preconditions(
      facts_, request_, revalidate::validators_of(revalidate::facts_of(*response_)), body_size_);
  if (place_ && precondition_.outcome == revalidate::Precondition::kProceed) {
    precondition_.ranges = {place_->within};
  }
  // What still grows is read once, from its beginning to its end: out of order the whole is sent.
  if (reader_ && !ascending(precondition_.ranges)) precondition_.ranges.clear();
}

// One range that begins far behind what a growing Fill has by now.
bool Exchange::asks_far_into_fill() {
  if (!reader_ || !body_size_ || !facts_.has_range || range_forwarded_) return false;
  evaluate_request();
  const std::vector<ByteRange>& ranges = precondition_.ranges;
  return ranges.size() == 1 && ranges.front().first > reader_->fill().size() + kNear;
}

// One range that begins far in, or is counted from the end, of what is not stored and not on its way. With
// If-Range the whole is fetched: the condition is evaluated against that.
bool Exchange::asks_far_into_the_unknown() const {
  if (!facts_.has_range || facts_.has_if_range || variants_) return false;
  if (request_.fields.count(storage::FieldName::kRange) != 1) return false;
  const auto range = storage::parse_single_range(*request_.fields.first(storage::FieldName::kRange));
  if (!range || (range->first && *range->first <= kNear)) return false;
  return !context_.flights.table.in_progress(key_, request_);
}

// One range of what is not stored, a part of it may be; or the whole, whose beginning is.
bool Exchange::asks_for_part() const {
  if (looked_for_part_ || variants_ || request_.method != storage::Method::kGet || !facts_.may_use_store()) {
    return false;
  }
  if (!facts_.has_range) return context_.flights.table.recall(key_, arrived_).has_beginning;
  return !facts_.has_if_range && request_.fields.count(storage::FieldName::kRange) == 1 &&
         storage::parse_single_range(*request_.fields.first(storage::FieldName::kRange));
}

Exchange::Outcome Exchange::look_up_part() {
  looked_for_part_ = true;
  const storage::CacheKey key = revalidate::part_key(key_);
  if (explaining_) return look_without_trace(key, false);
  storage::ResponseStore::LookupResult found = context_.store.try_lookup(key);
  if (found.found != storage::ResponseStore::Found::kNeedsIo) {
    parts_ = std::move(found.variants);
    return go(Step::kDecide);
  }
  context_.store.lookup(key, context_.flights.loop, [this, alive = alive()](storage::VariantSetPtr parts) {
    if (!*alive) return;
    parts_ = std::move(parts);
    step_ = Step::kDecide;
    advance();
  });
  return go(Step::kAwaitDisk);
}

// RFC 9111, 3.3: a stored part answers a range that lies wholly within it, while it is fresh. A purge is the
// whole's.
bool Exchange::use_part() {
  if (!parts_) return false;
  const storage::VariantSetPtr parts = std::exchange(parts_, nullptr);
  const storage::StoredResponsePtr part = revalidate::select(*parts, request_);
  if (!part || !key_holds_for(*part)) return false;
  const storage::Generations& generations = context_.store.generations();
  if (generations.standing_of_key(key_, part->head().filled_at) != storage::Standing::kCurrent) return false;
  const storage::Standing standing = generations.standing(*part);
  if (standing == storage::Standing::kDead) return false;
  const revalidate::ReuseDecision decision =
      revalidate::decide_reuse(facts_, part.get(), true, context_.wall_time(), context_.policy, standing);
  if (decision.kind != revalidate::ReuseDecision::Kind::kServe) return false;
  if (!facts_.has_range) {
    beginning_ = part;
    return false;
  }
  const auto range = storage::parse_single_range(*request_.fields.first(storage::FieldName::kRange));
  const auto text = part->head().response.fields.first(storage::FieldName::kContentRange);
  const auto where = text ? storage::parse_content_range(*text) : std::nullopt;
  if (!range || !where) return false;
  place_ = storage::find_in_part(*range, *where, part->head().body_size);
  if (!place_) return false;
  outcome_ = decision.ttl.count() < 0 ? CacheOutcome::kStale : CacheOutcome::kHit;
  status_.hit = true;
  status_.ttl = decision.ttl;
  why_ = revalidate::Reason::kStoredPart;
  use_stored(part);
  return true;
}

void Exchange::ask_for_rest(revalidate::FlightRequest& flight) const {
  const storage::StoredHead& head = beginning_->head();
  const auto rest = revalidate::rest_of(head);
  if (!rest) return;
  flight.beginning = beginning_;
  flight.origin.fields.set(storage::FieldName::kRange, "bytes=" + std::to_string(rest->first) + "-");
  const auto tag = head.response.fields.first(storage::FieldName::kETag);
  if (tag && tag->starts_with('"')) flight.origin.fields.set(storage::FieldName::kIfRange, *tag);
}

// A request of its own that nobody joins and whose answer is passed on.
Exchange::Outcome Exchange::leave_for_own_range() {
  reader_.reset();
  ticket_.reset();
  response_.reset();
  body_size_.reset();
  status_ = {};
  range_forwarded_ = true;
  joined_ = false;
  outcome_ = CacheOutcome::kMiss;
  why_ = revalidate::Reason::kFarRange;
  return go(Step::kJoinFlight);
}

// The pump is for what is not whole in memory, or only a part of it.
bool Exchange::may_send_whole() const {
  return !reader_ && precondition_.ranges.empty() && !response_->head().sliced && response_->has_whole_body();
}

void Exchange::start_pump() {
  const std::vector<ByteRange>& ranges = precondition_.ranges;
  std::uint64_t begin = 0;
  std::uint64_t end = BodyPump::kToTheEnd;
  if (!ranges.empty()) {
    begin = ranges.front().first;
    end = ranges.front().last + 1;
  }
  if (ranges.size() > 1) {
    multipart_.emplace(ranges, *body_size_,
                       response_->head().response.fields.first(storage::FieldName::kContentType));
    part_head_ = multipart_->next_part()->head;
  }
  if (reader_) {
    pump_.start(std::move(reader_), begin, end);
  } else if (response_->head().sliced) {
    pump_.start(response_, make_slice_reader(), begin, end);
  } else {
    pump_.start(response_, begin, end);
  }
}

std::unique_ptr<revalidate::SliceReader> Exchange::make_slice_reader() {
  const auto make_request = [this] {
    range_forwarded_ = false;
    revalidate::FlightRequest request = make_flight_request(!revalidate::may_collapse(facts_));
    request.request.method = storage::Method::kGet;
    return request;
  };
  return std::make_unique<revalidate::SliceReader>(context_.flights, response_, make_request,
                                                   [this] { advance(); });
}

// Before the head goes out: a hit on the head alone is half a hit.
void Exchange::tell_of_slices() {
  if (pump_.slices() == nullptr || pump_.slices()->asked_for() == 0) return;
  status_.hit = false;
  if (status_.forwarded == revalidate::Forwarded::kNo) {
    status_.forwarded = revalidate::Forwarded::kPartial;
    status_.forwarded_status = 206;
  }
  if (outcome_ == CacheOutcome::kHit) outcome_ = CacheOutcome::kMiss;
  why_ = revalidate::Reason::kStoredInSlices;
}

void Exchange::append_fields_of_206(ReplyHead& reply) {
  const storage::HeaderFields& stored = response_->head().response.fields;
  if (multipart_) {
    revalidate::append_fields_for_multipart_206(stored, multipart_->content_type(), reply_fields_);
    reply.content_length = multipart_->content_length();
  } else if (place_) {
    const auto part = storage::parse_content_range(*stored.first(storage::FieldName::kContentRange));
    revalidate::append_fields_for_206(stored, place_->whole, *part->size, reply_fields_);
    reply.content_length = place_->whole.size();
  } else {
    const ByteRange& range = precondition_.ranges.front();
    revalidate::append_fields_for_206(stored, range, *body_size_, reply_fields_);
    reply.content_length = range.size();
  }
}

void Exchange::send_text(std::string text) {
  body_bytes_ += text.size();
  sink_->send_body(storage::Chunk::adopt(std::move(text)));
}

// False: that was the last one.
bool Exchange::begin_next_part() {
  std::optional<Multipart::Part> part = multipart_->next_part();
  if (!part) {
    send_text(multipart_->closing());
    return false;
  }
  send_text(std::move(part->head));
  pump_.go_on_with(part->range.first, part->range.last + 1);
  return true;
}

}  // namespace freshet::proxy
