#include "proxy/listening.h"

#include <algorithm>
#include <utility>

#include "proxy/net/socket_address.h"

namespace freshet::proxy {

using storage::Error;
using storage::Result;
using storage::Status;

namespace {

// Whether a socket of `held` does for `wanted`, whatever is to come on it.
bool is_same_socket(const ListenAddress& held, const ListenAddress& wanted) {
  if (held.v6_only != wanted.v6_only || held.mode != wanted.mode) return false;
  if (held.where == wanted.where) return true;
  auto a = SocketAddress::parse(held.where);
  auto b = SocketAddress::parse(wanted.where);
  return a.ok() && b.ok() && a->text() == b->text();
}

bool has_place(const std::vector<ListenerId>& ids, ListenerId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

Result<Listening::Next> Listening::prepare(const Settings& settings) {
  Next next;
  next.opened_.resize(workers_);
  next.queues_ = queues_;
  next.last_id_ = last_id_;
  for (const ListenAddress& address : settings.server.listen) {
    if (Status added = add(next, address, false); !added) return Error{"server.listen: " + added.error()};
  }
  for (const ListenAddress& address : settings.tls.listen) {
    if (Status added = add(next, address, true); !added) return Error{"tls.listen: " + added.error()};
  }
  if (Status closed = close_others(next); !closed) return Error{"server.listen: " + closed.error()};
  return next;
}

void Listening::adopt(Next& next) {
  places_ = next.places_;
  next.places_.clear();
  queues_ = next.queues_;
  last_id_ = next.last_id_;
}

Status Listening::add(Next& next, const ListenAddress& address, bool secure) {
  Place place{address, secure, 0};
  if (const Place* const kept = kept_for(next, address)) {
    place.id = kept->id;
    place.bound = kept->bound;
    place.file = kept->file;
    if (place.kind() != kept->kind()) next.changes_.kinds.emplace_back(place.id, place.kind());
    next.places_.push_back(std::move(place));
    return {};
  }
  place.id = ++next.last_id_;
  return address.passed_name().empty() ? open(next, std::move(place)) : add_passed(next, std::move(place));
}

// Of those that no other address of the next list has.
const Listening::Place* Listening::kept_for(const Next& next, const ListenAddress& address) const {
  for (const Place& held : places_) {
    const bool taken = std::any_of(next.places_.begin(), next.places_.end(),
                                   [&](const Place& other) { return other.id == held.id; });
    if (!taken && is_same_socket(held.address, address)) return &held;
  }
  return nullptr;
}

Status Listening::add_passed(Next& next, Place place) {
  const std::string name(place.address.passed_name());
  std::vector<Descriptor> taken = passed_.take(name);
  if (taken.empty()) return Error{"no socket was passed as \"" + name + "\" (LISTEN_FDS, LISTEN_FDNAMES)"};
  for (Descriptor& socket : taken) {
    set_accepted_options(socket);
    place.bound.push_back(local_address(socket).text());
    add_queue(next, std::move(socket), place);
  }
  next.places_.push_back(std::move(place));
  return {};
}

Status Listening::open(Next& next, Place place) const {
  auto where = SocketAddress::parse(place.address.where);
  if (!where) return Error{where.error()};
  ListenOptions options;
  options.unix_mode = place.address.mode;
  options.v6_only = place.address.v6_only;
  options.handed = handed_;
  auto opened = open_listening_sockets(*where, workers_, options);
  if (!opened) return Error{opened.error()};
  std::vector<Descriptor> sockets = opened.take();
  place.bound.push_back(local_address(sockets.front()).text());
  if (where->is_unix()) place.file = std::make_shared<const SocketFile>(std::string(where->path()));
  if (sockets.size() == 1) {
    add_queue(next, std::move(sockets.front()), place);
  } else {
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      next.opened_[i].push_back({std::move(sockets[i]), place.kind(), place.id});
    }
  }
  next.places_.push_back(std::move(place));
  return {};
}

void Listening::add_queue(Next& next, Descriptor socket, const Place& place) const {
  next.opened_[next.queues_++ % workers_].push_back({std::move(socket), place.kind(), place.id});
}

// Clients would wait for ever in the queue of a passed socket that nobody accepts from: who passed it has it
// too.
Status Listening::close_others(Next& next) const {
  if (const std::vector<std::string> left = passed_.left(); !left.empty()) {
    return Error{"a socket was passed as \"" + left.front() +
                 "\", and neither it nor tls.listen names systemd:" + left.front()};
  }
  std::vector<ListenerId> named;
  for (const Place& place : next.places_) named.push_back(place.id);
  for (const Place& held : places_) {
    if (has_place(named, held.id)) continue;
    if (const std::string_view name = held.address.passed_name(); !name.empty()) {
      return Error{"a socket was passed as \"" + std::string(name) +
                   "\", so neither it nor tls.listen may leave out systemd:" + std::string(name)};
    }
    next.changes_.closed.push_back(held.id);
  }
  return {};
}

std::string Listening::text() const {
  std::string text;
  bool secure_yet = false;
  for (const Place& place : places_) {
    for (const std::string& bound : place.bound) {
      // Those of TLS come last.
      if (!text.empty()) text += place.secure && !secure_yet ? " and " : ", ";
      secure_yet = place.secure;
      text += place.secure ? "https" : "http";
      text += (bound.starts_with("unix:") ? " on " : "://") + bound;
    }
  }
  return text;
}

void Listening::remove_files() {
  for (Place& place : places_) place.file.reset();
}

}  // namespace freshet::proxy
