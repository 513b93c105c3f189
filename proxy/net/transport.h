// Transport: what lies between a session and its socket: the socket itself, or TLS on it. The same few verbs
// for both, so that a session knows neither sockets' flags nor OpenSSL. On a plain socket each verb is its
// one system call, and no virtual call is made.
//
// Owns the descriptor, and closes it. One owner, on its worker's thread. Never blocks: kBlocked means wait
// until the descriptor is readable (after read(), unless read_waits_for_room()) or writable (after write()).
#pragma once

#include <cstddef>
#include <memory>
#include <sys/uio.h>

#include "proxy/net/descriptor.h"

namespace freshet::proxy {

class TlsConnection;

enum class TransportOutcome {
  kDone,
  kBlocked,
  kEnd,     // the peer sends no more, and said so: it may still read
  kBroken,  // reset, or a TLS stream that broke off or is no TLS: close it
};

class Transport {
 public:
  explicit Transport(Descriptor socket);
  // TLS whose handshake is done; it works on `socket`.
  Transport(Descriptor socket, std::unique_ptr<TlsConnection> tls);
  ~Transport();
  Transport(Transport&&) noexcept;
  Transport& operator=(Transport&&) noexcept;

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  [[nodiscard]] bool secure() const { return tls_ != nullptr; }

  // What is there, at most `capacity`: kDone with `got` > 0.
  [[nodiscard]] TransportOutcome read(char* buffer, std::size_t capacity, std::size_t& got);
  // kDone: everything; else `written` tells how much. What was not written comes again with the next call,
  // from where it stopped, and perhaps more behind it.
  [[nodiscard]] TransportOutcome write(const iovec* pieces, std::size_t count, std::size_t& written);

  // Input is held here that the descriptor will not announce: read() again without waiting.
  [[nodiscard]] bool holds_input() const;
  // read() goes on when the descriptor is writable.
  [[nodiscard]] bool read_waits_for_room() const;

  // Tells the peer that no more comes, after all was written; it may still send. kBlocked: again when there
  // is room.
  TransportOutcome end_output();
  // `reset`: so that the peer sees that what it has is not all. Else TLS says that this is the end, if there
  // is room to.
  void close(bool reset);

 private:
  Descriptor socket_;
  std::unique_ptr<TlsConnection> tls_;
};

}  // namespace freshet::proxy
