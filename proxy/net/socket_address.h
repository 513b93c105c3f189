// SocketAddress: where we listen, or who connected: an IP address and port, or the path of a unix socket.
// A plain value; no thread rules. No names are looked up: a setting names an address.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>

#include "proxy/net/ip_address.h"
#include "storage/base/result.h"

namespace freshet::proxy {

class SocketAddress {
 public:
  // "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (127.0.0.1), "*:8080" or ":8080" (every address of both
  // families), "unix:/path". Port 0: a free one. The error names what is wrong with `text`.
  [[nodiscard]] static storage::Result<SocketAddress> parse(std::string_view text);
  [[nodiscard]] static SocketAddress of(const sockaddr_storage& address, socklen_t size);
  [[nodiscard]] static SocketAddress of(const IpAddress& ip, std::uint16_t port);

  [[nodiscard]] const sockaddr* raw() const;
  [[nodiscard]] socklen_t raw_size() const { return size_; }
  [[nodiscard]] int family() const { return address_.ss_family; }

  [[nodiscard]] bool is_unix() const { return family() == AF_UNIX; }
  // Of a unix socket; empty for one without a name.
  [[nodiscard]] std::string_view path() const;
  // Nothing for a unix socket.
  [[nodiscard]] std::optional<IpAddress> ip() const;
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] SocketAddress with_port(std::uint16_t port) const;

  // As parse() reads it: "127.0.0.1:8080", "[::1]:8080", "unix:/path".
  [[nodiscard]] std::string text() const;

 private:
  SocketAddress() = default;

  sockaddr_storage address_{};
  socklen_t size_ = 0;
};

}  // namespace freshet::proxy
