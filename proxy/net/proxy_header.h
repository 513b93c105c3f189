// ProxyHeader: the PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt): what a proxy in
// front says, ahead of everything else on a connection, about the client that it speaks for.
//
// Strict: what the specification does not allow a sender is refused, and nothing is guessed, for the address
// decides who may purge and what the origin is told. Bounded: version 1 to its 107 bytes, version 2 to
// kLongest behind its first 16.
//
// A plain value with no I/O; take() never reads past the header, so what follows stays for the next protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/net/ip_address.h"
#include "proxy/net/socket_address.h"

namespace freshet::proxy {

class ProxyHeader {
 public:
  enum class State : std::uint8_t { kMore, kDone, kBad };

  // Addresses and TLVs of version 2.
  static constexpr std::size_t kLongest = 4096;

  // Takes from `bytes`, which follow those that were taken before, what belongs to the header, and returns
  // how many that were: all of them while the state is kMore. What is bad may be taken in any number.
  std::size_t take(std::string_view bytes);

  [[nodiscard]] State state() const { return state_; }
  // kBad: why, in a few words.
  [[nodiscard]] std::string_view error() const { return error_; }
  // kDone: no address was told (LOCAL, UNKNOWN, AF_UNSPEC): the connection's own ends count.
  [[nodiscard]] bool is_local() const { return local_; }
  // kDone: the client's. Nothing where none was told, or where it is a unix socket's.
  [[nodiscard]] const std::optional<SocketAddress>& source() const { return source_; }

 private:
  // How many bytes surely belong to the header, of those that come next.
  [[nodiscard]] std::size_t wanted() const;
  void look();
  void look_at_line();
  void read_line(std::string_view line);
  void look_at_binary();
  void read_binary();
  void read_addresses(unsigned family, std::string_view block);
  void read_values(std::size_t at);
  void fail(std::string_view why);

  std::string bytes_;
  State state_ = State::kMore;
  bool local_ = false;
  std::string_view error_;
  std::optional<SocketAddress> source_;
};

}  // namespace freshet::proxy
