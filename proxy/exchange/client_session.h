// ClientSession: what the worker knows of a client's connection, whatever protocol it speaks. Made for an
// accepted connection, start() once, drain() at most once; it tells its context when it is over and is
// destroyed in a later turn. On its worker's thread.
#pragma once

namespace freshet::proxy {

class ClientSession {
 public:
  virtual ~ClientSession() = default;
  // Begins to read.
  virtual void start() = 0;
  // Ends as soon as what has been accepted is answered.
  virtual void drain() = 0;
};

}  // namespace freshet::proxy
