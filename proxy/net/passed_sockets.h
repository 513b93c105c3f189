// PassedSockets: listening sockets that the service manager opened and handed on (systemd socket activation,
// sd_listen_fds(3)): descriptors from 3 on, as many as LISTEN_FDS says, for the process LISTEN_PID, with the
// names of LISTEN_FDNAMES. Several may have one name. Without libsystemd: the protocol is those three words.
//
// Taken once, at start, on the main thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/net/descriptor.h"
#include "storage/base/result.h"

namespace freshet::proxy {

// The three variables; empty where unset.
struct PassedSocketsEnvironment {
  std::string pid;
  std::string count;
  std::string names;
};
[[nodiscard]] PassedSocketsEnvironment read_passed_sockets_environment();

// The names of what was passed to the process `pid`, in the descriptors' order; "unknown" where there are no
// names. None where nothing was passed to it. An error where the variables contradict each other.
[[nodiscard]] storage::Result<std::vector<std::string>> passed_socket_names(
    const PassedSocketsEnvironment& environment, int pid);

class PassedSockets {
 public:
  static constexpr int kFirst = 3;

  // Owns the descriptors from `first` on, one for each name; whoever runs another program does not pass them
  // on again. An error where one of them is no stream socket that listens.
  static storage::Result<PassedSockets> adopt(std::vector<std::string> names, int first = kFirst);

  // Of those that were handed on under their names.
  static PassedSockets of(std::vector<std::pair<std::string, Descriptor>> sockets);
  // By their descriptors. Before take().
  [[nodiscard]] std::map<int, std::string> names() const;

  // All of that name, non-blocking; they are the caller's.
  [[nodiscard]] std::vector<Descriptor> take(std::string_view name);
  // Of those that nobody has taken, each name once.
  [[nodiscard]] std::vector<std::string> left() const;

 private:
  struct Passed {
    std::string name;
    Descriptor socket;
  };
  std::vector<Passed> passed_;
};

}  // namespace freshet::proxy
