// Listening sockets of the admin plane: a unix socket, which only the owner and its group may use (mode
// 0660), and TCP. A socket file that a killed process left behind is replaced; one that a live process
// answers on is an error.
//
// Opened at start on the main thread; owned by AdminServer.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>

#include "storage/base/result.h"

namespace freshet::proxy {

// A listening descriptor, not blocking; its destructor closes it and removes the socket file that is its own.
class AdminSocket {
 public:
  static storage::Result<AdminSocket> listen_unix(const std::string& path);
  // Port 0 takes a free one, which port() names.
  static storage::Result<AdminSocket> listen_tcp(const std::string& host, std::uint16_t port);

  AdminSocket(AdminSocket&& other) noexcept;
  AdminSocket& operator=(AdminSocket&&) = delete;
  ~AdminSocket();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  explicit AdminSocket(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
  std::uint16_t port_ = 0;
  std::string path_;  // of a unix socket
  dev_t device_ = 0;  // which file at path_ is ours
  ino_t inode_ = 0;
};

}  // namespace freshet::proxy
