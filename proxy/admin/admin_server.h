// AdminServer: answers operators and scrapers, apart from the clients. One request on a connection: a head of
// at most 8 KiB and a POST's content of at most 1 MiB within ten seconds, the reply, close. An action may
// take a minute. At most 64 connections at once; further ones are closed at the door, so that a forgotten
// scraper cannot eat the process. Each listener says who may ask (AdminAccess).
//
// Lives on the loop it is given and is used from that loop's thread alone (listening may be set up before the
// loop runs). Its destructor closes all; it must be destroyed on the loop's thread or after the loop has
// ended.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/admin/admin_request.h"
#include "proxy/net/listener.h"
#include "storage/base/io_loop.h"
#include "storage/base/result.h"

namespace freshet::proxy {

class AdminConnection;

class AdminServer {
 public:
  explicit AdminServer(storage::IoLoop& loop);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  ~AdminServer();

  enum class Asks { kPermission, kNone };

  // `endpoint` answers GET and HEAD for `path`; with kNone, whoever asks. Before the first request.
  void route(const std::string& path, AdminEndpoint endpoint, Asks asks = Asks::kPermission);
  // `action` answers POST with JSON for `path`, now or later. Before the first request.
  void route_post(const std::string& path, AdminAction action);

  // Returns where it listens, with the port that was chosen where `address` has 0. A unix socket is for the
  // process's owner and group, and asks for nothing; elsewhere an empty `token` asks for none.
  // `handed`: ListenOptions::handed.
  storage::Result<SocketAddress> listen(const SocketAddress& address, const std::string& token = "",
                                        HandedSockets* handed = nullptr);
  // What waits in the queues is left there.
  void stop_listening() { listeners_.clear(); }

  // Takes over a connected, non-blocking descriptor. `client`: AdminRequest::client.
  void serve(Descriptor socket, AdminAccess access, std::string client = "");

  // Calls `idle` once, now or as soon as no request is under way: of none that has begun to arrive is the
  // reply still to be sent. Further ones are answered meanwhile.
  void when_idle(std::function<void()> idle);

  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  friend class AdminConnection;
  struct Route {
    AdminEndpoint endpoint;  // one of the two
    AdminAction action;
    Asks asks = Asks::kPermission;
  };
  // The route for a request, or why there is none.
  [[nodiscard]] const Route* find_route(const AdminRequest& request, const AdminAccess& access,
                                        AdminReply& refusal) const;
  // Gives the reply to the connection of that number, where it is still there.
  [[nodiscard]] AdminAnswer answer_to(std::uint64_t id) const;
  // A reply was sent, or its connection has come to an end.
  void progressed();
  // A connection is done; it is destroyed in the loop's next turn, not under its own callback.
  void finished(std::uint64_t id);

  storage::IoLoop& loop_;
  std::map<std::string, Route> routes_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::map<std::uint64_t, std::unique_ptr<AdminConnection>> connections_;
  std::uint64_t next_id_ = 1;
  std::function<void()> idle_;
  std::shared_ptr<AdminServer*> self_;  // posted tasks hold it weakly
};

}  // namespace freshet::proxy
