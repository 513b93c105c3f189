// Http1Work: what an Http1Session needs while a request is in progress or something waits to be sent. A
// session that is idle has none: ten thousand of them cost little, and those that work take turns with few,
// whose memory stays in the processor's caches.
//
// Http1Works keeps those that nobody has. Belongs to one worker's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/exchange/exchange.h"
#include "proxy/http1/output_queue.h"
#include "proxy/http1/request_content.h"
#include "proxy/http1/request_parser.h"

namespace freshet::proxy {

struct Http1Work {
  explicit Http1Work(ExchangeContext& exchanges) : exchange(exchanges) {}

  RequestParser parser{RequestParserOptions{}};
  RequestContent content;
  RequestFraming framing;
  Exchange exchange;
  OutputQueue output;
  // Input that was read and could not be used at once; `kept_used` bytes of it are used by now.
  std::string kept;
  std::size_t kept_used = 0;
};

class Http1Works {
 public:
  using Post = std::function<void(std::function<void()>)>;

  // `post`: runs a task in a later turn of the worker's loop.
  Http1Works(ExchangeContext& exchanges, Post post) : exchanges_(exchanges), post_(std::move(post)) {}

  // For a session's next request; nothing of an earlier one is in it.
  [[nodiscard]] std::unique_ptr<Http1Work> take(ResponseSink& sink, const ClientInfo& client,
                                                const RequestParserOptions& parser);
  // Its exchange is done and its output empty. May be called from inside the exchange's last step.
  void give_back(std::unique_ptr<Http1Work> work);

  [[nodiscard]] std::size_t spare() const { return spare_.size(); }

 private:
  ExchangeContext& exchanges_;
  const Post post_;
  std::vector<std::unique_ptr<Http1Work>> spare_;
};

}  // namespace freshet::proxy
