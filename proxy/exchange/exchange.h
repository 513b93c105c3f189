// Exchange: one request of a client and its response, from the parsed head to the last byte. It knows the
// cache and no protocol: it reads a RequestHead, and writes to a ResponseSink.
//
//     ReceiveHead ─> Lookup ─┬──────────────> Decide ─┬─────────────────────────> SendHead ─> SendBody ─>
//     Finish
//                            └> AwaitDisk ─────┘      └> JoinFlight ─> AwaitFlight ──┘ │
//                       ^                                                  │  (a body on disk)
//                       └──────────── the answer was not for us ───────────┘
//
// A PURGE goes ReceiveHead ─> AwaitPurge ─> SendHead ─> Finish.
//
// One function a step (exchange_steps.cc), one loop (advance()), and three outcomes: go on, wait, done.
// advance() is not re-entrant: whoever has news (disk, flight, room in the sink) calls it from the event
// loop, never from inside a step. At every moment the client may leave: reset() or the destructor drop what
// is in progress.
//
// Owned by a session and used again for each of its requests. Belongs to one worker's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/exchange/body_pump.h"
#include "proxy/exchange/explanation.h"
#include "proxy/exchange/multipart.h"
#include "proxy/exchange/purge.h"
#include "proxy/exchange/response_sink.h"
#include "proxy/exchange/search_rules.h"
#include "proxy/observe/exchange_record.h"
#include "proxy/observe/request_id.h"
#include "revalidate/flight.h"
#include "revalidate/flight_table.h"
#include "revalidate/policy/cache_status.h"
#include "revalidate/policy/error_reuse.h"
#include "revalidate/policy/key_rules.h"
#include "revalidate/policy/preconditions.h"
#include "revalidate/policy/request_facts.h"
#include "revalidate/policy/reuse.h"
#include "storage/tiered_store.h"

namespace freshet::proxy {

class AccessLogWriter;
class TargetCounts;

// What an operator chooses for exchanges, beside policy.
struct ExchangeOptions {
  bool early_hints = false;  // a 103 is remembered and sent early
  bool status_key = false;   // Cache-Status tells the key to everybody
  bool request_ids = false;  // X-Request-Id: taken or made, passed on, told
  revalidate::KeyRules key_rules;
  std::shared_ptr<SearchRules> search_rules = std::make_shared<SearchRules>();  // of all workers
  PurgeOptions purge;
};

// What the exchanges of one worker share.
struct ExchangeContext {
  revalidate::FlightContext& flights;
  storage::TieredStore& store;
  const revalidate::PolicyOptions& policy;
  storage::Counters& counters;
  AccessLogWriter* access_log;
  TargetCounts& targets;
  std::string default_authority;  // of HTTP/1.0 requests that name no host: the origin's
  // The turn's time; see EventLoop.
  std::function<storage::WallTime()> wall_time;
  std::function<storage::MonoTime()> mono_time;
  std::shared_ptr<const ExchangeOptions> options;  // an exchange takes them once, at its start
  RequestIds request_ids{};
};

struct ClientInfo {
  std::string address;   // without port
  bool trusted = false;  // may speak of its own clients by X-Forwarded-* and Forwarded
};

class Exchange {
 public:
  enum class Step : std::uint8_t {
    kReceiveHead,
    kLookup,
    kAwaitDisk,
    kDecide,
    kJoinFlight,
    kAwaitFlight,
    kAwaitPurge,
    kSendHead,
    kSendBody,
    kFinish,
    kDone,
  };

  explicit Exchange(ExchangeContext& context);
  Exchange(ExchangeContext& context, ResponseSink& sink, const ClientInfo& client);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Whose requests come next; not while one is in progress. Both outlive what is in progress.
  void serve(ResponseSink& sink, const ClientInfo& client);
  // The request's head, filled by the session before start().
  [[nodiscard]] storage::RequestHead& request() { return request_; }

  // Instead of start(): the head could not be parsed; answers with `status` (400, 408, 414 ...) and `why`.
  void refuse(int status, std::string_view why);
  // Begins; may be done when it returns (a hit).
  void start(RequestBody body);
  // Instead of start(): goes the same way, up to where the origin would be asked or the answer begin, and
  // tells `explained` what would happen. Nothing is counted, stored, promoted, logged or sent; `explained` is
  // called once, unless reset() comes before, and must not destroy the exchange.
  void explain(std::function<void(Explanation)> explained);
  [[nodiscard]] bool done() const { return step_ == Step::kDone; }
  // For logs and tests.
  [[nodiscard]] std::string_view step_name() const;

  // The sink has room again.
  void on_room() { advance(); }
  // More of the request's content has arrived.
  void on_upload() {
    if (ticket_) ticket_->upload_ready();
  }
  // The client has left, or the session gives up on it: nothing is sent any more.
  void client_gone();
  // Ready for the next request.
  void reset();

 private:
  enum class Outcome { kGoOn, kWait };

  void begin();
  void advance();
  Outcome run_step();

  Outcome receive_head();
  Outcome lookup();
  Outcome decide();
  Outcome join_flight();
  Outcome take_answer();
  Outcome send_head();
  Outcome send_body();
  Outcome finish();

  // In the place of steps, while it explains; exchange_explain.cc.
  Outcome look_without_trace(const storage::CacheKey& key, bool whole);
  Outcome explain_asking();
  Outcome explain_reply();
  Outcome finish_explaining();
  void explain_stored();
  [[nodiscard]] ExplainedAsking asking_of(revalidate::FlightRequest request, bool alone) const;

  // Parts of steps.
  Outcome go(Step next);
  Outcome use_stored(storage::StoredResponsePtr response);
  Outcome take_stored_answer(revalidate::FlightAnswer& answer);
  Outcome take_unstorable_answer(revalidate::FlightAnswer& answer);
  Outcome take_failure(revalidate::Reason reason);
  Outcome ask_again(bool alone);
  Outcome reply_error(int status, revalidate::Reason reason);
  Outcome replace_damaged();
  [[nodiscard]] bool serve_stale_instead();
  [[nodiscard]] revalidate::ErrorReuse error_reuse() const;  // of what is selected
  // Decides who may share the answer.
  struct FlightPlan {
    bool alone = false;
    bool not_shareable = false;
    revalidate::FlightRequest request;
  };
  [[nodiscard]] FlightPlan plan_flight();
  [[nodiscard]] revalidate::FlightRequest make_flight_request(bool alone);
  [[nodiscard]] revalidate::FlightWaiter make_waiter();
  [[nodiscard]] bool has_stored_tag() const;
  void bound_reload(revalidate::ReuseDecision& decision);
  // 1xx; exchange_hints.cc.
  void pass_informational(storage::ResponseHead head);
  void send_remembered_hints();
  void forget_old_hints(const revalidate::FlightAnswer& answer);
  void revalidate_in_background();
  void invalidate_by_use(const storage::ResponseHead& response);
  void read_from_disk();
  // PURGE; exchange_purge.cc.
  Outcome purge();
  void forget_purged_hints(bool by_tag);
  Outcome refuse_purge(int status, revalidate::Reason reason, std::string why);
  void purged(const storage::Invalidation& asked, const storage::Acknowledgement& done);
  // The key; exchange_key.cc.
  void take_debug_field();
  void take_request_id();
  void take_forwarded_scheme();
  void make_key();
  void complete_key();
  void add_forwarded_host();
  [[nodiscard]] bool key_holds_for(const storage::StoredResponse& response) const;
  void learn_search_rule(const storage::StoredResponse& response);
  Outcome look_up_by_plain_key(const storage::StoredResponse& misled);
  void invalidate_target(const storage::CacheKey& key);
  void prepare_reply();
  void decide_status();
  void send_prepared_head();
  void send_error_head();
  void send_own_head();
  void append_dynamic_lines();
  void append_request_id_line();
  void withhold_request_id(ReplyHead& reply, const storage::HeaderFields& stored);
  void withhold_tags(ReplyHead& reply, const storage::HeaderFields& stored);
  [[nodiscard]] bool withholds_surrogate_control(const storage::HeaderFields& fields) const;
  // Of exchange_ranges.cc.
  void evaluate_request();
  [[nodiscard]] bool asks_far_into_fill();
  [[nodiscard]] bool asks_far_into_the_unknown() const;
  Outcome leave_for_own_range();
  [[nodiscard]] bool asks_for_part() const;
  Outcome look_up_part();
  bool use_part();
  void ask_for_rest(revalidate::FlightRequest& flight) const;
  [[nodiscard]] bool may_send_whole() const;
  void start_pump();
  [[nodiscard]] std::unique_ptr<revalidate::SliceReader> make_slice_reader();
  void tell_of_slices();
  void append_fields_of_206(ReplyHead& reply);
  void send_text(std::string text);
  [[nodiscard]] bool begin_next_part();
  void append_cache_status_line();
  void count(std::chrono::microseconds took);
  void count_and_log(bool complete);
  [[nodiscard]] std::shared_ptr<bool> alive();
  // The turn's time.
  [[nodiscard]] storage::WallTime now() const { return waited_ ? context_.wall_time() : arrived_wall_; }

  ExchangeContext& context_;
  ResponseSink* sink_ = nullptr;
  const ClientInfo* client_ = nullptr;
  BodyPump pump_;

  // The request.
  std::shared_ptr<const ExchangeOptions> options_;  // those that held when it began
  storage::RequestHead request_;
  revalidate::RequestFacts facts_;
  RequestBody body_;
  storage::CacheKey key_;
  SearchRules::Rule search_rule_;  // that the key was made by
  std::string asked_target_;       // as the client wrote it, where key rules change it
  storage::MonoTime arrived_{};
  storage::WallTime arrived_wall_{};

  // Progress.
  Step step_ = Step::kDone;
  bool advancing_ = false;
  bool advance_again_ = false;
  bool waited_ = false;  // so that another turn of the loop may have begun
  int attempts_ = 0;     // flights joined
  int looks_ = 0;        // into the store, for each of which the table's count was taken
  std::optional<std::uint64_t> looked_up_at_;
  bool ask_alone_ = false;  // the next flight is ours alone
  bool joined_ = false;     // the flight was another's
  bool looked_for_part_ = false;
  storage::VariantSetPtr parts_;               // of the whole that is not stored
  storage::StoredResponsePtr beginning_;       // a stored part that begins at 0
  std::optional<storage::PlaceInPart> place_;  // in response_, which is a stored part
  bool range_forwarded_ = false;       // the next flight asks for the client's one range, for us alone
  bool conditions_forwarded_ = false;  // the client's conditions are the origin's business
  bool tell_key_ = false;              // in Cache-Status
  bool may_force_ = false;             // let through to validate what is fresh
  bool origin_hinted_ = false;         // this request's flight has brought a 103
  bool prepared_ = false;              // what goes out is decided; only its first bytes may be missing
  std::shared_ptr<const storage::HeaderFields> hints_;  // sent early
  storage::VariantSetPtr variants_;
  storage::StoredResponsePtr selected_;
  std::unique_ptr<revalidate::Flight::Ticket> ticket_;
  std::shared_ptr<revalidate::FlightAnswer> answer_;
  // Only while it explains.
  struct Explaining {
    Explanation explanation;
    storage::TieredStore::Peeked found;
    std::function<void(Explanation)> explained;
  };
  std::unique_ptr<Explaining> explaining_;
  // Tells a callback that its request is over; made only for requests that wait.
  std::shared_ptr<bool> alive_;

  // The response.
  storage::StoredResponsePtr response_;  // what is being sent
  std::unique_ptr<storage::FillReader> reader_;
  std::optional<std::uint64_t> body_size_;
  revalidate::CacheStatus status_;
  CacheOutcome outcome_ = CacheOutcome::kMiss;
  revalidate::Reason why_ = revalidate::Reason::kNone;
  revalidate::PreconditionResult precondition_;
  std::optional<Multipart> multipart_;  // with several ranges
  std::string part_head_;               // of its first part
  int sent_status_ = 0;
  int error_status_ = 0;
  std::optional<std::chrono::microseconds> origin_time_;
  std::chrono::microseconds first_byte_{0};  // from the request's head to ours
  storage::Chunk first_chunk_;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t saved_bytes_ = 0;
  bool has_body_ = false;
  bool sends_whole_ = false;  // the content is all of response_'s, in one piece: no pump
  storage::HeaderFields reply_fields_;
  std::string more_;  // further head lines; buffer used again
  std::string request_id_;
  // An answer of the edge's own making.
  int own_status_ = 0;
  std::string own_text_;
  std::string_view own_type_;
  std::string_view refused_why_;
  std::string purge_refused_;
};

}  // namespace freshet::proxy
