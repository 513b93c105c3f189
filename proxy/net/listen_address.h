// ListenAddress: where clients connect, as a setting says it: an address and words about it.
//
//   127.0.0.1:8080   [::1]:8080   *:80                 an IP address; [::] and * take both families
//   [::]:80 v6only                                     IPv6 alone
//   unix:/run/freshet/http.sock mode=0666              a unix socket, with its permissions
//   systemd:http                                       all sockets that were passed with that name
//   10.0.0.1:8081 proxy_protocol                       each connection begins with a PROXY header
//
// A plain value; no thread rules.
#pragma once

#include <string>
#include <string_view>

#include "proxy/net/socket_address.h"
#include "storage/base/result.h"

namespace freshet::proxy {

struct ListenAddress {
  static constexpr unsigned kUsualMode = 0660;

  std::string where = {};  // as SocketAddress::parse() reads it, or systemd:NAME
  bool proxy_protocol = false;
  bool v6_only = false;
  unsigned mode = kUsualMode;  // of a unix socket

  // The error says what is wrong with `text`, and shows a form that works.
  [[nodiscard]] static storage::Result<ListenAddress> parse(std::string_view text);
  // As parse() reads it.
  [[nodiscard]] std::string text() const;

  // Empty where it is none that was passed.
  [[nodiscard]] std::string_view passed_name() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

}  // namespace freshet::proxy
