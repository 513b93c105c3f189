#include "proxy/admin/explain_endpoint.h"

#include <memory>
#include <utility>

#include "proxy/admin/admin_server.h"
#include "proxy/admin/explain_json.h"
#include "proxy/admin/explain_order.h"

namespace freshet::proxy {

namespace {

void explain(const ExplainEndpoint& what, const AdminRequest& request, AdminAnswer answer) {
  auto order = parse_explain_order(request.body);
  if (!order) return answer(plain_admin_reply(400, order.error() + "\n"));
  auto asked = request_of(*order);
  if (!asked) return answer(plain_admin_reply(400, asked.error() + "\n"));
  what.ask({asked.take(), order->trusted}, [&loop = what.loop, answer = std::move(answer)](Explanation told) {
    loop.post([answer, shared = std::make_shared<const Explanation>(std::move(told))] {
      AdminReply reply = plain_admin_reply(200, explain_json(*shared));
      reply.content_type = "application/json";
      answer(reply);
    });
  });
}

}  // namespace

void add_explain_endpoint(AdminServer& server, ExplainEndpoint what) {
  const auto shared = std::make_shared<const ExplainEndpoint>(std::move(what));
  server.route_post("/v1/explain", [shared](const AdminRequest& request, AdminAnswer answer) {
    explain(*shared, request, std::move(answer));
  });
}

}  // namespace freshet::proxy
