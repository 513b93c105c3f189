// Flight: one request to the origin, shared by every client request that waits for the same answer.
//
//     Queued ── a place at the origin ──> Asking ── head ──> Filling ── whole or cut ──> Ended
//                                           │ 304 that fits ────────────────────────────> Ended
//                                           └ failure ──────────────────────────────────> Ended
//
// Queued and Asking: others may join. At the head the flight decides, once, for all who wait (FlightOutcome),
// and posts each its answer. Filling: a response that may serve later arrivals is open to them; one that must
// be validated for each use is not: who comes now waits for the end and then asks again, so one request is in
// flight and one waits, whatever the number of clients (G5, G12). An answer that may not be stored belongs to
// the starter alone; all others are sent off at once and do not wait for each other again for a while.
//
// An invalidation, hard or soft, of what the answer belongs to: who had joined before is served, who comes
// after it starts another flight. Of URL, prefix, host and all that is known when somebody joins, of tags
// only at the head: who has joined since the flight began is sent off then where the answer is older than an
// invalidation. After a hard one nothing is stored, and a 304 for what is forgotten by then is not applied.
//
// A flight belongs to no client: the starter's leaving does not end it. It is ended when nobody waits and
// nothing would be stored. It lives on one worker (its loop, its OriginClient); join() and leave() may come
// from any. Owned by shared_ptr: the table, its tickets and the origin call in progress hold it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "revalidate/origin/origin_client.h"
#include "revalidate/origin/origin_health.h"
#include "revalidate/origin/origin_pool.h"
#include "revalidate/policy/policy_options.h"
#include "revalidate/policy/reason.h"
#include "revalidate/slices.h"
#include "storage/base/counters.h"
#include "storage/base/io_loop.h"
#include "storage/base/mutex.h"
#include "storage/fill.h"
#include "storage/tiered_store.h"

namespace freshet::revalidate {

class Flight;
class FlightTable;

enum class FlightOutcome {
  kStored,       // a response that is (being) stored; read it from `reader`, or, without one, from `response`
  kFreshened,    // the stored response is still good: `response` is the freshened one
  kNotStorable,  // for the starter alone: `response` and `reader`
  kFailed,       // no response; `reason` says why
  kAskAgain,     // this answer is not for you: look up again. `response`: where it is unstorable, its head
};

// What a waiter is told, once.
struct FlightAnswer {
  FlightOutcome outcome = FlightOutcome::kFailed;
  Reason reason = Reason::kNone;  // why it failed, or (not) stored
  // Head (and facts) of what came; its body is readable with kFreshened, and with kStored without a reader.
  storage::StoredResponsePtr response;
  std::unique_ptr<storage::FillReader> reader;
  std::optional<std::uint64_t> body_size;  // Content-Length as the origin stated it
  int origin_status = 304;                 // with kFreshened: 200 to HEAD, or with the content that is stored
  bool must_ask_alone = false;             // with kAskAgain: do not join another flight
  storage::MonoTime sent_at{};             // when the origin request left
  storage::Milliseconds origin_time{0};    // from there to the head
  std::string detail;                      // with kFailed: one line for the log
};

// One client request that waits. All callbacks run on `executor`.
struct FlightWaiter {
  storage::Executor* executor = nullptr;
  std::function<void(std::shared_ptr<FlightAnswer>)> answer;
  std::function<void()> wake;                                // the reader has something to read
  std::function<void(storage::ResponseHead)> informational;  // 1xx; only the starter's is called
  // Of the starter, on the flight's worker, before what answers an unsafe method is stored: what that answer
  // invalidates goes (RFC 9111, 4.4).
  std::function<void(const storage::ResponseHead&)> invalidate;
  storage::MonoTime arrived{};
  // Its If-None-Match names the entity tag of what is stored: where that was made from the content, it is
  // answered when the content is known to be the same or another.
  bool has_condition = false;
  // Set and read on the executor's thread: callbacks that are posted already do nothing.
  bool gone = false;
};

struct FlightRequest {
  storage::CacheKey key;
  storage::RequestHead request;         // the starter's, as received: policy reads it
  OriginRequest origin;                 // as forwarded; conditions are added from `stored`
  storage::VariantSetPtr stored;        // what may be validated; may be null
  storage::StoredResponsePtr selected;  // of `stored`, by the starter's header fields; may be null
  // A GET, or a POST: its answer may be the GET's (RFC 9110, 9.3.3).
  bool may_store = false;
  bool may_join = false;           // others may wait for the answer
  UploadSource* upload = nullptr;  // borrowed; the ticket's destructor ends its use
  bool for_range = false;          // the client's Range goes to the origin, and nothing is known of the key
  // A slice of a sliced response; `key` is the slice's, `whole_key` the response's.
  std::optional<SliceExpectation> slice{};
  storage::CacheKey whole_key{};
  // The beginning of the whole is stored, in memory: `origin` asks for the rest, and what comes is added to
  // it.
  storage::StoredResponsePtr beginning{};
  // FlightTable::ended() from before the store was asked; nothing: it is not to be looked up again.
  std::optional<std::uint64_t> looked_up_at{};
};

// The keys whose responses cannot be kept in slices, because the origin does no ranges or no tier takes the
// head; one worker's, bounded.
class SliceMemory {
 public:
  [[nodiscard]] bool knows(const storage::CacheKey& key) const;
  void remember(const storage::CacheKey& key);

 private:
  static constexpr std::size_t kMost = 4096;
  std::unordered_set<storage::Digest128, storage::Digest128Hash> unsliceable_;
};

// What flights of one worker share. Owned by the worker's server part; outlives its flights in progress.
struct FlightContext {
  storage::IoLoop& loop;
  OriginClient& client;
  OriginPool& pool;
  OriginHealth& health;
  storage::TieredStore& store;
  FlightTable& table;
  storage::FillBudget& fill_budget;
  const PolicyOptions& policy;
  storage::Counters& counters;
  std::uint64_t max_object = 0;  // bytes; a larger body is passed on, not stored
  // Flights in progress on this worker; what is left at shutdown is ended.
  std::unordered_set<Flight*> active;
  SliceOptions slices{};
  SliceMemory unsliceable{};
};

// Puts the validators of what is stored into the origin's request. False: there is nothing to validate.
bool add_conditions(FlightRequest& request);

// Invalidates what is stored of a URL, whole and in part: the memory of this ends with the process, so each
// has to be removed from what outlives it.
void invalidate_with_part(storage::TieredStore& store, const storage::CacheKey& key);

class Flight final : public OriginHandler, public std::enable_shared_from_this<Flight> {
 public:
  // A waiter's hold on the flight; on the waiter's thread. The destructor leaves it: no callback comes after.
  class Ticket {
   public:
    Ticket(std::shared_ptr<Flight> flight, std::shared_ptr<FlightWaiter> waiter);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

    // The client has sent more of its body.
    void upload_ready();

   private:
    const std::shared_ptr<Flight> flight_;
    const std::shared_ptr<FlightWaiter> waiter_;
  };

  // `slot`: its place in the table, if it can be joined.
  Flight(FlightRequest request, FlightContext& context, storage::Digest128 slot = {});
  ~Flight() override;

  // On the flight's worker; once.
  void start();

  // Any thread. Null: it has ended, or its answer is older than an invalidation; start another.
  [[nodiscard]] std::unique_ptr<Ticket> join(FlightWaiter waiter);
  // Any thread. Whether its answer is given: what it had for the store is there. A moment later the table
  // forgets it.
  [[nodiscard]] bool has_ended() const;
  // The first waiter; before start(). A flight without one is a background validation.
  [[nodiscard]] std::unique_ptr<Ticket> join_as_starter(FlightWaiter waiter);

  [[nodiscard]] const storage::CacheKey& key() const { return request_.key; }
  [[nodiscard]] const storage::Digest128& slot() const { return slot_; }

  // Ends it at once: its fill is cut, its waiters are told that it failed. On its worker.
  void abandon();

 private:
  // Bytes that a response which nobody stores may be ahead of its slowest reader.
  static constexpr std::size_t kFillWindow = 512 * 1024;

  enum class Phase { kAsking, kOpen, kClosed, kEnded };
  struct Waiting {
    std::shared_ptr<FlightWaiter> waiter;
    bool starter = false;
    storage::Sequence joined_at = 0;  // the newest invalidation by then
    // Where it waits while content comes: its place at the beginning.
    std::unique_ptr<storage::FillReader> reader{};
  };

  // OriginHandler.
  void on_sent() override;
  void on_informational(storage::ResponseHead head) override;
  void expect_content(std::uint64_t size) override { content_at_hand_ = size; }
  void on_head(storage::ResponseHead head, std::optional<std::uint64_t> body_size) override;
  Body on_body(std::string_view bytes) override;
  void on_complete(storage::HeaderFields trailers) override;
  void on_failure(OriginError error) override;

  void take_place(OriginPool::Permit permit);
  void fail_all(Reason reason, const std::string& detail);
  // For OriginContacts.
  void contacted(int status, Reason reason);
  void ask();
  [[nodiscard]] bool take_validation(const storage::ResponseHead& head);
  void ask_unconditionally();
  void take_304(const storage::ResponseHead& head);
  [[nodiscard]] bool take_head(const storage::ResponseHead& head);
  void answer_freshened(const storage::StoredResponsePtr& fresh, bool for_all, int origin_status);
  // Not forgotten by a hard invalidation, though a soft one may have made it stale.
  [[nodiscard]] bool is_alive(const storage::StoredResponsePtr& stored) const;
  [[nodiscard]] storage::StoredResponsePtr make_response(storage::StoredHead head,
                                                         const storage::StoredResponsePtr& body_of) const;
  [[nodiscard]] storage::StoredResponsePtr freshened(const storage::StoredResponsePtr& old,
                                                     const storage::ResponseHead& head,
                                                     storage::Sequence validated_at) const;
  void take_storable(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size);
  void invalidate_by_use(const storage::ResponseHead& head);
  // Of slice_flight.cc. False: it is an answer like any other.
  bool take_range_answer(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size);
  bool store_sliced_head(const storage::ResponseHead& whole, std::uint64_t size, std::function<void()> done);
  bool take_rest(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size);
  bool take_part(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size);
  void open_fill(std::shared_ptr<storage::Fill> fill, const storage::StoredResponsePtr& response,
                 std::optional<std::uint64_t> body_size);
  // Whether a body of this length is what the stored 206 says.
  [[nodiscard]] bool fits_its_place(std::uint64_t size) const;
  void take_slice(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size);
  void take_unstorable(const storage::ResponseHead& head, std::optional<std::uint64_t> body_size,
                       Reason reason);
  [[nodiscard]] std::unique_ptr<storage::StoreWriter> begin_writer(const storage::ResponseHead& head,
                                                                   std::optional<std::uint64_t> body_size);
  void take_difference();
  void take_equal(storage::StoredHead head);
  void begin_fill(std::unique_ptr<storage::StoreWriter> writer, std::optional<std::uint64_t> body_size);
  void commit_content();
  void answer_with_content(const storage::StoredResponsePtr& response, std::vector<Waiting> waiting);
  void add_own_tag(const storage::Digest128& digest);
  void answer_awaiting();
  [[nodiscard]] std::vector<Waiting> take_awaiting();
  void stop_awaiting();
  [[nodiscard]] std::vector<Waiting> take_answered_locked() REQUIRES(mutex_);
  [[nodiscard]] std::vector<Waiting> take_overtaken(std::vector<Waiting>& waiting,
                                                    const storage::StoredHead& answer) const;
  void send_off(const std::vector<Waiting>& overtaken) const;
  void answer_stored(std::vector<Waiting> waiting);
  [[nodiscard]] storage::StoredResponsePtr response_for(const Waiting& waiting,
                                                        const storage::StoredResponsePtr& response) const;
  [[nodiscard]] bool is_replaced() const;
  void take_whole(const storage::Fill::Sealed& sealed);
  void give_up_storing();
  void commit(storage::Fill::Sealed sealed);
  void end();
  void leave(const std::shared_ptr<FlightWaiter>& waiter);
  void end_if_unwanted();
  [[nodiscard]] std::shared_ptr<storage::Fill> current_fill();

  [[nodiscard]] std::shared_ptr<FlightAnswer> make_answer(FlightOutcome outcome, Reason reason,
                                                          storage::StoredResponsePtr response) const;
  static void post_answer(const std::shared_ptr<FlightWaiter>& waiter, std::shared_ptr<FlightAnswer> answer);
  void answer_with_fill(const std::shared_ptr<FlightWaiter>& waiter, FlightOutcome outcome, Reason reason,
                        const storage::StoredResponsePtr& response, std::optional<std::uint64_t> body_size,
                        std::unique_ptr<storage::FillReader> reader = nullptr);
  [[nodiscard]] std::unique_ptr<storage::FillReader> open_reader_locked(
      const std::shared_ptr<FlightWaiter>& waiter) REQUIRES(mutex_);
  [[nodiscard]] std::vector<Waiting> take_waiting(Phase next);
  [[nodiscard]] std::shared_ptr<FlightWaiter> starter();
  // Nobody joins from now on.
  [[nodiscard]] std::vector<std::shared_ptr<FlightWaiter>> take_latecomers();

  FlightRequest request_;
  FlightContext& context_;
  // For tickets: one of another worker's may outlive the context, not these two.
  FlightTable& table_;
  storage::IoLoop& loop_;
  const storage::Digest128 slot_;
  std::atomic<storage::Sequence> filled_at_;
  std::atomic<bool> conditional_{false};  // our conditions went out

  // The worker's own.
  std::shared_ptr<Flight> self_;  // while it is in progress, whoever else holds it
  std::unique_ptr<OriginPool::Wait> wait_;
  OriginPool::Permit permit_;
  std::unique_ptr<OriginCall> call_;
  bool body_paused_ = false;   // the fill has no room
  bool call_waits_ = false;    // the client was told to pause
  bool stored_to_be_ = false;  // the fill will be committed
  bool committing_ = false;    // its store has not said yet that it is there
  storage::StoredHead head_;   // to be committed
  // What comes with its head, in one piece, needs no Fill.
  std::uint64_t content_at_hand_ = 0;
  std::unique_ptr<storage::StoreWriter> content_writer_;
  storage::Chunk content_;
  Reason store_reason_ = Reason::kNone;
  std::optional<storage::HeaderFields> whole_fields_;  // for the starter, where some are not stored
  bool own_tag_ = false;                               // the content's hash becomes its entity tag
  std::unique_ptr<storage::IoTimer> await_timer_;
  storage::StoredResponsePtr compared_;  // may have the same content; null: not compared
  storage::WallTime request_time_{};
  storage::MonoTime sent_at_{};
  storage::Milliseconds origin_time_{0};
  bool background_ = false;  // began without a waiter

  mutable storage::Mutex mutex_;
  Phase phase_ GUARDED_BY(mutex_) = Phase::kAsking;
  std::vector<Waiting> waiting_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<FlightWaiter>> latecomers_ GUARDED_BY(mutex_);
  std::size_t interested_ GUARDED_BY(mutex_) = 0;  // tickets alive
  bool awaiting_ GUARDED_BY(mutex_) = false;       // all who wait are answered when the content is whole
  bool comparing_ GUARDED_BY(mutex_) = false;      // those with conditions when it is known for equal or not
  // For those who join while it fills.
  storage::StoredResponsePtr open_response_ GUARDED_BY(mutex_);
  std::optional<std::uint64_t> open_body_size_ GUARDED_BY(mutex_);
  std::shared_ptr<storage::Fill> fill_ GUARDED_BY(mutex_);
};

}  // namespace freshet::revalidate
