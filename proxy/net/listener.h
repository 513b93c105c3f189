// Listening sockets, and the Listener that accepts from one on a worker's loop.
//
// Each worker listens on a socket of its own (SO_REUSEPORT), opened together at start-up, so that a port
// which somebody else holds is found then: with SO_REUSEPORT alone a second bind would succeed silently. A
// unix socket has one queue, and so has one that the service manager passed: one worker accepts from it. A
// unix socket that nobody answers on is replaced; one that answers is in use.
//
// A Listener is owned by its worker and used on its thread; it is not destroyed from inside its own callback.
// Its destructor closes the socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/descriptor.h"
#include "proxy/net/socket_address.h"
#include "storage/base/io_loop.h"
#include "storage/base/log.h"
#include "storage/base/result.h"

namespace freshet::proxy {

class HandedSockets;

struct ListenOptions {
  int backlog = 4096;         // the kernel caps it at net.core.somaxconn
  unsigned unix_mode = 0660;  // permissions of a unix socket
  bool v6_only = false;       // `::` does not take IPv4 too
  // Those of the address that are there are taken instead of new ones. Null: none are.
  HandedSockets* handed = nullptr;
};

// `count` sockets (at least 1) on one address, non-blocking and listening; of a unix socket one. With port 0
// all are on the port that the first one got. Where there is no IPv6, `::` that is not v6_only is 0.0.0.0.
// The error is one line: "cannot listen on 127.0.0.1:80: permission denied".
[[nodiscard]] storage::Result<std::vector<Descriptor>> open_listening_sockets(
    const SocketAddress& address, std::size_t count, const ListenOptions& options = {});

// The address that a socket is bound to, its port known.
[[nodiscard]] SocketAddress local_address(const Descriptor& socket);

// What is accepted from a listening socket that was opened elsewhere is to have the same options.
void set_accepted_options(const Descriptor& socket);

// The file of a unix socket that this process listens on. Owned by who opened it; the destructor removes the
// file, unless by now it is another's.
class SocketFile {
 public:
  explicit SocketFile(std::string path);
  ~SocketFile();
  SocketFile(SocketFile&& other) noexcept;
  SocketFile& operator=(SocketFile&&) = delete;
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  // The sockets of this process are another's by now, and so are all the files. Any thread.
  static void leave_all();

 private:
  std::string path_;  // empty: none
  std::uint64_t device_ = 0;
  std::uint64_t number_ = 0;
};

class Listener {
 public:
  // The socket is non-blocking; TCP_NODELAY is set.
  using Accepted = std::function<void(Descriptor socket, const SocketAddress& peer)>;

  Listener(storage::IoLoop& loop, Descriptor socket, Accepted accepted);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] SocketAddress address() const { return local_address(socket_); }

  // Accepts whatever waits in the queue now. Before the destructor, which would reset it (G10).
  void accept_all();

 private:
  // True: there may be more.
  bool accept_batch();
  void rest(int error);

  const Descriptor socket_;
  const Accepted accepted_;
  storage::LogLimiter log_{storage::Milliseconds{5000}};
  std::unique_ptr<storage::IoWatch> watch_;
  std::unique_ptr<storage::IoTimer> rested_;
};

}  // namespace freshet::proxy
