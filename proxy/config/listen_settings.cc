#include "proxy/config/listen_settings.h"

#include <netinet/in.h>
#include <string_view>

#include "proxy/net/socket_address.h"

namespace freshet::proxy {

namespace {

struct Named {
  std::string_view key;
  const ListenAddress* address;
};

// `::` that takes IPv4 too.
bool takes_both(const ListenAddress& listen, const SocketAddress& address) {
  return !listen.v6_only && address.family() == AF_INET6 && address.ip() == IpAddress{};
}

// Why the two cannot both be had; empty: they can.
std::string conflict(const ListenAddress& first, const ListenAddress& second) {
  if (!first.passed_name().empty() || !second.passed_name().empty()) {
    return first.where == second.where ? second.where + " is named twice" : "";
  }
  auto a = SocketAddress::parse(first.where);
  auto b = SocketAddress::parse(second.where);
  if (!a || !b || (!a->is_unix() && a->port() == 0)) return "";  // a free port is another each time
  if (a->text() == b->text()) return second.where + " is named twice";
  if (a->port() != b->port() || a->is_unix() || b->is_unix()) return "";
  const bool first_does = takes_both(first, *a) && b->family() == AF_INET;
  if (!first_does && !(takes_both(second, *b) && a->family() == AF_INET)) return "";
  const std::string& both = first_does ? first.where : second.where;
  const std::string& other = first_does ? second.where : first.where;
  return both + " takes IPv4 too, so " + other + " cannot stand beside it; write \"" + both + " v6only\"";
}

}  // namespace

std::vector<std::string> check_listen_settings(const Settings& settings) {
  std::vector<Named> all;
  for (const ListenAddress& address : settings.server.listen) all.push_back({"server.listen", &address});
  for (const ListenAddress& address : settings.tls.listen) all.push_back({"tls.listen", &address});
  if (all.empty()) return {"server.listen: names no address, and tls.listen none either"};
  std::vector<std::string> errors;
  for (std::size_t i = 1; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string reason = conflict(*all[j].address, *all[i].address);
      if (!reason.empty()) errors.push_back(std::string(all[i].key) + ": " + reason);
    }
  }
  return errors;
}

}  // namespace freshet::proxy
