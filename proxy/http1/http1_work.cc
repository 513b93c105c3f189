#include "proxy/http1/http1_work.h"

#include <utility>

namespace freshet::proxy {

namespace {

// More would only be cold memory.
constexpr std::size_t kMostSpare = 64;

}  // namespace

std::unique_ptr<Http1Work> Http1Works::take(ResponseSink& sink, const ClientInfo& client,
                                            const RequestParserOptions& parser) {
  std::unique_ptr<Http1Work> work;
  if (spare_.empty()) {
    work = std::make_unique<Http1Work>(exchanges_);
  } else {
    work = std::move(spare_.back());
    spare_.pop_back();
  }
  work->parser = RequestParser(parser);
  work->exchange.serve(sink, client);
  return work;
}

void Http1Works::give_back(std::unique_ptr<Http1Work> work) {
  work->framing = {};
  work->content.begin(work->framing);
  work->kept.clear();
  work->kept_used = 0;
  if (spare_.size() < kMostSpare) {
    spare_.push_back(std::move(work));
  } else {
    // Later: a step of its exchange may still be on the stack.
    post_([work = std::shared_ptr<Http1Work>(std::move(work))] {});
  }
}

}  // namespace freshet::proxy
