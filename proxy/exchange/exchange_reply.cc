// How an exchange's response is put together and sent: preconditions, head, content, the record of it.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "proxy/exchange/exchange.h"
#include "proxy/observe/access_log.h"
#include "proxy/observe/top_targets.h"
#include "revalidate/policy/cache_control.h"
#include "revalidate/policy/freshness.h"
#include "revalidate/policy/proxy_status.h"
#include "revalidate/policy/response_facts.h"
#include "storage/http/http_date.h"
#include "storage/http/status_code.h"

namespace freshet::proxy {

using revalidate::Precondition;
using revalidate::Reason;
using storage::Counter;

namespace {

constexpr std::string_view kVia = "Via: 1.1 freshet\r\n";

constexpr std::string_view kAge = "Age: ";
constexpr std::string_view kCacheStatus = "Cache-Status: ";
constexpr std::string_view kLineEnd = "\r\n";

// Lines whose lengths are bounded, put together in one place and appended as one.
class SmallText {
 public:
  void add(std::string_view text) { end_ = std::copy(text.begin(), text.end(), end_); }
  void add(std::int64_t number) { end_ = std::to_chars(end_, bytes_.data() + bytes_.size(), number).ptr; }
  [[nodiscard]] std::string_view view() const {
    return {bytes_.data(), static_cast<std::size_t>(end_ - bytes_.data())};
  }

 private:
  std::array<char, 128> bytes_;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  char* end_ = bytes_.data();
};

// The outcomes stand in one order in every table.
template <typename Id>
Id of_outcome(Id hit, CacheOutcome outcome) {
  return static_cast<Id>(static_cast<std::size_t>(hit) + static_cast<std::size_t>(outcome));
}

std::chrono::microseconds in_microseconds(storage::MonoTime::duration time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time);
}

}  // namespace

Exchange::Outcome Exchange::reply_error(int status, Reason reason) {
  error_status_ = status;
  outcome_ = CacheOutcome::kError;
  why_ = reason;
  status_.hit = false;
  status_.detail = reason;
  response_.reset();
  reader_.reset();
  return go(Step::kSendHead);
}

// The content's place: [begin, end) of the stored or growing body.
Exchange::Outcome Exchange::send_head() {
  if (error_status_ != 0) {
    send_error_head();
    return go(Step::kFinish);
  }
  if (own_status_ != 0) {
    send_own_head();
    return go(Step::kFinish);
  }
  if (!prepared_) prepare_reply();
  if (sends_whole_) {
    send_prepared_head();
    const std::string_view body = response_->whole_body();
    body_bytes_ += body.size();
    // The response owns it: nothing else has to be touched for it.
    sink_->send_body(storage::Chunk(std::move(response_), body.data(), body.size()));
    return go(Step::kFinish);
  }
  const bool from_store = !pump_.is_fill();
  if (has_body_ && from_store) {
    // The first bytes before the head: a body that cannot be read is a miss, not a broken transfer (G6).
    switch (pump_.next(first_chunk_)) {
      case BodyPump::Next::kWait:
        return Outcome::kWait;
      case BodyPump::Next::kBroken:
        return replace_damaged();
      case BodyPump::Next::kData:
      case BodyPump::Next::kEnd:
        break;
    }
  }
  tell_of_slices();
  send_prepared_head();
  if (has_body_ && multipart_) send_text(std::move(part_head_));
  if (!first_chunk_.empty()) {
    body_bytes_ += first_chunk_.size();
    sink_->send_body(std::exchange(first_chunk_, {}));
  }
  return go(has_body_ ? Step::kSendBody : Step::kFinish);
}

Exchange::Outcome Exchange::replace_damaged() {
  const storage::StoredResponsePtr damaged = pump_.damaged();
  const Reason slices_failed = pump_.slices() != nullptr ? pump_.slices()->reason() : Reason::kNone;
  pump_.reset();
  if (damaged) context_.store.remove(*damaged);
  response_.reset();
  variants_ = nullptr;
  selected_.reset();
  status_ = {};
  prepared_ = false;
  precondition_ = {};
  multipart_.reset();
  place_.reset();
  outcome_ = CacheOutcome::kMiss;
  // The origin did not give a slice: it would not give the whole either.
  if (slices_failed != Reason::kNone && !damaged) return take_failure(slices_failed);
  why_ = slices_failed != Reason::kNone ? slices_failed : Reason::kStoreFailure;
  return go(Step::kJoinFlight);
}

// By the client's own conditions and Range.
void Exchange::decide_status() {
  evaluate_request();
  sent_status_ = response_->head().response.status;
  if (precondition_.outcome == Precondition::kNotModified) sent_status_ = 304;
  if (precondition_.outcome == Precondition::kFailed) sent_status_ = 412;
  if (precondition_.outcome == Precondition::kRangeNotSatisfiable) sent_status_ = 416;
  if (!precondition_.ranges.empty()) sent_status_ = 206;
}

// Decides what of response_ goes out, and where its content begins and ends.
void Exchange::prepare_reply() {
  prepared_ = true;
  decide_status();
  const bool whole_or_part = precondition_.outcome == Precondition::kProceed;
  has_body_ = whole_or_part && request_.method != storage::Method::kHead &&
              !storage::status_has_no_body(sent_status_);
  if (!has_body_) {
    reader_.reset();
    return;
  }
  sends_whole_ = may_send_whole();
  if (!sends_whole_) start_pump();
}

void Exchange::send_prepared_head() {
  const storage::StoredHead& head = response_->head();
  const storage::HeaderFields& stored = head.response.fields;
  ReplyHead reply;
  reply.status = sent_status_;
  reply.has_body = has_body_;
  reply.fields = &reply_fields_;
  reply_fields_.clear();
  switch (sent_status_ == head.response.status && !place_ ? 0 : sent_status_) {
    case 304:
      revalidate::append_fields_for_304(stored, reply_fields_);
      saved_bytes_ = body_size_.value_or(0);
      break;
    case 206:
      append_fields_of_206(reply);
      break;
    case 416:
      revalidate::append_fields_for_416(body_size_.value_or(0), reply_fields_);
      reply.content_length = 0;
      break;
    case 412:
      reply.content_length = 0;
      break;
    default:
      reply.reason = head.response.reason;
      reply.fields = &stored;
      if (!storage::status_has_no_body(sent_status_)) reply.content_length = body_size_;
      break;
  }
  append_dynamic_lines();
  if (!request_id_.empty()) append_request_id_line();
  reply.more = more_;
  withhold_tags(reply, stored);
  if (!request_id_.empty()) withhold_request_id(reply, stored);
  if (withholds_surrogate_control(*reply.fields)) {
    if (reply.fields == &stored) reply_fields_ = stored;
    reply_fields_.remove(storage::FieldName::kSurrogateControl);
    reply.fields = &reply_fields_;
  }
  first_byte_ = in_microseconds(context_.mono_time() - arrived_);
  sink_->send_head(reply);
}

void Exchange::append_request_id_line() {
  more_.append(kRequestIdField).append(": ").append(request_id_).append("\r\n");
}

// The id of this request stands in place of that with which the response was fetched.
void Exchange::withhold_request_id(ReplyHead& reply, const storage::HeaderFields& stored) {
  if (!reply.fields->has(kRequestIdField)) return;
  if (reply.fields == &stored) reply_fields_ = stored;
  reply_fields_.remove(kRequestIdField);
  reply.fields = &reply_fields_;
}

void Exchange::withhold_tags(ReplyHead& reply, const storage::HeaderFields& stored) {
  if (context_.policy.forward_tags) return;
  const auto has = [&](const std::string& name) { return reply.fields->has(name); };
  if (std::none_of(context_.policy.tag_fields.begin(), context_.policy.tag_fields.end(), has)) return;
  if (reply.fields == &stored) reply_fields_ = stored;
  for (const std::string& name : context_.policy.tag_fields) reply_fields_.remove(name);
  reply.fields = &reply_fields_;
}

// Where we are the surrogate that Surrogate-Control speaks to, it goes on only to another one.
bool Exchange::withholds_surrogate_control(const storage::HeaderFields& fields) const {
  return fields.has(storage::FieldName::kSurrogateControl) && context_.policy.surrogate_control &&
         !revalidate::passes_surrogate_control(request_.fields);
}

// What differs from one answer to the next: Age, Via, Cache-Status.
void Exchange::append_dynamic_lines() {
  more_.clear();
  const bool aged = outcome_ == CacheOutcome::kHit || outcome_ == CacheOutcome::kStale ||
                    outcome_ == CacheOutcome::kRevalidated || outcome_ == CacheOutcome::kCollapsed ||
                    response_->head().age_received.count() > 0;
  SmallText lines;
  if (aged) {
    lines.add(kAge);
    lines.add(revalidate::current_age(revalidate::facts_of(*response_), now()).count());
    lines.add(kLineEnd);
  }
  lines.add(kVia);
  more_.append(lines.view());
  append_cache_status_line();
}

// Ours stands behind what the caches on the origin's side said; where the reply's fields are not the stored
// ones (304, 412, 416), theirs are taken along.
void Exchange::append_cache_status_line() {
  more_.append(kCacheStatus);
  if (response_ && sent_status_ != response_->head().response.status &&
      !reply_fields_.has(storage::FieldName::kCacheStatus)) {
    const auto upstream = response_->head().response.fields.combined(storage::FieldName::kCacheStatus);
    if (upstream && !upstream->empty()) more_.append(*upstream).append(", ");
  }
  if (tell_key_) status_.key = key_.text;
  revalidate::append_cache_status(more_, status_);
  more_.append(kLineEnd);
}

void Exchange::send_error_head() {
  own_status_ = error_status_;
  if (own_text_.empty()) {
    own_type_ = "text/plain; charset=utf-8";
    own_text_ = std::to_string(error_status_);
    own_text_.append(" ").append(storage::reason_phrase(error_status_)).append("\n");
    own_text_.append(refused_why_.empty() ? revalidate::reason_sentence(why_) : refused_why_).append("\n");
  }
  send_own_head();
}

// The edge's own answer, with its content.
void Exchange::send_own_head() {
  sent_status_ = own_status_;
  reply_fields_.clear();
  reply_fields_.add(storage::FieldName::kDate, storage::format_http_date(context_.wall_time()));
  reply_fields_.add(storage::FieldName::kContentType, own_type_);
  reply_fields_.add(storage::FieldName::kCacheControl, "no-store");
  if (own_status_ == 405) reply_fields_.add(storage::FieldName::kAllow, "GET, HEAD");
  if (own_status_ == 503) reply_fields_.add(storage::FieldName::kRetryAfter, "1");
  more_.clear();
  if (error_status_ != 0) {
    more_.append("Proxy-Status: ");
    revalidate::append_proxy_status(more_, why_, status_.forwarded_status);
    more_.append("\r\n");
  }
  append_cache_status_line();
  if (!request_id_.empty()) append_request_id_line();
  ReplyHead reply;
  reply.status = own_status_;
  reply.reason = storage::reason_phrase(own_status_);
  reply.fields = &reply_fields_;
  reply.more = more_;
  reply.content_length = own_text_.size();
  reply.has_body = request_.method != storage::Method::kHead;
  first_byte_ = in_microseconds(context_.mono_time() - arrived_);
  sink_->send_head(reply);
  if (!reply.has_body) return;
  body_bytes_ += own_text_.size();
  sink_->send_body(storage::Chunk::copy_of(own_text_));
}

Exchange::Outcome Exchange::send_body() {
  while (sink_->has_room()) {
    storage::Chunk chunk;
    switch (pump_.next(chunk)) {
      case BodyPump::Next::kData:
        body_bytes_ += chunk.size();
        sink_->send_body(chunk);
        break;
      case BodyPump::Next::kWait:
        return Outcome::kWait;
      case BodyPump::Next::kEnd:
        if (multipart_ && begin_next_part()) break;
        return go(Step::kFinish);
      case BodyPump::Next::kBroken:
        if (pump_.damaged()) context_.store.remove(*pump_.damaged());
        context_.counters.add(Counter::kBrokenTransfers);
        count_and_log(false);
        sink_->abort();
        step_ = Step::kDone;
        return Outcome::kWait;
    }
  }
  return Outcome::kWait;
}

Exchange::Outcome Exchange::finish() {
  if (has_body_ && pump_.is_fill()) {
    const storage::HeaderFields trailers = pump_.trailers();
    sink_->finish(trailers.empty() ? nullptr : &trailers);
  } else {
    sink_->finish(nullptr);
  }
  count_and_log(true);
  // What was held for this request is let go at once: a connection that stays idle keeps nothing.
  pump_.reset();
  reader_.reset();
  ticket_.reset();
  response_.reset();
  selected_.reset();
  variants_ = nullptr;
  parts_ = nullptr;
  step_ = Step::kDone;
  return Outcome::kWait;
}

void Exchange::count(std::chrono::microseconds took) {
  using storage::Histogram;
  // This worker's own: nobody else counts these.
  storage::Counters& counters = context_.counters;
  counters.add_alone(of_outcome(Counter::kHits, outcome_));
  if (sent_status_ >= 200 && sent_status_ < 600) {
    const auto above = static_cast<std::size_t>(sent_status_ / 100 - 2);
    counters.add_alone(static_cast<Counter>(static_cast<std::size_t>(Counter::kResponses2xx) + above));
  }
  counters.add_alone(Counter::kBodyBytesSent, static_cast<std::int64_t>(body_bytes_));
  if (saved_bytes_ > 0 || sent_status_ == 304) {
    counters.add_alone(Counter::kNotModified);
    counters.add_alone(Counter::kBytesSavedBy304, static_cast<std::int64_t>(saved_bytes_));
  }
  counters.observe(of_outcome(Histogram::kDurationHit, outcome_), took.count());
  if (sent_status_ != 0)
    counters.observe(of_outcome(Histogram::kFirstByteHit, outcome_), first_byte_.count());
  if (body_bytes_ > 0) counters.observe(Histogram::kBodySize, static_cast<std::int64_t>(body_bytes_));
  if (origin_time_ && !joined_) counters.observe(Histogram::kOriginFirstByte, origin_time_->count());
}

void Exchange::count_and_log(bool complete) {
  const storage::MonoTime now = context_.mono_time();
  const std::chrono::microseconds took = in_microseconds(now - arrived_);
  count(took);
  if (!context_.access_log->enabled() && !context_.targets.wanted()) return;
  ExchangeRecord record;
  record.time = arrived_wall_;
  record.client = client_->address;
  record.method = request_.method_text;
  record.host = request_.authority;
  record.path = asked_target_.empty() ? request_.target : asked_target_;
  record.protocol = storage::http_version_text(request_.version);
  record.status = sent_status_;
  record.head_bytes = sink_->head_bytes();
  record.body_bytes = body_bytes_;
  record.saved_bytes = saved_bytes_;
  record.outcome = outcome_;
  record.reason = revalidate::reason_token(why_);
  if (!key_.text.empty()) record.key = &key_.digest;
  record.id = request_id_;
  record.fields = &request_.fields;
  record.origin_status = status_.forwarded_status;
  record.origin_time = origin_time_;
  record.first_byte = first_byte_;
  record.total_time = took;
  record.complete = complete;
  context_.access_log->write(record);
  if (context_.targets.wanted()) context_.targets.count(record, now);
}

}  // namespace freshet::proxy
