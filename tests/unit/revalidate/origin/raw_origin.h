// RawOrigin: an origin of which a test says every byte. It listens on a free loopback port; each connection
// runs the script on a thread of its own, with the connection's number. Its destructor cuts what is open and
// joins. Every wait ends after twenty seconds, so that a broken test ends.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/mutex.h"

namespace freshet::revalidate {

class RawConnection {
 public:
  explicit RawConnection(int descriptor) : descriptor_(descriptor) {}

  // Up to and with the empty line; what came until the end of the connection, if that was earlier.
  std::string read_head();
  std::string read_exactly(std::size_t size);
  // What is there next; empty at the end of the connection.
  std::string read_some();
  // Up to and with `mark`.
  std::string read_to(const std::string& mark);
  void send(const std::string& bytes) const;
  // Waits until the peer closes; what came meanwhile.
  std::string read_all();
  // Ends with RST instead of FIN.
  void reset();
  void close();
  void end_sending() const;

 private:
  bool read_more();

  int descriptor_;
  std::string buffer_;
};

// A client's connection to a loopback port.
[[nodiscard]] RawConnection connect_to(std::uint16_t port);

class RawOrigin {
 public:
  using Script = std::function<void(RawConnection&, int number)>;
  explicit RawOrigin(Script script);
  ~RawOrigin() NO_THREAD_SAFETY_ANALYSIS;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int connections() const;
  // Whether the script of that connection has ended and its end has been sent.
  [[nodiscard]] bool closed(int number) const;
  void wait_closed(int number);

 private:
  void accept_all();

  Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable storage::Mutex mutex_;
  storage::CondVar changed_;
  std::vector<int> open_ GUARDED_BY(mutex_);
  std::vector<int> closed_ GUARDED_BY(mutex_);
  int accepted_ GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace freshet::revalidate
