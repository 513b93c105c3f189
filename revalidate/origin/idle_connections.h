// IdleConnections: how long each kept origin connection has been idle, and whether it may carry another
// request. libcurl counts whole seconds and takes a connection on which unasked bytes wait; an origin that
// closes after five seconds, or that sent more than it announced, would then answer the wrong request.
//
// What is idle for longer than the limit is shut down (curl closes the descriptor when it next looks). A
// connection is named by its two ends, which is all that curl tells before it sends on one. Owned by the curl
// client; on the loop's thread. Owns no descriptor.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "storage/base/io_loop.h"

namespace freshet::revalidate {

class IdleConnections {
 public:
  IdleConnections(storage::IoLoop& loop, storage::Milliseconds limit);

  void went_idle(const std::string& ends, int descriptor);
  // A kept connection is about to be used again: whether it was not idle too long and is silent.
  [[nodiscard]] bool take(const std::string& ends);
  void closed(int descriptor);

 private:
  struct Idle {
    int descriptor;
    storage::MonoTime since;
  };

  void shut_expired();

  const storage::Milliseconds limit_;
  std::unique_ptr<storage::IoTimer> timer_;
  bool armed_ = false;
  std::unordered_map<std::string, Idle> idle_;
};

}  // namespace freshet::revalidate
