#include "proxy/admin/admin_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <sys/socket.h>
#include <utility>

namespace freshet::proxy {

namespace {

using storage::IoInterest;
using storage::IoReady;

constexpr std::size_t kLongestHead = 8 * 1024;
constexpr std::size_t kMostConnections = 64;
constexpr std::size_t kLargestContent = 1024 * 1024;
constexpr storage::Milliseconds kTimeLimit{10'000};
constexpr storage::Milliseconds kActionLimit{60'000};
// What a client may still send after its reply, before the connection is cut: content that is too large, so
// that most who send it read why.
constexpr std::size_t kMostIgnored = 4 * 1024 * 1024;

// Who has connected to a unix socket.
std::string user_of(const Descriptor& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "a local user";
  return "uid " + std::to_string(peer.uid);
}

}  // namespace

// One connection: reads a head and a POST's content, waits for the reply, sends it, then reads until the peer
// closes. Closing at once would reset the connection where bytes of the request are unread, and the reply
// with it.
class AdminConnection {
 public:
  AdminConnection(AdminServer& server, std::uint64_t id, Descriptor socket, AdminAccess access,
                  std::string client)
      : server_(server),
        id_(id),
        socket_(std::move(socket)),
        access_(std::move(access)),
        client_(std::move(client)) {
    timer_ = server.loop_.timer([this] { finish(); });
    timer_->arm(kTimeLimit);
    watch_ = server.loop_.watch(socket_.get(), IoInterest::kRead, [this](IoReady ready) { on_ready(ready); });
  }
  AdminConnection(const AdminConnection&) = delete;
  AdminConnection& operator=(const AdminConnection&) = delete;

  void take_answer(const AdminReply& answer) {
    if (phase_ == Phase::kAwaitAnswer) reply(answer);
  }

  // A request that has begun to arrive has no whole reply yet.
  [[nodiscard]] bool busy() const {
    if (phase_ == Phase::kReceiveHead) return !input_.empty();
    return phase_ != Phase::kAwaitClose && phase_ != Phase::kDone;
  }

 private:
  enum class Phase { kReceiveHead, kReceiveContent, kAwaitAnswer, kSend, kAwaitClose, kDone };

  void on_ready(IoReady ready) {
    if (phase_ == Phase::kReceiveHead && ready.readable) receive_head();
    if (phase_ == Phase::kReceiveContent && ready.readable) receive_content();
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

  void receive_head() {
    while (phase_ == Phase::kReceiveHead && read_some(input_)) {
      const std::size_t end = input_.find("\r\n\r\n");
      if (std::min(end, input_.size()) > kLongestHead) {
        reply(plain_admin_reply(431, "the request's head is longer than 8 KiB\n"));
      } else if (end != std::string::npos) {
        take_head(end + 4);
      }
    }
  }

  void take_head(std::size_t size) {
    const int refused = parse_admin_head(std::string_view(input_).substr(0, size), request_);
    input_.erase(0, size);
    if (refused == 405) return reply(plain_admin_reply(405, "only GET, HEAD and POST\n"));
    if (refused != 0) {
      return reply(plain_admin_reply(refused, refused == 505 ? "only HTTP/1.1\n" : "not an HTTP request\n"));
    }
    AdminReply refusal;
    route_ = server_.find_route(request_, access_, refusal);
    if (route_ == nullptr) return reply(refusal);
    if (!route_->action) return reply(route_->endpoint(request_));
    take_content_size();
  }

  void take_content_size() {
    switch (const int refused = admin_content_size(request_, kLargestContent, content_size_)) {
      case 0:
        break;
      case 411:
        return reply(plain_admin_reply(411, "the content needs a Content-Length\n"));
      case 413:
        return reply(plain_admin_reply(413, "the content is larger than 1 MiB\n"));
      case 415:
        return reply(plain_admin_reply(415, "the content is to be application/json\n"));
      default:
        return reply(plain_admin_reply(refused, "the Content-Length is no number\n"));
    }
    phase_ = Phase::kReceiveContent;
    // Best effort: who gets none of it sends the content anyway.
    if (request_.fields.has(storage::FieldName::kExpect) && input_.empty()) {
      constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
      (void)::send(socket_.get(), kGoOn.data(), kGoOn.size(), MSG_NOSIGNAL);
    }
    receive_content();
  }

  void receive_content() {
    while (input_.size() < content_size_) {
      if (!read_some(input_)) return;
    }
    input_.resize(content_size_);
    request_.body = std::move(input_);
    request_.client = client_;
    phase_ = Phase::kAwaitAnswer;
    watch_->set_interest(IoInterest::kNone);
    timer_->arm(kActionLimit);
    route_->action(request_, server_.answer_to(id_));
  }

  void reply(const AdminReply& reply) {
    output_ = admin_reply_text(reply, request_.method == "HEAD");
    phase_ = Phase::kSend;
    timer_->arm(kTimeLimit);
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
    server_.progressed();
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
  const AdminAccess access_;
  const std::string client_;
  Phase phase_ = Phase::kReceiveHead;
  AdminRequest request_;
  const AdminServer::Route* route_ = nullptr;
  std::size_t content_size_ = 0;
  std::string input_;
  std::string output_;
  std::size_t sent_ = 0;
  std::size_t ignored_ = 0;
  std::unique_ptr<storage::IoTimer> timer_;
  std::unique_ptr<storage::IoWatch> watch_;
};

AdminServer::AdminServer(storage::IoLoop& loop) : loop_(loop), self_(std::make_shared<AdminServer*>(this)) {}

AdminServer::~AdminServer() = default;

void AdminServer::route(const std::string& path, AdminEndpoint endpoint, Asks asks) {
  routes_[path] = {std::move(endpoint), nullptr, asks};
}

void AdminServer::route_post(const std::string& path, AdminAction action) {
  routes_[path] = {nullptr, std::move(action), Asks::kPermission};
}

storage::Result<SocketAddress> AdminServer::listen(const SocketAddress& address, const std::string& token,
                                                   HandedSockets* handed) {
  ListenOptions options;
  options.handed = handed;
  auto sockets = open_listening_sockets(address, 1, options);
  if (!sockets.ok()) return storage::Error{sockets.error()};
  const AdminAccess access{address.is_unix(), token};
  listeners_.push_back(std::make_unique<Listener>(
      loop_, std::move(sockets->front()), [this, access](Descriptor socket, const SocketAddress& peer) {
        std::string client = peer.is_unix() ? user_of(socket) : peer.text();
        serve(std::move(socket), access, std::move(client));
      }));
  return listeners_.back()->address();
}

void AdminServer::serve(Descriptor socket, AdminAccess access, std::string client) {
  if (connections_.size() >= kMostConnections) return;
  const std::uint64_t id = next_id_++;
  connections_[id] =
      std::make_unique<AdminConnection>(*this, id, std::move(socket), std::move(access), std::move(client));
}

const AdminServer::Route* AdminServer::find_route(const AdminRequest& request, const AdminAccess& access,
                                                  AdminReply& refusal) const {
  const auto route = routes_.find(request.path);
  const bool open = route != routes_.end() && route->second.asks == Asks::kNone;
  if (auto refused = open ? std::nullopt : admin_refusal(request, access)) {
    refusal = std::move(*refused);
    return nullptr;
  }
  if (route == routes_.end()) {
    std::string text = "not found; there are:\n";
    for (const auto& known : routes_) text += known.first + "\n";
    refusal = plain_admin_reply(404, text);
    return nullptr;
  }
  const bool is_action = route->second.action != nullptr;
  if (is_action == (request.method == "POST")) return &route->second;
  refusal = plain_admin_reply(405, is_action ? "only POST\n" : "only GET and HEAD\n");
  if (is_action) refusal.allow = "POST";
  return nullptr;
}

AdminAnswer AdminServer::answer_to(std::uint64_t id) const {
  return [weak = std::weak_ptr<AdminServer*>(self_), id](const AdminReply& reply) {
    const auto self = weak.lock();
    if (!self) return;
    const auto connection = (*self)->connections_.find(id);
    if (connection != (*self)->connections_.end()) connection->second->take_answer(reply);
  };
}

void AdminServer::when_idle(std::function<void()> idle) {
  idle_ = std::move(idle);
  progressed();
}

void AdminServer::progressed() {
  if (!idle_) return;
  const bool busy = std::any_of(connections_.begin(), connections_.end(),
                                [](const auto& each) { return each.second->busy(); });
  if (!busy) std::exchange(idle_, nullptr)();
}

void AdminServer::finished(std::uint64_t id) {
  progressed();
  loop_.post([weak = std::weak_ptr<AdminServer*>(self_), id] {
    if (const auto self = weak.lock()) (*self)->connections_.erase(id);
  });
}

}  // namespace freshet::proxy
