// TlsConnection: one client's TLS, by OpenSSL (which this header does not name), straight on the socket. The
// server's side: handshake() until it is done, then the verbs of Transport.
//
// Bodies are encrypted from where they stand, in records of 16 KiB; what is smaller (a head, a head and a
// small body, several answers) is first put together in the worker's scratch, so that it is one record and
// one system call. Nothing is allocated here for a request. A client that breaks the stream off without TLS's
// own end (close_notify) is broken, not at its end.
//
// KeyUpdate (RFC 8446, 4.6.3) costs a client little and us new keys, so a flood of them breaks the
// connection.
//
// The library writes without MSG_NOSIGNAL, so the process ignores SIGPIPE. Owned by a Transport, or during
// the handshake by the TlsAcceptor; does not own the descriptor. On its worker's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/net/coarse_timer.h"
#include "proxy/net/event_loop.h"
#include "proxy/net/transport.h"

struct ssl_st;

namespace freshet::proxy {

class TlsContext;

class TlsConnection;

// What the connections of one worker share: where a record is put together, and the look, once a while, at
// who is idle. OpenSSL holds some 34 KiB of buffers for a connection; taking and giving them back for every
// request would cost more than the request, so they are given back when a connection has been idle for as
// long as `idle`, or up to twice that. Outlives the connections.
class TlsWorker {
 public:
  static constexpr std::size_t kRecord = 16 * 1024;  // the most that a record holds (RFC 8446, 5.1)

  TlsWorker(EventLoop& loop, CoarseTimers& timers, storage::Milliseconds idle);
  TlsWorker(const TlsWorker&) = delete;
  TlsWorker& operator=(const TlsWorker&) = delete;

  // Connections that hold buffers.
  [[nodiscard]] std::size_t holding() const { return holding_.size(); }

 private:
  friend class TlsConnection;

  void look();

  EventLoop& loop_;
  CoarseTimers& timers_;
  DeadlineList& looks_;
  Deadline next_look_;
  std::vector<TlsConnection*> holding_;  // each knows its place
  std::array<char, kRecord> scratch_;
};

class TlsConnection {
 public:
  TlsConnection(std::shared_ptr<const TlsContext> context, TlsWorker& worker, int descriptor);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  // One step: kDone when it is done, kBlocked: wait for input, or for room if handshake_waits_for_room().
  // kEnd: the client left without a word.
  [[nodiscard]] TransportOutcome handshake();
  [[nodiscard]] bool handshake_waits_for_room() const { return waits_for_room_; }
  // Bytes have come from the client.
  [[nodiscard]] bool heard() const;
  // After kBroken: why, for the log; and whether the client speaks plain HTTP.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool is_plain_http() const { return plain_http_; }

  // After the handshake.
  [[nodiscard]] bool resumed() const;
  // What ALPN settled on; empty: the client did not ask.
  [[nodiscard]] std::string_view protocol() const;

  // As in Transport.
  [[nodiscard]] TransportOutcome read(char* buffer, std::size_t capacity, std::size_t& got);
  [[nodiscard]] TransportOutcome write(const iovec* pieces, std::size_t count, std::size_t& written);
  [[nodiscard]] bool holds_input() const { return holds_input_; }
  [[nodiscard]] bool read_waits_for_room() const { return waits_for_room_; }
  // close_notify.
  [[nodiscard]] TransportOutcome say_end();

 private:
  friend class TlsWorker;
  // The library calls it for each message of a handshake, and for those that come behind it.
  static void heard_message(const ssl_st* ssl, int where, int result);
  void count_message();
  struct Release {
    void operator()(ssl_st* ssl) const;
  };
  static constexpr std::size_t kNowhere = SIZE_MAX;
  // Messages behind the handshake in one span. All that a client has to say is KeyUpdate, which is counted up
  // to three times and due after gigabytes.
  static constexpr int kMostMessages = 64;
  static constexpr storage::Milliseconds kMessageSpan{10'000};

  void use_buffers();
  void leave_holding();

  TransportOutcome outcome_of(int result);
  void note_failure(int error);

  const std::shared_ptr<const TlsContext> context_;  // its callbacks are called until the end
  TlsWorker& worker_;
  std::size_t place_ = kNowhere;  // in TlsWorker::holding_
  bool used_ = false;             // since the last look
  const std::unique_ptr<ssl_st, Release> ssl_;
  std::string failure_;
  bool plain_http_ = false;
  bool broken_ = false;
  bool waits_for_room_ = false;  // reading, or the handshake
  bool holds_input_ = false;
  bool established_ = false;
  int messages_ = 0;  // in the span that began then
  storage::MonoTime messages_since_{};
};

}  // namespace freshet::proxy
