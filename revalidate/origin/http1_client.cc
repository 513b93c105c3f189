#include "revalidate/origin/http1_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "revalidate/origin/http1_call.h"
#include "revalidate/origin/http1_connection.h"
#include "storage/base/check.h"

namespace freshet::revalidate {

class Http1Client::Impl final : public Http1Owner {
 public:
  Impl(storage::IoLoop& its_loop, Options its_options, storage::Counters& its_counters,
       OriginAddresses::Resolve resolve)
      : Http1Owner(its_loop, std::move(its_options), its_counters, std::move(resolve)),
        alive_(std::make_shared<Impl*>(this)) {}

  ~Impl() override {
    for (Http1Call* call : to_start_) end(call);
    for (const auto& connection : connections_) {
      if (Http1Call* call = connection->call()) {
        connection->let_go();
        end(call);
      }
    }
  }

  std::unique_ptr<OriginCall> start(OriginRequest request, OriginHandler& handler) {
    auto call = std::make_unique<Http1Call>(*this, std::move(request), handler);
    call->queued = true;
    to_start_.push_back(call.get());
    do_later();
    return call;
  }

  void resume(Http1Call& call) {
    if (call.queued || call.connection == nullptr) return;
    call.queued = true;
    to_resume_.push_back(&call);
    do_later();
  }

  // The caller has let go.
  void abandon(Http1Call& call) {
    if (call.queued) {
      for (auto* list : {&to_start_, &to_resume_})
        std::replace(list->begin(), list->end(), &call, static_cast<Http1Call*>(nullptr));
    }
    if (call.connection == nullptr) return;
    Http1Connection& connection = *call.connection;
    connection.let_go();
    free_.push_back(&connection);
  }

  void completed(Http1Connection& connection, Http1Call& call, storage::HeaderFields trailers) override {
    if (connection.is_idle()) {
      keep(connection);
    } else {
      free_.push_back(&connection);
    }
    OriginHandler* handler = call.handler;
    end(&call);
    handler->on_complete(std::move(trailers));
  }

  void failed(Http1Connection& connection, Http1Call& call, OriginError error) override {
    free_.push_back(&connection);
    counters.add(storage::Counter::kOriginErrors);
    OriginHandler* handler = call.handler;
    end(&call);
    handler->on_failure(std::move(error));
  }

  void was_dead(Http1Connection& connection, Http1Call& call) override {
    free_.push_back(&connection);
    open(call);
  }

  void ended_idle(Http1Connection& connection) override {
    idle_.erase(std::find(idle_.begin(), idle_.end(), &connection));
    free_.push_back(&connection);
  }

  // One at a time: what one does may end another.
  void addresses_known(const OriginAddresses::List& list, const std::string& why) override {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (connections_[i]->is_naming()) connections_[i]->take_addresses(list, why);
    }
  }

 private:
  static void end(Http1Call* call) {
    if (call == nullptr) return;
    call->client = nullptr;
  }

  void keep(Http1Connection& connection) {
    if (idle_.size() >= options.max_idle_connections && !idle_.empty()) {
      idle_.front()->close();
      free_.push_back(idle_.front());
      idle_.erase(idle_.begin());
    }
    idle_.push_back(&connection);
  }

  // All that was put off, in one task of the loop's: it runs in the turn in which it is asked for.
  void do_later() {
    if (std::exchange(posted_, true)) return;
    loop.post([alive = std::weak_ptr<Impl*>(alive_)] {
      if (const auto self = alive.lock()) (*self)->do_what_was_put_off();
    });
  }

  // What a callback does may put null in the place of others, and add to the lists: that is for the next
  // turn.
  void do_what_was_put_off() {
    for_each_queued(to_resume_, [](Http1Call& call) {
      if (call.connection != nullptr) call.connection->resume();
    });
    for_each_queued(to_start_, [this](Http1Call& call) { begin(call); });
    posted_ = false;
    if (!to_resume_.empty() || !to_start_.empty()) do_later();
  }

  template <typename Act>
  static void for_each_queued(std::vector<Http1Call*>& list, Act act) {
    const std::size_t count = list.size();
    for (std::size_t i = 0; i < count; ++i) {
      Http1Call* call = std::exchange(list[i], nullptr);
      if (call == nullptr) continue;
      call->queued = false;
      act(*call);
    }
    list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count));
  }

  void begin(Http1Call& call) {
    while (!idle_.empty()) {
      Http1Connection& connection = *idle_.back();
      idle_.pop_back();
      if (connection.is_fit()) return connection.send(call);
      connection.close();
      free_.push_back(&connection);
    }
    open(call);
  }

  void open(Http1Call& call) {
    if (free_.empty()) {
      connections_.push_back(std::make_unique<Http1Connection>(*this));
      free_.push_back(connections_.back().get());
    }
    Http1Connection& connection = *free_.back();
    free_.pop_back();
    connection.open(call);
  }

  std::vector<std::unique_ptr<Http1Connection>> connections_;
  std::vector<Http1Connection*> free_;  // closed
  std::vector<Http1Connection*> idle_;  // the one that was used last comes last
  std::vector<Http1Call*> to_start_;
  std::vector<Http1Call*> to_resume_;
  bool posted_ = false;
  std::shared_ptr<Impl*> alive_;
};

Http1Call::~Http1Call() {
  if (client != nullptr) client->abandon(*this);
}

void Http1Call::resume() {
  if (client != nullptr) client->resume(*this);
}

Http1Client::Http1Client(storage::IoLoop& loop, Options options, storage::Counters& counters,
                         OriginAddresses::Resolve resolve)
    : impl_(std::make_unique<Impl>(loop, std::move(options), counters, std::move(resolve))) {}

Http1Client::~Http1Client() = default;

std::unique_ptr<OriginCall> Http1Client::start(OriginRequest request, OriginHandler& handler,
                                               UploadSource* /*upload*/) {
  FRESHET_CHECK(!request.has_body);
  return impl_->start(std::move(request), handler);
}

}  // namespace freshet::revalidate
