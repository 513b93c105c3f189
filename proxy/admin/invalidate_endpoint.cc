#include "proxy/admin/invalidate_endpoint.h"

#include <utility>
#include <vector>

#include "proxy/admin/admin_server.h"
#include "proxy/admin/purge_order.h"
#include "proxy/exchange/purge.h"
#include "revalidate/policy/tags.h"

namespace freshet::proxy {

namespace {

AdminReply json_reply(int status, std::string text) {
  AdminReply reply = plain_admin_reply(status, std::move(text));
  reply.content_type = "application/json";
  return reply;
}

void invalidate(const InvalidateEndpoint& what, const AdminRequest& request, AdminAnswer answer) {
  PurgeOrder order;
  const std::vector<PurgeError> errors = parse_purge_order(request.body, order);
  if (!errors.empty()) {
    what.counters.add(storage::Counter::kPurgesRefused);
    return answer(json_reply(400, purge_errors_json(errors)));
  }
  const std::shared_ptr<const ExchangeOptions> options = what.options();
  if (options->early_hints && !order.soft) what.flights.forget_hints();
  what.store.purge(
      revalidate::with_every_tag(invalidation_of(order, options->key_rules, *options->search_rules)),
      what.loop,
      [order, who = request.client, answer = std::move(answer)](const storage::Acknowledgement& done) {
        log_purge(who + " (admin plane)", purge_text(order),
                  order.soft ? storage::Strength::kSoft : storage::Strength::kHard, done);
        answer(json_reply(done.durable ? 200 : 503, purge_reply_json(order, done)));
      });
}

}  // namespace

void add_invalidate_endpoint(AdminServer& server, InvalidateEndpoint what) {
  const auto shared = std::make_shared<const InvalidateEndpoint>(std::move(what));
  server.route_post("/v1/invalidate", [shared](const AdminRequest& request, AdminAnswer answer) {
    invalidate(*shared, request, std::move(answer));
  });
}

}  // namespace freshet::proxy
