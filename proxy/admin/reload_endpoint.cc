#include "proxy/admin/reload_endpoint.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "proxy/admin/admin_server.h"

namespace freshet::proxy {

using nlohmann::json;

namespace {

constexpr int kApplied = 200;
constexpr int kRefused = 409;

std::vector<std::string> strings_of(const json& object, const char* name) {
  const auto list = object.find(name);
  if (list == object.end() || !list->is_array()) return {};
  std::vector<std::string> strings;
  for (const json& each : *list) {
    if (each.is_string()) strings.push_back(each.get<std::string>());
  }
  return strings;
}

}  // namespace

std::string reload_reply_json(const ReloadReply& reply) {
  nlohmann::ordered_json out;
  out["applied"] = reply.applied;
  if (reply.applied) {
    out["changed"] = reply.changed;
  } else {
    out["errors"] = reply.errors;
  }
  // A file may hold any bytes.
  return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

storage::Result<ReloadReply> parse_reload_reply(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  const bool good = object.is_object() && object.contains("applied") && object["applied"].is_boolean();
  if (!good) return storage::Error{"the answer is not one to a reload"};
  return ReloadReply{object["applied"].get<bool>(), strings_of(object, "changed"),
                     strings_of(object, "errors")};
}

void add_reload_endpoint(AdminServer& server, ReloadAction reload) {
  server.route_post(
      "/v1/reload", [reload = std::move(reload)](const AdminRequest& request, AdminAnswer answer) {
        reload(request.client + " (admin plane)", [answer = std::move(answer)](const ReloadReply& done) {
          AdminReply reply = plain_admin_reply(done.applied ? kApplied : kRefused, reload_reply_json(done));
          reply.content_type = "application/json";
          answer(std::move(reply));
        });
      });
}

}  // namespace freshet::proxy
