#include "proxy/admin/admin_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

namespace freshet::proxy {

namespace {

using storage::IoInterest;
using storage::IoReady;

constexpr std::size_t kLongestHead = 8 * 1024;
constexpr std::size_t kMostConnections = 64;
constexpr storage::Milliseconds kTimeLimit{10'000};
// What a client may still send after its reply, before the connection is cut.
constexpr std::size_t kMostIgnored = 64 * 1024;

AdminReply plain_reply(int status, const std::string& text) {
  return {status, AdminReply{}.content_type, text};
}

}  // namespace

// One connection: reads a head, sends a reply, then reads until the peer closes. Closing at once would reset
// the connection where bytes of the request are unread, and the reply with it.
class AdminConnection {
 public:
  AdminConnection(AdminServer& server, std::uint64_t id, Descriptor socket)
      : server_(server), id_(id), socket_(std::move(socket)) {
    timer_ = server.loop_.timer([this] { finish(); });
    timer_->arm(kTimeLimit);
    watch_ = server.loop_.watch(socket_.get(), IoInterest::kRead, [this](IoReady ready) { on_ready(ready); });
  }
  AdminConnection(const AdminConnection&) = delete;
  AdminConnection& operator=(const AdminConnection&) = delete;

 private:
  enum class Phase { kReceive, kSend, kAwaitClose, kDone };

  void on_ready(IoReady ready) {
    if (phase_ == Phase::kReceive && ready.readable) receive();
    if (phase_ == Phase::kSend && ready.writable) send();
    if (phase_ == Phase::kAwaitClose && ready.readable) ignore_rest();
  }

  // False: nothing to read now, or the connection is finished.
  bool read_some(std::string& into) {
    std::array<char, 4096> piece{};
    const ssize_t got = ::recv(socket_.get(), piece.data(), piece.size(), 0);
    if (got > 0) {
      into.append(piece.data(), static_cast<std::size_t>(got));
      return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) finish();
    return false;
  }

  void receive() {
    while (phase_ == Phase::kReceive && read_some(input_)) {
      const std::size_t end = input_.find("\r\n\r\n");
      if (std::min(end, input_.size()) > kLongestHead) {
        reply(plain_reply(431, "the request's head is longer than 8 KiB\n"), false);
      } else if (end != std::string::npos) {
        answer(std::string_view(input_).substr(0, end + 4));
      }
    }
  }

  void answer(std::string_view head) {
    AdminRequest request;
    const int refused = parse_admin_head(head, request);
    if (refused == 0) {
      reply(server_.answer(request), request.method == "HEAD");
    } else if (refused == 405) {
      reply(plain_reply(405, "only GET and HEAD\n"), false);
    } else {
      reply(plain_reply(refused, refused == 505 ? "only HTTP/1.1\n" : "not an HTTP request\n"), false);
    }
  }

  void reply(const AdminReply& reply, bool head_only) {
    output_ = admin_reply_text(reply, head_only);
    phase_ = Phase::kSend;
    watch_->set_interest(IoInterest::kWrite);
    send();
  }

  void send() {
    while (sent_ < output_.size()) {
      const ssize_t wrote =
          ::send(socket_.get(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0 && errno != EAGAIN) finish();
      if (wrote < 0) return;
      sent_ += static_cast<std::size_t>(wrote);
    }
    ::shutdown(socket_.get(), SHUT_WR);
    phase_ = Phase::kAwaitClose;
    watch_->set_interest(IoInterest::kRead);
  }

  void ignore_rest() {
    std::string rest;
    while (phase_ == Phase::kAwaitClose && read_some(rest)) {
      ignored_ += rest.size();
      rest.clear();
      if (ignored_ > kMostIgnored) finish();
    }
  }

  void finish() {
    if (phase_ == Phase::kDone) return;
    phase_ = Phase::kDone;
    watch_->set_interest(IoInterest::kNone);
    timer_->cancel();
    server_.finished(id_);
  }

  AdminServer& server_;
  const std::uint64_t id_;
  const Descriptor socket_;
  Phase phase_ = Phase::kReceive;
  std::string input_;
  std::string output_;
  std::size_t sent_ = 0;
  std::size_t ignored_ = 0;
  std::unique_ptr<storage::IoTimer> timer_;
  std::unique_ptr<storage::IoWatch> watch_;
};

AdminServer::AdminServer(storage::IoLoop& loop) : loop_(loop), self_(std::make_shared<AdminServer*>(this)) {}

AdminServer::~AdminServer() = default;

void AdminServer::route(const std::string& path, AdminEndpoint endpoint) {
  routes_[path] = std::move(endpoint);
}

storage::Result<SocketAddress> AdminServer::listen(const SocketAddress& address) {
  auto sockets = open_listening_sockets(address, 1);
  if (!sockets.ok()) return storage::Error{sockets.error()};
  listeners_.push_back(std::make_unique<Listener>(
      loop_, std::move(sockets->front()),
      [this](Descriptor socket, const SocketAddress& /*peer*/) { serve(std::move(socket)); }));
  return listeners_.back()->address();
}

void AdminServer::serve(Descriptor socket) {
  if (connections_.size() >= kMostConnections) return;
  const std::uint64_t id = next_id_++;
  connections_[id] = std::make_unique<AdminConnection>(*this, id, std::move(socket));
}

AdminReply AdminServer::answer(const AdminRequest& request) const {
  const auto route = routes_.find(request.path);
  if (route != routes_.end()) return route->second(request);
  std::string text = "not found; there are:\n";
  for (const auto& known : routes_) text += known.first + "\n";
  return plain_reply(404, text);
}

void AdminServer::finished(std::uint64_t id) {
  loop_.post([weak = std::weak_ptr<AdminServer*>(self_), id] {
    if (const auto self = weak.lock()) (*self)->connections_.erase(id);
  });
}

}  // namespace freshet::proxy
