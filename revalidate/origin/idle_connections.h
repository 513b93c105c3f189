// IdleConnections: how long each kept origin connection has been idle, and whether it may carry another
// request. libcurl counts whole seconds and takes a connection on which unasked bytes wait; an origin that
// closes after five seconds, or that sent more than it announced, would then answer the wrong request.
//
// What is idle for longer than the limit is shut down (curl closes the descriptor when it next looks). Owned
// by the curl client; on the loop's thread. Owns no descriptor.
#pragma once

#include <memory>
#include <unordered_map>

#include "storage/base/io_loop.h"

namespace freshet::revalidate {

class IdleConnections {
 public:
  IdleConnections(storage::IoLoop& loop, storage::Milliseconds limit);

  void went_idle(int descriptor);
  // A kept connection is about to be used again: whether it was not idle too long and is silent.
  [[nodiscard]] bool take(int descriptor);
  void closed(int descriptor) { since_.erase(descriptor); }

 private:
  void shut_expired();

  const storage::Milliseconds limit_;
  std::unique_ptr<storage::IoTimer> timer_;
  bool armed_ = false;
  std::unordered_map<int, storage::MonoTime> since_;
};

}  // namespace freshet::revalidate
