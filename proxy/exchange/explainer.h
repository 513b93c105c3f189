// Explainer: asks what an exchange would do with a request, on the worker where it would do it. One worker's;
// on its thread. What is under way when it is destroyed is not answered.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "proxy/exchange/exchange.h"
#include "proxy/exchange/explanation.h"
#include "storage/http/message_head.h"

namespace freshet::proxy {

struct ExplainQuestion {
  storage::RequestHead request;
  bool trusted = false;  // as if a trusted proxy had sent it
};

class Explainer {
 public:
  explicit Explainer(ExchangeContext& context);
  Explainer(const Explainer&) = delete;
  Explainer& operator=(const Explainer&) = delete;
  ~Explainer();

  void explain(ExplainQuestion question, std::function<void(Explanation)> explained);

 private:
  class Job;

  ExchangeContext& context_;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Job>> jobs_;
  const std::shared_ptr<Explainer*> self_;  // posted tasks hold it weakly
};

}  // namespace freshet::proxy
