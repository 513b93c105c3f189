#include "proxy/admin/top_endpoint.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "proxy/admin/admin_server.h"

namespace freshet::proxy {

namespace {

constexpr std::size_t kMostTold = 1024;

}  // namespace

std::string top_json(const std::vector<TargetUse>& targets) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < std::min(targets.size(), kMostTold); ++i) {
    const TargetUse& use = targets[i];
    nlohmann::ordered_json one;
    one["target"] = use.target;
    one["requests"] = use.requests;
    one["overcount"] = use.overcount;
    one["hits"] = use.hits;
    one["bytes"] = use.bytes;
    one["seconds"] = static_cast<double>(use.time.count()) / 1e6;
    list.push_back(std::move(one));
  }
  nlohmann::ordered_json out;
  out["targets"] = std::move(list);
  // Targets are the clients' bytes.
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void add_top_endpoint(AdminServer& server, TopTargets& targets) {
  server.route("/v1/top", [&targets](const AdminRequest&) {
    AdminReply reply = plain_admin_reply(200, top_json(targets.look(storage::mono_now())));
    reply.content_type = "application/json";
    return reply;
  });
}

}  // namespace freshet::proxy
