#include "proxy/exchange/explainer.h"

#include <utility>

namespace freshet::proxy {

namespace {

// Where nothing is sent to.
class NoClient final : public ResponseSink {
 public:
  void send_informational(const storage::ResponseHead& /*head*/) override {}
  void send_head(const ReplyHead& /*head*/) override {}
  [[nodiscard]] bool has_room() const override { return false; }
  void send_body(const storage::Chunk& /*chunk*/) override {}
  void finish(const storage::HeaderFields* /*trailers*/) override {}
  void abort() override {}
  void flush() override {}
  [[nodiscard]] int upload_failure_status() const override { return 400; }
  [[nodiscard]] std::uint64_t head_bytes() const override { return 0; }
};

}  // namespace

class Explainer::Job {
 public:
  Job(ExchangeContext& context, ExplainQuestion question)
      : client_{"", question.trusted}, exchange_(context, sink_, client_) {
    exchange_.request() = std::move(question.request);
  }
  void begin(std::function<void(Explanation)> explained) { exchange_.explain(std::move(explained)); }

 private:
  NoClient sink_;
  const ClientInfo client_;
  Exchange exchange_;
};

Explainer::Explainer(ExchangeContext& context)
    : context_(context), self_(std::make_shared<Explainer*>(this)) {}

Explainer::~Explainer() = default;

// The exchange is still at work when it tells: it is destroyed in a later turn.
void Explainer::explain(ExplainQuestion question, std::function<void(Explanation)> explained) {
  const std::uint64_t id = ++last_;
  Job& job = *jobs_.emplace(id, std::make_unique<Job>(context_, std::move(question))).first->second;
  job.begin([this, id, explained = std::move(explained)](Explanation explanation) {
    context_.flights.loop.post([weak = std::weak_ptr<Explainer*>(self_), id] {
      if (const auto self = weak.lock()) (*self)->jobs_.erase(id);
    });
    explained(std::move(explanation));
  });
}

}  // namespace freshet::proxy
