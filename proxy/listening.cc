#include "proxy/listening.h"

#include <utility>

#include "proxy/net/socket_address.h"

namespace freshet::proxy {

using storage::Error;
using storage::Result;
using storage::Status;

Result<Listening> Listening::open(const Settings& settings, PassedSockets passed, HandedSockets* handed) {
  Listening listening(settings.server.workers, handed);
  for (const ListenAddress& address : settings.server.listen) {
    if (Status added = listening.add(address, false, passed); !added) {
      return Error{"server.listen: " + added.error()};
    }
  }
  for (const ListenAddress& address : settings.tls.listen) {
    if (Status added = listening.add(address, true, passed); !added) {
      return Error{"tls.listen: " + added.error()};
    }
  }
  // Clients would wait in its queue for ever.
  const std::vector<std::string> left = passed.left();
  if (!left.empty()) {
    return Error{"server.listen: a socket was passed as \"" + left.front() +
                 "\", and neither it nor tls.listen names systemd:" + left.front()};
  }
  return listening;
}

Status Listening::add(const ListenAddress& address, bool secure, PassedSockets& passed) {
  if (const std::string_view name = address.passed_name(); !name.empty()) {
    std::vector<Descriptor> taken = passed.take(name);
    if (taken.empty())
      return Error{"no socket was passed as \"" + std::string(name) + "\" (LISTEN_FDS, LISTEN_FDNAMES)"};
    for (Descriptor& socket : taken) {
      set_accepted_options(socket);
      tell(socket, secure);
      add_queue(std::move(socket), address, secure);
    }
    return {};
  }
  std::vector<Descriptor> opened;
  if (Status status = open_sockets(address, opened); !status) return status;
  tell(opened.front(), secure);
  if (opened.size() == 1) {
    add_queue(std::move(opened.front()), address, secure);
    return {};
  }
  for (std::size_t i = 0; i < opened.size(); ++i) {
    sockets_[i].push_back({std::move(opened[i]), {secure, address.proxy_protocol}});
  }
  return {};
}

Status Listening::open_sockets(const ListenAddress& address, std::vector<Descriptor>& opened) {
  auto where = SocketAddress::parse(address.where);
  if (!where) return Error{where.error()};
  ListenOptions options;
  options.unix_mode = address.mode;
  options.v6_only = address.v6_only;
  options.handed = handed_;
  auto sockets = open_listening_sockets(*where, sockets_.size(), options);
  if (!sockets) return Error{sockets.error()};
  opened = sockets.take();
  if (where->is_unix()) files_.emplace_back(std::string(where->path()));
  return {};
}

void Listening::add_queue(Descriptor socket, const ListenAddress& address, bool secure) {
  sockets_[queues_++ % sockets_.size()].push_back({std::move(socket), {secure, address.proxy_protocol}});
}

void Listening::tell(const Descriptor& socket, bool secure) {
  const SocketAddress bound = local_address(socket);
  // Those of TLS come last.
  if (!text_.empty()) text_ += secure && text_.find("https") == std::string::npos ? " and " : ", ";
  text_ += secure ? "https" : "http";
  text_ += (bound.is_unix() ? " on " : "://") + bound.text();
}

}  // namespace freshet::proxy
