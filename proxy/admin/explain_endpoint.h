// POST /v1/explain: what the edge would do with a request now, and why (explain_order.h, explain_json.h).
// Asks a worker, which is where requests are decided, and answers when that has.
#pragma once

#include <functional>

#include "proxy/exchange/explainer.h"
#include "storage/base/executor.h"

namespace freshet::proxy {

class AdminServer;

struct ExplainEndpoint {
  // Has a worker explain it; the answer comes on the worker's thread.
  std::function<void(ExplainQuestion, std::function<void(Explanation)>)> ask;
  storage::Executor& loop;  // the server's, and outlives it
};

void add_explain_endpoint(AdminServer& server, ExplainEndpoint what);

}  // namespace freshet::proxy
