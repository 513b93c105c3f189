// POST /v1/invalidate: several scopes in one step (purge_order.h), answered when that is on disk: 200, or 503
// where it could not be synced and holds in memory alone, or 400 with all that is wrong with the order.
#pragma once

#include <functional>
#include <memory>

#include "proxy/exchange/exchange.h"
#include "revalidate/flight_table.h"
#include "storage/base/counters.h"
#include "storage/base/executor.h"
#include "storage/tiered_store.h"

namespace freshet::proxy {

class AdminServer;

struct InvalidateEndpoint {
  storage::TieredStore& store;  // with all below it outlives the server
  storage::Executor& loop;      // the server's
  storage::Counters& counters;
  // As they hold now.
  std::function<std::shared_ptr<const ExchangeOptions>()> options;
  revalidate::FlightTable& flights;  // whose early hints a hard purge forgets
};

void add_invalidate_endpoint(AdminServer& server, InvalidateEndpoint what);

}  // namespace freshet::proxy
