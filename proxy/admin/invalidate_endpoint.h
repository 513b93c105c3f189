// POST /v1/invalidate: several scopes in one step (purge_order.h), answered when that is on disk: 200, or 503
// where it could not be synced and holds in memory alone, or 400 with all that is wrong with the order.
#pragma once

#include <memory>

#include "proxy/exchange/search_rules.h"
#include "revalidate/flight_table.h"
#include "revalidate/policy/key_rules.h"
#include "storage/base/counters.h"
#include "storage/base/executor.h"
#include "storage/tiered_store.h"

namespace freshet::proxy {

class AdminServer;

struct InvalidateEndpoint {
  storage::TieredStore& store;  // with all below it outlives the server
  storage::Executor& loop;      // the server's
  storage::Counters& counters;
  revalidate::KeyRules key_rules;
  std::shared_ptr<const SearchRules> search_rules;
  revalidate::FlightTable* flights = nullptr;  // whose early hints a hard purge forgets; may be null
};

void add_invalidate_endpoint(AdminServer& server, InvalidateEndpoint what);

}  // namespace freshet::proxy
