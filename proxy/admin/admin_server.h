// AdminServer: answers operators and scrapers, apart from the clients. One request on a connection: a head of
// at most 8 KiB within ten seconds, GET or HEAD, the reply, close. At most 64 connections at once; further
// ones are closed at the door, so that a forgotten scraper cannot eat the process.
//
// Lives on the loop it is given and is used from that loop's thread alone (listening may be set up before the
// loop runs). Its destructor closes all; it must be destroyed on the loop's thread or after the loop has
// ended.
#pragma once

#include <cstdint>
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

  // `endpoint` answers requests for `path`. Before the first request.
  void route(const std::string& path, AdminEndpoint endpoint);

  // Returns where it listens, with the port that was chosen where `address` has 0. A unix socket is for the
  // process's owner and group.
  storage::Result<SocketAddress> listen(const SocketAddress& address);

  // Takes over a connected, non-blocking descriptor.
  void serve(Descriptor socket);

  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  friend class AdminConnection;
  [[nodiscard]] AdminReply answer(const AdminRequest& request) const;
  // A connection is done; it is destroyed in the loop's next turn, not under its own callback.
  void finished(std::uint64_t id);

  storage::IoLoop& loop_;
  std::map<std::string, AdminEndpoint> routes_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::map<std::uint64_t, std::unique_ptr<AdminConnection>> connections_;
  std::uint64_t next_id_ = 1;
  std::shared_ptr<AdminServer*> self_;  // posted tasks hold it weakly
};

}  // namespace freshet::proxy
