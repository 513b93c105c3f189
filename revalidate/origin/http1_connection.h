// Http1Connection: one TCP connection to the origin, and the request that it carries now.
//
//     Closed ── open() ──> Naming ── addresses ──> Connecting ── up ──> Busy ── whole ──> Idle ── send() ──>
//     Busy
//
// From each of them back to Closed: a failure, let_go(), a time-out, an answer after which the connection
// must not be used again (RFC 9112, 9.3 and 9.6; bytes behind the answer), or the origin's own end.
//
// The descriptor is watched for reading from when it is up to its end, so that neither a request nor the end
// of one costs a system call for that, and an end while idle is seen. One timer follows the deadline lazily:
// it is armed anew only where a deadline is earlier than what it waits for.
//
// Private to Http1Client, which owns it, keeps it when it is closed, and is told by Http1Owner. On its loop's
// thread. It calls the handler's on_sent() to on_body(); the last callback is the client's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "revalidate/origin/origin_addresses.h"
#include "revalidate/origin/origin_options.h"
#include "revalidate/origin/response_reader.h"
#include "storage/base/counters.h"
#include "storage/base/io_loop.h"

namespace freshet::revalidate {

class Http1Call;
class Http1Connection;

// What the connections of one client share, and whom they tell.
class Http1Owner {
 public:
  Http1Owner(storage::IoLoop& its_loop, OriginOptions its_options, storage::Counters& its_counters,
             OriginAddresses::Resolve resolve);
  virtual ~Http1Owner() = default;
  Http1Owner(const Http1Owner&) = delete;
  Http1Owner& operator=(const Http1Owner&) = delete;

  // The call's response is whole. `connection` is idle, or closed.
  virtual void completed(Http1Connection& connection, Http1Call& call, storage::HeaderFields trailers) = 0;
  // It is closed.
  virtual void failed(Http1Connection& connection, Http1Call& call, OriginError error) = 0;
  // It is closed: it was dead before the request came, which may be sent on another.
  virtual void was_dead(Http1Connection& connection, Http1Call& call) = 0;
  // It was idle, and is closed.
  virtual void ended_idle(Http1Connection& connection) = 0;
  // The addresses that connections in Naming wait for.
  virtual void addresses_known(const OriginAddresses::List& list, const std::string& why) = 0;

  storage::IoLoop& loop;
  const OriginOptions options;
  storage::Counters& counters;
  OriginAddresses addresses;
  std::vector<char> received;  // what one read brings; handed on before the next
  std::string request_text;    // as one write takes it
};

class Http1Connection {
 public:
  explicit Http1Connection(Http1Owner& owner);
  ~Http1Connection();
  Http1Connection(const Http1Connection&) = delete;
  Http1Connection& operator=(const Http1Connection&) = delete;

  // Closed -> Naming or further; sends the call's request when it is up.
  void open(Http1Call& call);
  // Idle -> Busy.
  void send(Http1Call& call);
  // Idle: not for too long, and nothing has come, not even an end.
  [[nodiscard]] bool is_fit() const;
  void close();
  // The call is gone: closed, and no callback comes.
  void let_go();
  // After the handler paused; not from inside its callback.
  void resume();

  [[nodiscard]] bool is_idle() const { return state_ == State::kIdle; }
  [[nodiscard]] bool is_naming() const { return state_ == State::kNaming; }
  void take_addresses(const OriginAddresses::List& list, const std::string& why);
  [[nodiscard]] Http1Call* call() const { return call_; }

 private:
  enum class State { kClosed, kNaming, kConnecting, kBusy, kIdle };

  void try_next_address();
  // False: not at this address.
  bool try_address(const SocketEnd& end);
  void close_descriptor();
  void connected();
  void connect_failed();
  void begin_request(Http1Call& call);
  void write_request();
  void write_rest();
  void on_ready(storage::IoReady ready);
  void read();
  void take(std::string_view bytes);
  // The next line of a head out of `bytes`. False: the response is over, or its head is not whole yet.
  bool take_line(std::string_view& bytes);
  void take_body(std::string_view bytes);
  void head_taken();
  void whole(bool clean);
  void stream_ended();
  void stream_broken(int os_error);
  void died();
  void fail(OriginFailure failure, std::string detail);
  Http1Call& detach();

  void update_interest();
  void set_deadline(storage::MonoTime due);
  void look_at_deadline();
  void expired();
  void response_clock_starts();

  Http1Owner& owner_;
  State state_ = State::kClosed;
  Http1Call* call_ = nullptr;
  int descriptor_ = -1;
  std::unique_ptr<storage::IoWatch> watch_;

  // Connecting.
  OriginAddresses::List addresses_;
  std::size_t next_address_ = 0;
  storage::MonoTime give_up_connecting_{};
  int connect_error_ = 0;

  bool kept_ = false;  // it has carried a whole response
  std::string unsent_;
  bool send_failed_ = false;
  ResponseReader reader_;
  std::string line_;  // of a head, so far
  bool paused_ = false;
  std::string held_;  // what was read and the handler has not taken

  std::unique_ptr<storage::IoTimer> timer_;
  std::optional<storage::MonoTime> due_;
  std::optional<storage::MonoTime> timer_due_;
  storage::MonoTime idle_since_{};
};

}  // namespace freshet::revalidate
