#include "proxy/admin/upgrade_endpoint.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "proxy/admin/admin_server.h"

namespace freshet::proxy {

void add_upgrade_endpoint(AdminServer& server, std::function<void(UpgradeAnswer)> upgrade) {
  server.route_post("/v1/upgrade", [upgrade = std::move(upgrade)](const AdminRequest& /*request*/,
                                                                  const AdminAnswer& answer) {
    upgrade([answer](pid_t next, const std::string& error) {
      nlohmann::json reply = {{"upgraded", error.empty()}};
      if (error.empty()) reply["pid"] = next;
      if (!error.empty()) reply["error"] = error;
      const auto text = reply.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      AdminReply said = plain_admin_reply(error.empty() ? 200 : 409, text + "\n");
      said.content_type = "application/json";
      answer(std::move(said));
    });
  });
}

storage::Result<pid_t> parse_upgrade_reply(const std::string& json) {
  const auto reply = nlohmann::json::parse(json, nullptr, false);
  if (!reply.is_object()) return storage::Error{"the edge's answer is not understood"};
  if (const auto pid = reply.find("pid"); pid != reply.end() && pid->is_number_integer())
    return pid->get<pid_t>();
  const auto error = reply.find("error");
  return storage::Error{error != reply.end() && error->is_string() ? error->get<std::string>()
                                                                   : "the edge's answer is not understood"};
}

}  // namespace freshet::proxy
